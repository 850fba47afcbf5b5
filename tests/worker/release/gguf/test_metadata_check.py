"""A file that says something else than config.json demands is caught, whatever it is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import EngineError
from engine.release.proof import Check
from engine.worker.release.gguf import write
from engine.worker.release.gguf.encode import FILE_TYPES
from engine.worker.release.gguf.families import TensorPlan
from engine.worker.release.gguf.metadata_check import check_metadata
from tests.worker.release.gguf.tiny_models import configs, save_model, write_file


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def find(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name) / "model"
            made[name] = save_model(configs()[name], folder)
        return made[name]

    return find


def spoil(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Path, part: str, change: Callable[[Any], Any]
) -> Check:
    """The check of a file whose writer has one part replaced by what `change` makes of it."""
    right = getattr(write, part)
    monkeypatch.setattr(write, part, lambda *given: change(right(*given)))
    return check_metadata(checkpoint, write_file(checkpoint))


SPOILED_KEYS = [
    ("gemma2", "attn_logit_softcapping", None, "llama.cpp would take 50.0"),
    ("gemma2", "final_logit_softcapping", None, "llama.cpp would take 30.0"),
    ("gemma2", "final_logit_softcapping", 30.0, "2.0 is demanded"),
    ("gemma2", "attention.sliding_window", None, "attends to 4096, 8 is demanded"),
    ("gemma3", "attention.sliding_window", None, "attends to everything, 8 is demanded"),
    ("gemma3", "attention.sliding_window", 16, "attends to 16, 8 is demanded"),
    ("gemma3-untied", "attention.sliding_window_pattern", None, "layer 0 attends to 8"),
    ("gemma3", "rope.freq_base_swa", 1e6, "10000.0 is demanded"),
    ("gemma3", "rope.freq_base_swa", None, "is missing"),
    ("gemma3", "attn_logit_softcapping", 50.0, "demands none"),
    ("gemma", "rope.freq_base", None, "5000.0 is demanded"),
    ("gemma", "attention.key_length", 16, "32 is demanded"),
    ("llama", "rope.freq_base", 1e4, "500000.0 is demanded"),
    ("llama", "rope.dimension_count", 16, "32 is demanded"),
    ("llama", "context_length", 128, "512 is demanded"),
    ("llama", "attention.head_count_kv", 4, "2 is demanded"),
    ("llama", "attention.head_count", 2, "4 is demanded"),
    ("llama", "attention.layer_norm_rms_epsilon", 1e-5, "1e-06 is demanded"),
    ("llama", "logit_scale", 0.5, "logit_scale is unknown to this model"),
    ("gemma2", "attention.clamp_kqv", 0.5, "clamp_kqv is unknown to this model"),
    ("llama", "block_count", 1, "2 is demanded"),
    ("llama", "vocab_size", 300, "320 is demanded"),
    ("qwen2", "rope.scaling.factor", 8.0, "4.0 is demanded"),
    ("qwen2", "rope.scaling.type", "yarn", "'linear' is demanded"),
    ("qwen2", "rope.scaling.type", None, "is missing"),
    ("qwen3", "rope.scaling.original_context_length", 256, "128 is demanded"),
    ("qwen3", "rope.scaling.attn_factor", None, "is missing"),
    ("phi3", "attention.sliding_window", 0, "64 is demanded"),
    ("mistral", "attention.sliding_window", None, "attends to everything, 600 is demanded"),
    ("phi3-long", "rope.scaling.attn_factor", 1.0, "is demanded"),
]


@pytest.mark.parametrize(
    ("name", "key", "value", "telling"), SPOILED_KEYS, ids=[f"{n}-{k}" for n, k, *_ in SPOILED_KEYS]
)
def test_a_wrong_key_is_caught(
    name: str,
    key: str,
    value: Any,
    telling: str,
    checkpoints: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def change(keys: dict[str, Any]) -> dict[str, Any]:
        rest = {other: held for other, held in keys.items() if other != key}
        return rest if value is None else rest | {key: value}

    check = spoil(monkeypatch, checkpoints(name), "describe", change)
    assert check.status == "failed"
    assert len(check.differences) == 1
    assert key.split("_pattern")[0] in check.differences[0]
    assert telling in check.differences[0]


def drop(*suffixes: str) -> Callable[[Sequence[TensorPlan]], list[TensorPlan]]:
    return lambda plans: [one for one in plans if not one.name.endswith(suffixes)]


def add_head(plans: Sequence[TensorPlan]) -> list[TensorPlan]:
    return [*plans, TensorPlan("output.weight", plans[0].source)]


@pytest.mark.parametrize(
    ("name", "change", "telling"),
    [
        ("llama-biased", drop("attn_q.bias"), "blk.0.attn_q.bias is missing"),
        ("qwen2", drop("attn_v.bias"), "blk.1.attn_v.bias is missing"),
        ("qwen3", drop("attn_q_norm.weight"), "attn_q_norm.weight is missing"),
        ("llama", drop("output.weight"), "output.weight is missing"),
        ("qwen2", add_head, "output.weight is unknown to this model"),
    ],
)
def test_a_missing_or_foreign_tensor_is_caught(
    name: str,
    change: Callable[[Any], Any],
    telling: str,
    checkpoints: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check = spoil(monkeypatch, checkpoints(name), "plan_tensors", change)
    assert check.status == "failed"
    assert any(telling in line for line in check.differences), check.differences


@pytest.mark.parametrize(
    ("name", "change", "telling"),
    [
        ("llama", lambda factors: {}, "rope_freqs.weight is missing"),
        ("llama", lambda factors: {k: np.ones_like(v) for k, v in factors.items()}, "factors"),
        ("llama", lambda factors: {k: v[:4] for k, v in factors.items()}, "shape"),
        (
            "phi3-long",
            lambda factors: dict(zip(factors, reversed(factors.values()), strict=True)),
            "rope_factors_long.weight holds other factors",
        ),
    ],
)
def test_wrong_factors_of_rope_are_caught(
    name: str,
    change: Callable[[Any], Any],
    telling: str,
    checkpoints: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check = spoil(monkeypatch, checkpoints(name), "rope_tensors", change)
    assert check.status == "failed"
    assert any(telling in line for line in check.differences), check.differences


def test_a_wrong_file_type_is_caught(
    checkpoints: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FILE_TYPES, "f32", FILE_TYPES["bf16"])
    check = check_metadata(checkpoints("qwen3"), write_file(checkpoints("qwen3")))
    assert check.differences == ("general.file_type is bf16, and weights are f32",)


def test_another_familys_file_is_caught(checkpoints: Callable[[str], Path]) -> None:
    file = write_file(checkpoints("qwen2"))
    check = check_metadata(checkpoints("qwen3"), file)
    assert check.status == "failed"
    assert "general.architecture is 'qwen2', 'qwen3' is demanded" in check.differences


def test_a_file_that_is_none_is_an_error(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF" + bytes(20))
    with pytest.raises(EngineError, match=r"model\.gguf"):
        check_metadata(checkpoints("qwen3"), file)


def test_a_family_without_a_table_is_not_proven(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    from transformers import GPT2Config

    config = GPT2Config(vocab_size=320, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    config.save_pretrained(tmp_path)
    check = check_metadata(tmp_path, write_file(checkpoints("qwen3")))
    assert check.status == "not proven"
