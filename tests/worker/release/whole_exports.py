"""Exports of tiny models that were trained for a few steps, written and proven by the export job.

For tests that spoil such an export and have it proven again: what the job asked to be proven is
kept, so that the same is asked of a spoiled copy.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

from engine.jobs import directory
from engine.jobs.status import State
from engine.launching.export import plan_export
from engine.recipes.recipe import ExportRecipe, TrainRecipe
from engine.recipes.settings import Model
from engine.release.proof import Check
from engine.worker import export
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.gguf import write
from engine.worker.release.gguf.vocabulary import GgufVocabulary, vocabulary_of
from engine.worker.release.proving import prove
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.proof_steps import prove as prove_here
from engine.worker.tokenizers.pre_tokenizers import TABLE
from tests.worker.here import begin_here
from tests.worker.release.made_exports import write_held_out
from tests.worker.release.tokenizers_for_gguf import save_byte_level, save_sentence_pieces

Tensors = dict[str, torch.Tensor]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
THINK = "<think>"
"""A token that was added, and ends an answer as well."""
ROWS = 1200
"""Of the embedding: more than there are tokens."""
SIZE: dict[str, Any] = {
    "vocab_size": ROWS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
}
_ROPE = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
         "high_freq_factor": 4.0, "original_max_position_embeddings": 64}  # fmt: skip
_GEMMA: dict[str, Any] = {**SIZE, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 8}
_LONG = {"rope_type": "longrope", "rope_theta": 1e4, "long_factor": [2.0, 3.0, 4.0, 5.0],
         "short_factor": [1.0, 1.1, 1.2, 1.3]}  # fmt: skip
FAMILIES: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaConfig(**SIZE, rope_parameters=_ROPE, attention_bias=True, mlp_bias=True),
    "mistral": lambda: MistralConfig(**SIZE, sliding_window=8),
    "qwen2": lambda: Qwen2Config(**SIZE, tie_word_embeddings=True),
    "qwen3": lambda: Qwen3Config(**SIZE, head_dim=8),
    "gemma": lambda: GemmaConfig(**SIZE, head_dim=8),
    "gemma2": lambda: Gemma2Config(**_GEMMA, attn_logit_softcapping=3.0,
                                   final_logit_softcapping=2.0),
    "gemma3": lambda: Gemma3TextConfig(**_GEMMA),
    "phi3": lambda: Phi3Config(**SIZE, pad_token_id=2),
    "phi3-long": lambda: Phi3Config(**SIZE, pad_token_id=2, rope_parameters=_LONG,
                                    original_max_position_embeddings=64),
}  # fmt: skip
_STEPS, _RATE = 4, 0.02


@dataclass(frozen=True)
class WholeExport:
    """An export that was published, with its proofs."""

    out: Path
    base: Path
    specs: dict[str, ProofSpec]
    """What the job asked to be proven, by target."""
    checks: dict[str, list[Check]]
    """What it found."""

    def copy(self, target: str, folder: Path) -> "ExportCopy":
        """A copy of one target's files, to be spoiled."""
        form = target.partition(":")[0]
        shutil.copytree(self.out / form, folder / form)
        spec = self.specs[target]
        shipped = folder / spec.shipped.relative_to(self.out)
        return ExportCopy(self, folder / form, dataclasses.replace(spec, shipped=shipped))


@dataclass(frozen=True)
class ExportCopy:
    """Files of one target, and what is asked of them."""

    export: WholeExport
    folder: Path
    spec: ProofSpec

    def prove(self) -> list[Check]:
        """All checks, as the job makes them."""
        return prove_here(self.spec, self.folder.parent, lambda activity, done, total: None)

    def base_tensor(self, name: str) -> torch.Tensor:
        return load_file(self.export.base / "model.safetensors")[name]

    def edit_tensors(
        self, change: Callable[[Tensors], None], file: str = "model.safetensors"
    ) -> None:
        tensors = load_file(self.folder / file)
        change(tensors)
        tensors = {name: one.contiguous() for name, one in tensors.items()}
        save_file(tensors, self.folder / file, {"format": "pt"})

    def edit_json(self, name: str, change: Callable[[Any], None]) -> None:
        path = self.folder / name
        body = json.loads(path.read_bytes())
        change(body)
        path.write_text(json.dumps(body, ensure_ascii=False))

    def edit_text(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def edit_values(self, tensor: str, change: Callable[[Any], Any]) -> None:
        """Of a tensor of the GGUF file."""
        from gguf import GGUFReader

        reader: Any = GGUFReader(str(self.spec.shipped), "r+")
        data = next(one.data for one in reader.tensors if one.name == tensor)
        data[:] = change(data.copy())
        reader.data.flush()

    def write_gguf(
        self,
        part: str = "",
        change: Callable[[Any], Any] = lambda right: right,
        vocabulary: Callable[[GgufVocabulary], GgufVocabulary] = lambda right: right,
    ) -> None:
        """The GGUF file anew by a writer one `part` of which is replaced by what `change` makes of
        it, or with another vocabulary."""
        checkpoint = self.spec.checkpoint
        assert checkpoint is not None
        quantization = self.spec.target.partition(":")[2]
        with pytest.MonkeyPatch.context() as patch:
            if part:
                right = getattr(write, part)
                patch.setattr(write, part, lambda *given: change(right(*given)))
            write.write_gguf(
                checkpoint,
                self.spec.shipped,
                quantization,
                self.spec.ends,
                lambda done, total: None,
                lambda *given: vocabulary(vocabulary_of(*given)),
            )


def export_run(
    folder: Path,
    family: str,
    targets: list[str],
    *,
    seed: int = 0,
    dtype: str = "float32",
    pieces: bool = False,
    scale: float = 1.0,
    **settings: Any,
) -> WholeExport:
    """Train a tiny model of a family, and have the job export it.

    `pieces`: the tokenizer is SentencePiece's, and not a byte-level BPE; `scale`: of the final
    norm, and so of the logits; `settings` are LoRA's. The proof is made in this process, of few
    prompts, rows and strings.
    """
    root, out = folder / "runs", folder / "out"
    base = save_base(folder / "base", family, seed, pieces, getattr(torch, dtype), scale)
    run = directory.create(root, TrainRecipe(name="tiny", model=Model(str(base))))
    train_adapter(base, run.adapter, seed, **settings)
    write_held_out(run.held_out)
    recipe = ExportRecipe(source=run.path.name, targets=targets, out=str(out))
    job = directory.create(root, plan_export(recipe, root).recipe)
    attempt = begin_here(job)
    specs: dict[str, ProofSpec] = {}
    checks: dict[str, list[Check]] = {}
    reference = folder / "reference"
    reference.mkdir()

    def run_proof(spec: ProofSpec, scratch: Path, tick: Any) -> list[Check]:
        """That the process is a fresh one is proven where that is tested."""
        spec = dataclasses.replace(spec, prompts=2, rows=6, strings=200, reference=reference)
        checks[spec.target] = prove_here(spec, scratch, tick)
        moved = {
            name: out / path.relative_to(scratch)
            for name in ("shipped", "checkpoint")
            if (path := getattr(spec, name)) is not None
        }
        specs[spec.target] = dataclasses.replace(spec, **moved)
        return checks[spec.target]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prove, "run_proof", run_proof)
        patch.setenv("PATH", "")
        try:
            export.run(attempt)
        finally:
            attempt.finish(State.DONE)
    return WholeExport(out, base, specs, checks)


def save_base(
    folder: Path, family: str, seed: int, pieces: bool, dtype: torch.dtype, scale: float = 1.0
) -> Path:
    """A model with random weights, also in norms and biases, and its tokenizer."""
    if pieces:
        save_sentence_pieces(folder, template=TEMPLATE, legacy=False)
    else:
        row = next(one for one in TABLE if one.name == "qwen2")
        save_byte_level(folder, row, template=TEMPLATE)
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens([AddedToken(THINK, normalized=False)])
    tokenizer.save_pretrained(folder)
    config = FAMILIES[family]()
    config.bos_token_id, config.pad_token_id = tokenizer.bos_token_id, None
    ends = tokenizer.convert_tokens_to_ids(["<|im_end|>", THINK])
    config.eos_token_id = ends[0]
    torch.manual_seed(seed)
    make: Any = AutoModelForCausalLM.from_config
    model = make(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
        model.get_decoder().norm.weight.mul_(scale)
    model.generation_config.eos_token_id = ends
    model.to(dtype).save_pretrained(folder)
    return folder


def train_adapter(base: Path, folder: Path, seed: int, **settings: Any) -> None:
    """A LoRA that was trained for a few steps, with the tokenizer beside it."""
    from peft import LoraConfig, get_peft_model

    tokenizer = load_tokenizer(base)
    torch.manual_seed(seed)
    plain: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    linear = ["o_proj", "down_proj"]
    chosen: dict[str, Any] = {"task_type": "CAUSAL_LM", "r": 4, "target_modules": linear}
    config = LoraConfig(**chosen | settings)
    model: Any = get_peft_model(plain, config)
    text = "<s><|im_start|>user\ni miss you<|im_end|>\n<|im_start|>assistant\nsadness<|im_end|>"
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=_RATE)
    for _ in range(_STEPS):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(folder)
