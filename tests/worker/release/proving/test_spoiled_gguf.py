"""GGUF files of all mapped families: the proof opens them by their header, passes what is right,
states what quantising costs, and names the tensor or the key that was spoiled."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GemmaConfig, GemmaForCausalLM

from engine.release.proof import Check
from engine.worker.release.gguf import write
from engine.worker.release.gguf.families import describe
from engine.worker.release.proving.proof_steps import prove
from engine.worker.release.writing.merged_folder import write_merged
from tests.worker.families import SIZE, save_family
from tests.worker.release.made_exports import spec_of
from tests.worker.release.proving.test_spoiled_weights import complaints, family_on
from tests.worker.tiny import make_tokenizer

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3")
NAMES = {"gemma": "model.layers.0.input_layernorm.weight"}


class Files:
    """A run of a family, and its GGUF files."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        base = folder / "base"
        if name == "gemma":
            torch.manual_seed(0)
            model: Any = GemmaForCausalLM(GemmaConfig(**SIZE, head_dim=8))
            model.config.bos_token_id = model.config.pad_token_id = None
            model.save_pretrained(base)
            make_tokenizer().save_pretrained(base)
        else:
            save_family(name, base)
        if name in ("gemma2", "gemma3"):  # llama.cpp takes the scale of queries from the head
            config = base / "config.json"
            config.write_text(
                json.dumps(json.loads(config.read_text()) | {"query_pre_attn_scalar": 8})
            )
        self.source = family_on(base, folder, ["o_proj", "down_proj"])
        self.merged = folder / "merged"
        write_merged(self.source, self.merged, None, 10**9, lambda done, total: None)
        make_tokenizer().save_pretrained(self.merged)
        self.reference = folder / "reference"
        self.reference.mkdir()

    def write(self, quantization: str, name: str = "") -> Path:
        file = self.folder / f"{name or 'right'}-{quantization}.gguf"
        write.write_gguf(self.merged, file, quantization, (1,), lambda done, total: None)
        return file

    def prove(self, file: Path, quantization: str = "") -> list[Check]:
        """A GGUF file of that type, or without one a merged folder."""
        spec = spec_of(
            self.source,
            file,
            f"gguf:{quantization}" if quantization else "merged",
            dtype=quantization or "float32",
            tokenizer=self.source.base,
            prompts=2,
            rows=4,
            strings=20,
            checkpoint=self.merged if quantization else None,
            reference=self.reference,
        )
        return prove(spec, self.folder, lambda activity, done, total: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Files]:
    known: dict[str, Files] = {}

    def make(name: str) -> Files:
        if name not in known:
            known[name] = Files(name, tmp_path_factory.mktemp(name))
        return known[name]

    return make


def weights(checks: list[Check]) -> dict[str, Check]:
    names = (
        "weights differ from the base",
        "weights are those of the run",
        "opens in transformers",
        "greedy answers in float32",
        "held-out rows in the shipped type",
        "long prompts",
    )
    return {one.name: one for one in checks if one.name in names}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_merged_model_of_each_family_is_the_run(made: Callable[[str], Files], name: str) -> None:
    files = made(name)
    checks = weights(files.prove(files.merged))
    assert len(checks) == 6
    assert {one.status for one in checks.values()} == {"passed"}, complaints([*checks.values()])


@pytest.mark.parametrize("name", FAMILIES)
def test_a_gguf_file_of_each_family_is_the_run(made: Callable[[str], Files], name: str) -> None:
    files = made(name)
    checks = weights(files.prove(files.write("f32"), "f32"))
    assert len(checks) == 6
    assert {one.status for one in checks.values()} == {"passed"}, complaints([*checks.values()])
    facts = checks["weights are those of the run"].facts
    assert facts["exact"] == facts["tensors"] > 10


def test_quantising_is_stated_with_its_cost(made: Callable[[str], Files]) -> None:
    files = made("llama")
    checks = weights(files.prove(files.write("q8_0"), "q8_0"))
    read = checks["held-out rows in the shipped type"]
    assert read.status == checks["greedy answers in float32"].status == "stated"
    assert "perplexity" in read.summary
    assert 0 < read.facts["divergence"] < read.facts["divergence limit"]
    low, high = read.facts["perplexity change interval"]
    assert low <= read.facts["perplexity change"] <= high
    assert checks["weights are those of the run"].status == "passed"
    assert checks["weights are those of the run"].facts["relative error"] == pytest.approx(
        0.005, 0.2
    )


def edit(file: Path, tensor: str, change: Callable[[Any], Any]) -> None:
    """Change the values of a tensor in the file."""
    from gguf import GGUFReader

    reader: Any = GGUFReader(str(file), "r+")
    data = next(one.data for one in reader.tensors if one.name == tensor)
    data[:] = change(np.array(data))
    reader.data.flush()


def unpermute(rows: Any) -> Any:
    """Four heads of Q as transformers has them."""
    return rows.reshape(4, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


@pytest.mark.parametrize(
    ("name", "quantization", "tensor", "change", "sentence"),
    [
        ("llama", "f32", "blk.1.attn_q.weight", unpermute, "layers.1.self_attn.q_proj.weight"),
        ("gemma", "f32", "blk.0.attn_norm.weight", lambda one: one - 1, "input_layernorm.weight"),
        ("qwen2", "f32", "token_embd.weight", lambda one: one[::-1], "embed_tokens.weight"),
        ("llama", "q8_0", "blk.0.ffn_down.weight", lambda one: one[::-1], "mlp.down_proj.weight"),
    ],
    ids=["heads not permuted", "norm offset forgotten", "order of embeddings", "spoiled q8_0"],
)
def test_a_spoiled_tensor_is_named(
    made: Callable[[str], Files],
    name: str,
    quantization: str,
    tensor: str,
    change: Callable[[Any], Any],
    sentence: str,
) -> None:
    files = made(name)
    file = files.write(quantization, "spoiled")
    edit(file, tensor, change)
    checks = weights(files.prove(file, quantization))
    assert sentence in complaints([checks["weights are those of the run"]])
    assert checks["held-out rows in the shipped type"].status == "failed"


def test_a_wrong_size_in_the_header_is_named(made: Callable[[str], Files]) -> None:
    files = made("llama")
    right = json.loads((files.merged / "config.json").read_text())
    file = files.write("f32", "header")
    config = files.merged / "config.json"
    config.write_text(json.dumps(right | {"rms_norm_eps": 0.01, "max_position_embeddings": 64}))
    try:
        found = complaints([weights(files.prove(file, "f32"))["opens in transformers"]])
    finally:
        config.write_text(json.dumps(right))
    assert "rms_norm_eps is 1e-06, and 0.01 in config.json" in found
    assert "max_position_embeddings is 256, and 64" in found


@pytest.mark.parametrize(
    ("name", "key", "value", "sentence"),
    [
        ("gemma2", "final_logit_softcapping", 1.0, "final_logit_softcapping is 1.0, and 30.0"),
        ("mistral", "attention.sliding_window", 0, "the window of layer 0 is None, and 8"),
        ("llama", "rope.freq_base", 100.0, "RoPE's inv_freq are others than those of config.json"),
    ],
    ids=["soft cap", "window dropped", "RoPE"],
)
def test_a_wrong_key_of_the_header_changes_the_answers(
    made: Callable[[str], Files],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    key: str,
    value: float,
    sentence: str,
) -> None:
    """What is opened is the file as its header says, and not the folder that it was made of."""
    files = made(name)
    monkeypatch.setattr(write, "describe", lambda *given: describe(*given) | {key: value})
    checks = weights(files.prove(files.write("f32", "key"), "f32"))
    assert sentence in complaints([checks["opens in transformers"]])
    assert checks["held-out rows in the shipped type"].status == "failed"
