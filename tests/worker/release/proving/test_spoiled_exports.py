"""Whole exports that are spoiled in one way each: the proof fails, by the check that is for it.

A tiny model is trained for a few steps, and exported and proven by the job. Each case spoils a copy
of what was published, or has it written by a writer with one fault, and asks what the job asked.
CASES is the list of what is caught, and by which check. That nothing fails which is not spoiled is
counted over twenty models of all families.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gguf import TokenType

from engine.release.proof import Check
from engine.worker.release.gguf.families import TensorPlan
from engine.worker.release.gguf.metadata_check import NAME as METADATA
from engine.worker.release.gguf.vocabulary import GgufVocabulary
from engine.worker.release.ollama.ollama_files import READ as MODELFILE
from engine.worker.release.proving.answer_checks import GREEDY, LONG
from engine.worker.release.proving.answer_checks import READ as ROWS
from engine.worker.release.proving.end_checks import ENDS, OLLAMA_ENDS
from engine.worker.release.proving.file_checks import FILES
from engine.worker.release.proving.open_shipped import OPENED
from engine.worker.release.proving.text_checks import PROMPTS
from engine.worker.release.proving.token_checks import IDS, PRE, TYPES
from engine.worker.release.proving.weight_checks import DIFFER, SAME
from tests.worker.release.whole_exports import (
    FAMILIES,
    THINK,
    ExportCopy,
    Tensors,
    WholeExport,
    export_run,
)

Spoil = Callable[[ExportCopy], None]
Q = "model.layers.1.self_attn.q_proj"
DOWN = "model.layers.0.mlp.down_proj.weight"
NORM = "model.layers.0.input_layernorm.weight"
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
EXPORTS: dict[str, dict[str, Any]] = {
    # Scaled RoPE, biases, a head of its own that was trained whole, byte-level BPE.
    "llama": {"targets": ["adapter", "merged", "gguf:f32"], "modules_to_save": ["lm_head"]},
    # Soft caps, a window, norms with an offset, a tied head, SentencePiece.
    "gemma2": {"targets": ["merged", "gguf:q8_0"], "pieces": True},
    # LongRoPE; fused tensors.
    "phi3-long": {"targets": ["merged", "gguf:f32"]},
}


@dataclass(frozen=True)
class Case:
    """One way of spoiling an export, and the check that must fail."""

    kind: str
    export: str
    target: str
    spoil: Spoil
    check: str
    shows: str
    """In the first differences of that check."""


def tensors(change: Callable[[Tensors], None]) -> Spoil:
    return lambda copy: copy.edit_tensors(change)


def from_base(name: str) -> Spoil:
    def spoil(copy: ExportCopy) -> None:
        copy.edit_tensors(lambda held: held.update({name: copy.base_tensor(name)}))

    return spoil


def settings(file: str, **changes: Any) -> Spoil:
    return lambda copy: copy.edit_json(file, lambda body: body.update(changes))


def keys(**changes: Any) -> Spoil:
    """Of the architecture, in the header of a GGUF file; None: the key is left out."""

    def change(right: dict[str, Any]) -> dict[str, Any]:
        named = {key.replace("__", "."): value for key, value in changes.items()}
        assert named.keys() <= right.keys()
        return {key: value for key, value in (right | named).items() if value is not None}

    return lambda copy: copy.write_gguf("describe", change)


def vocabulary(change: Callable[[GgufVocabulary], dict[str, Any]]) -> Spoil:
    return lambda copy: copy.write_gguf(
        vocabulary=lambda right: dataclasses.replace(right, **change(right))
    )


def plans(change: Callable[[list[TensorPlan]], list[TensorPlan]]) -> Spoil:
    return lambda copy: copy.write_gguf("plan_tensors", lambda right: change(list(right)))


def template(old: str, new: str) -> Spoil:
    return lambda copy: copy.edit_text("chat_template.jinja", old, new)


def modelfile(old: str, new: str) -> Spoil:
    return lambda copy: copy.edit_text("Modelfile", old, new)


def flip(name: str, source: str = "") -> Spoil:
    return tensors(lambda held: held.update({name: held[source or name].flip(0)}))


def set_type(right: GgufVocabulary, text: str, kind: TokenType) -> dict[str, Any]:
    at = right.tokens.index(text)
    types = [*right.token_types]
    types[at] = int(kind)
    return {"token_types": tuple(types)}


def swap_scores(right: GgufVocabulary) -> dict[str, Any]:
    """Of the pieces that are joined first and last."""
    scores = list(right.scores)
    joined = [at for at, score in enumerate(scores) if -1e6 < score < 0]
    for one, other in zip(joined[:60], reversed(joined[-60:]), strict=True):
        scores[one], scores[other] = scores[other], scores[one]
    return {"scores": tuple(scores)}


def drop_word(body: Any) -> None:
    body["added_tokens"] = [one for one in body["added_tokens"] if one["content"] != THINK]


def reverse_merges(body: Any) -> None:
    body["model"]["merges"][:40] = reversed(body["model"]["merges"][:40])


def unpermute(rows: Any) -> Any:
    """Four heads of Q as transformers has them."""
    return rows.reshape(4, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def cut_rank(copy: ExportCopy) -> None:
    def cut(held: Tensors) -> None:
        for name, one in held.items():
            if "lora_A" in name:
                held[name] = one[:2]
            if "lora_B" in name:
                held[name] = one[:, :2]

    copy.edit_tensors(cut, "adapter_model.safetensors")
    copy.edit_json(
        "adapter_config.json", lambda body: body.update(r=2, lora_alpha=body["lora_alpha"] / 2)
    )


def forget_module(copy: ExportCopy) -> None:
    def drop(held: Tensors) -> None:
        for name in [name for name in held if "lm_head" in name]:
            del held[name]

    copy.edit_tensors(drop, "adapter_model.safetensors")
    copy.edit_json("adapter_config.json", lambda body: body.update(modules_to_save=None))


def merge_doubled(copy: ExportCopy) -> None:
    """As a merge with twice the adapter's scale would have it."""

    def double(held: Tensors) -> None:
        held[DOWN] = 2 * held[DOWN] - copy.base_tensor(DOWN)

    copy.edit_tensors(double)


def overflow(copy: ExportCopy) -> None:
    def store(held: Tensors) -> None:
        held[DOWN] = held[DOWN] * 1e6
        held.update({name: one.half() for name, one in held.items()})

    copy.edit_tensors(store)
    copy.edit_json("config.json", lambda body: body.update(dtype="float16"))


def write_other_head(copy: ExportCopy) -> None:
    copy.edit_tensors(lambda held: held.update({HEAD: held[EMBEDDING].flip(0)}))


def drop(name: str) -> Spoil:
    def spoil(held: Tensors) -> None:
        del held[name]

    return tensors(spoil)


def swap_factors(factors: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(factors, reversed(factors.values()), strict=True))


LLAMA, GEMMA, PHI = "llama", "gemma2", "phi3-long"
F32, Q8 = "gguf:f32", "gguf:q8_0"
BOS = "{{ bos_token }}"
CASES = [
    Case("a tensor of the base is left", LLAMA, "merged", from_base(DOWN), DIFFER, DOWN),
    Case("modules_to_save are forgotten", LLAMA, "merged", from_base(HEAD), DIFFER, HEAD),
    Case("modules_to_save are forgotten", LLAMA, "adapter", forget_module, SAME, "lm_head"),
    Case("the adapter's scale is doubled", LLAMA, "adapter",
         settings("adapter_config.json", lora_alpha=16), FILES, "lora_alpha is 16"),
    Case("the adapter's scale is doubled", LLAMA, "merged", merge_doubled, SAME, DOWN),
    Case("the rank is truncated", LLAMA, "adapter", cut_rank, SAME, "lora_A.weight differs"),
    Case("the order of embeddings", LLAMA, "merged", flip(EMBEDDING), DIFFER, EMBEDDING),
    Case("the order of embeddings", GEMMA, Q8,
         lambda copy: copy.edit_values("token_embd.weight", lambda one: one[::-1]), SAME,
         EMBEDDING),
    Case("a tied head of another tensor", GEMMA, "merged", write_other_head, SAME, HEAD),
    Case("a tied head of another tensor", GEMMA, Q8,
         plans(lambda right: [*right, TensorPlan("output.weight", EMBEDDING)]), METADATA,
         "output.weight is unknown"),
    Case("a bias is dropped", LLAMA, "merged", drop(f"{Q}.bias"), SAME,
         f"{Q}.bias is missing"),
    Case("a bias is dropped", LLAMA, F32,
         plans(lambda right: [one for one in right if one.name != "blk.1.attn_q.bias"]), METADATA,
         "blk.1.attn_q.bias is missing"),
    Case("weights overflow in float16", LLAMA, "merged", overflow, SAME, DOWN),
    Case("heads are not permuted back", LLAMA, F32,
         lambda copy: copy.edit_values("blk.1.attn_q.weight", unpermute), SAME, f"{Q}.weight"),
    Case("Gemma's norms lack the offset", GEMMA, Q8,
         lambda copy: copy.edit_values("blk.0.attn_norm.weight", lambda one: one - 1), SAME, NORM),
    Case("a soft cap is dropped", GEMMA, Q8, keys(final_logit_softcapping=None), METADATA,
         "llama.cpp would take 30.0"),
    Case("a soft cap is dropped", GEMMA, "merged",
         settings("config.json", attn_logit_softcapping=None), OPENED, "attn_logit_softcapping"),
    Case("the sliding window is dropped", GEMMA, Q8, keys(attention__sliding_window=None), METADATA,
         "attends to 4096, 8 is demanded"),
    Case("the sliding window is dropped", GEMMA, "merged",
         settings("config.json", sliding_window=200), LONG, "beyond it, mean KL"),
    Case("wrong factors of RoPE", LLAMA, F32,
         lambda copy: copy.write_gguf("rope_tensors", lambda right: {
             name: one * 0 + 1 for name, one in right.items()}), METADATA, "other factors"),
    Case("wrong factors of RoPE", PHI, F32,
         lambda copy: copy.write_gguf("rope_tensors", swap_factors), LONG, "beyond it, mean KL"),
    Case("a wrong context", LLAMA, F32, keys(context_length=128), METADATA, "256 is demanded"),
    Case("a wrong context", LLAMA, F32, modelfile("num_ctx 256", "num_ctx 4096"), OLLAMA_ENDS,
         "num_ctx is '4096', the model's is 256"),
    Case("a wrong context", PHI, F32, modelfile("num_ctx 64", "num_ctx 256"), OLLAMA_ENDS,
         "num_ctx is '256', the model's is 64"),
    Case("a wrong template", LLAMA, "merged", template("assistant\\n", "assistant"), PROMPTS,
         "run"),
    Case("a wrong template", LLAMA, F32,
         vocabulary(lambda right: {"chat_template": right.chat_template.replace(
             "message.role", "'human'")}), PROMPTS, "human"),
    Case("a wrong template", LLAMA, F32, modelfile("|>user", "|>human"), MODELFILE, "human"),
    Case("another system prompt", LLAMA, "merged", template(BOS, BOS + "You are a pirate. "),
         PROMPTS, "You are a pirate"),
    Case("another system prompt", LLAMA, F32,
         modelfile("PARAMETER num_ctx", "SYSTEM You are a pirate.\nPARAMETER num_ctx"), MODELFILE,
         "You are a pirate"),
    Case("a doubled BOS", LLAMA, "merged", template(BOS, BOS + "<s>"), PROMPTS, "<s><s>"),
    Case("a doubled BOS", GEMMA, Q8,
         vocabulary(lambda right: {"chat_template": right.chat_template.replace(
             BOS, BOS + "<s>")}), PROMPTS, "<s><s>"),
    Case("a missing stop token", LLAMA, "merged",
         lambda copy: copy.edit_json(
             "generation_config.json", lambda body: body["eos_token_id"].pop()), ENDS, THINK),
    Case("a missing stop token", LLAMA, F32, vocabulary(lambda right: {"eot": None}), ENDS, THINK),
    Case("a missing stop token", LLAMA, F32, modelfile(f'PARAMETER stop "{THINK}"\n', ""),
         OLLAMA_ENDS, f"stop '{THINK}' is missing"),
    Case("a wrong pre-tokenizer", LLAMA, F32, vocabulary(lambda right: {"pre": "llama-bpe"}), PRE,
         "needs 'qwen2'"),
    Case("swapped merges", LLAMA, "merged",
         lambda copy: copy.edit_json("tokenizer.json", reverse_merges), IDS, "run "),
    Case("swapped merges", GEMMA, Q8, vocabulary(swap_scores), IDS, "run "),
    Case("a wrong type of a token", LLAMA, F32,
         vocabulary(lambda right: set_type(right, "<|im_start|>", TokenType.NORMAL)), TYPES,
         "is normal, not control"),
    Case("an added token is missing", LLAMA, "merged",
         lambda copy: copy.edit_json("tokenizer.json", drop_word), IDS, "think"),
    Case("an added token is missing", LLAMA, F32,
         vocabulary(lambda right: {"tokens": tuple(
             "[PAD7]" if one == THINK else one for one in right.tokens)}), TYPES, THINK),
]  # fmt: skip
KINDS = {case.kind for case in CASES}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], WholeExport]:
    made: dict[str, WholeExport] = {}

    def find(name: str) -> WholeExport:
        if name not in made:
            made[name] = export_run(tmp_path_factory.mktemp(name), name, **EXPORTS[name])
        return made[name]

    return find


def failures(checks: list[Check]) -> dict[str, str]:
    return {
        one.name: "\n".join(one.differences) or one.summary
        for one in checks
        if one.status == "failed"
    }


@pytest.mark.parametrize("case", CASES, ids=[f"{one.kind}: {one.target}" for one in CASES])
def test_each_spoiled_export_is_caught(
    exports: Callable[[str], WholeExport], tmp_path: Path, case: Case
) -> None:
    copy = exports(case.export).copy(case.target, tmp_path)
    case.spoil(copy)
    found = failures(copy.prove())
    assert case.shows in found[case.check]


def test_all_kinds_are_in_the_list() -> None:
    """Those that public exports break by."""
    assert len(KINDS) == 22


@pytest.mark.parametrize("name", EXPORTS)
def test_a_copy_that_is_not_spoiled_passes_again(
    exports: Callable[[str], WholeExport], tmp_path: Path, name: str
) -> None:
    """What fails a case is its spoiling, and not that it was copied or written once more."""
    target = EXPORTS[name]["targets"][-1]
    copy = exports(name).copy(target, tmp_path)
    before = copy.spec.shipped.read_bytes()
    copy.write_gguf()
    assert copy.spec.shipped.read_bytes() == before
    checks = {one.name: one for one in copy.prove()}
    assert not failures([*checks.values()])
    if target == Q8:
        assert checks[ROWS].status == checks[GREEDY].status == "stated"
        assert 0 < checks[ROWS].facts["divergence"] < checks[ROWS].facts["divergence limit"]
    if name == PHI:
        assert "num_ctx 64\n" in (copy.folder / "Modelfile").read_text()
        assert "beyond it" in checks[LONG].summary


@pytest.mark.parametrize("seed", range(20))
def test_no_export_fails_that_is_not_spoiled(tmp_path: Path, seed: int) -> None:
    """Whatever the seed, family, type and tokenizer: a failed check would have ended the job."""
    family = [*FAMILIES][seed % len(FAMILIES)]
    dtype, own = (("bfloat16", "bf16"), ("float32", "f32"), ("float16", "f16"))[seed % 3]
    targets = ["merged", Q8 if seed % 2 else f"gguf:{own}"]
    found = export_run(tmp_path, family, targets, seed=seed, dtype=dtype, pieces=seed % 4 == 1)
    assert [*found.checks] == targets
    assert not failures([one for checks in found.checks.values() for one in checks])
