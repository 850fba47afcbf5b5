"""Files of every family run as the checkpoint does: in transformers, and in llama.cpp itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3TextConfig, GPT2Config

from engine.checkpoints.gguf_header import read_gguf_header
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.release.gguf_targets import MODEL_TYPES
from engine.release.source import ExportSource
from engine.worker.release.gguf.demands import DEMANDS
from engine.worker.release.gguf.families import FAMILIES
from engine.worker.release.gguf.metadata_check import check_metadata
from engine.worker.release.proving.open_shipped import open_shipped
from tests.worker.release.gguf.tiny_models import (
    GEMMA,
    SIZE,
    YARN,
    configs,
    rope,
    save_model,
    write_file,
)
from tests.worker.release.llamacpp import open_gguf
from tests.worker.release.made_exports import spec_of
from tests.worker.tiny import make_tokenizer

NAMES = tuple(configs())
PROMPT = [(17 * i + 11) % 290 + 10 for i in range(40)]
EXACT, GELU = 1e-4, 1e-2
"""Nats. llama.cpp looks GELU up in a table of float16, which costs Gemma 0.003."""


@dataclass(frozen=True, slots=True)
class Made:
    checkpoint: Path
    file: Path


@pytest.fixture(scope="module", params=NAMES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp(request.param)
    checkpoint = save_model(configs()[request.param], folder / "model")
    return Made(checkpoint, write_file(checkpoint))


def log_probabilities(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), -1)


def test_a_file_says_what_its_config_demands(made: Made) -> None:
    check = check_metadata(made.checkpoint, made.file)
    assert check.status == "passed", check.differences
    assert check.facts["file_type"] == "f32"


def test_a_file_gives_the_logits_of_its_checkpoint(made: Made, source: ExportSource) -> None:
    """In transformers, and in llama.cpp: after one token, and after more than a window holds."""
    model = AutoModelForCausalLM.from_pretrained(made.checkpoint)
    expected = log_probabilities(model, PROMPT)
    spec = spec_of(source, made.file, "gguf", checkpoint=made.checkpoint)
    opened = log_probabilities(open_shipped(spec, torch.float32), PROMPT)
    assert torch.allclose(opened, expected, atol=1e-5)

    # The next token is forced to one of plain text: of others the server holds the numbers back.
    plain = make_tokenizer().convert_tokens_to_ids("a")
    with open_gguf(made.file, context=256) as llama:
        for count in (1, len(PROMPT)):
            answer = llama.complete(PROMPT[:count], 1, top=SIZE["vocab_size"], biases={plain: 1e4})
            got = torch.tensor([answer.top[0][token] for token in range(SIZE["vocab_size"])])
            allowed = GELU if "gemma" in made.checkpoint.parent.name else EXACT
            assert (got - expected[count - 1]).abs().max() < allowed


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ExportSource:
    """What a spec wants besides; nothing of it is opened."""
    nowhere = tmp_path_factory.mktemp("run")
    return ExportSource(
        Arm("tuned", "run"), nowhere, None, nowhere, nowhere, None, nowhere, None, (), None, "none"
    )


def test_long_factors_of_phi_apply_beyond_the_original_context(tmp_path: Path) -> None:
    checkpoint = save_model(configs()["phi3-long"], tmp_path / "model")
    file = write_file(checkpoint)
    ids = [(17 * i + 11) % 290 + 10 for i in range(300)]
    expected = log_probabilities(AutoModelForCausalLM.from_pretrained(checkpoint), ids)[-1]
    plain = make_tokenizer().convert_tokens_to_ids("a")
    with open_gguf(file, context=512) as llama:
        answer = llama.complete(ids, 1, top=SIZE["vocab_size"], biases={plain: 1e4})
    got = torch.tensor([answer.top[0][token] for token in range(SIZE["vocab_size"])])
    assert (got - expected).abs().max() < EXACT
    assert "-c 256" in check_metadata(checkpoint, file).summary


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("gemma", {"tie_word_embeddings": False}, "reads only the embedding"),
        ("gemma2", {"attn_logit_softcapping": None}, "soft cap"),
        ("gemma2", {"query_pre_attn_scalar": 16}, "scaled by 16"),
        ("gemma2", {"layer_types": ["full_attention"] * 2}, "no sliding layer"),
        ("gemma3", {"attn_logit_softcapping": 5.0}, "capped at 5.0"),
        ("gemma3", {"use_bidirectional_attention": True}, "bidirectional"),
        ("llama", {"hidden_act": "relu"}, "relu"),
        ("llama", {"rope_parameters": rope("dynamic", 1e4, factor=2.0)}, "dynamic"),
        ("qwen3", {"rope_parameters": {**YARN, "beta_fast": 16}}, "bounds"),
        ("qwen2", {"num_attention_heads": 8, "head_dim": 16}, "8 heads of 16"),
    ],
)
def test_a_model_that_llamacpp_would_run_otherwise_is_refused(
    name: str, changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    config: Any = configs()[name]
    for key, value in changes.items():
        setattr(config, key, value)
    checkpoint = save_model(config, tmp_path / "model")
    with pytest.raises(EngineError, match="cannot run this") as refused:
        write_file(checkpoint)
    assert reason in refused.value.detail
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_other_families_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FINETOP_LLAMACPP", raising=False)
    config = GPT2Config(vocab_size=320, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    checkpoint = save_model(config, tmp_path / "model")
    with pytest.raises(EngineError, match="No GGUF mapping for the model type gpt2") as refused:
        write_file(checkpoint)
    assert "FINETOP_LLAMACPP" in refused.value.hint


def test_windows_that_llamacpp_does_not_apply_are_told(tmp_path: Path) -> None:
    config: Any = configs()["mistral"]
    config.sliding_window = 32
    checkpoint = save_model(config, tmp_path / "model")
    check = check_metadata(checkpoint, write_file(checkpoint))
    assert check.status == "passed"
    assert "beyond 32 tokens" in check.summary


def test_layers_without_a_window_are_written_so(tmp_path: Path) -> None:
    config = Gemma3TextConfig(**GEMMA, layer_types=["full_attention"] * 2)
    checkpoint = save_model(config, tmp_path / "model")
    file = write_file(checkpoint)
    assert check_metadata(checkpoint, file).status == "passed"
    assert read_gguf_header(file).values["gemma3.attention.sliding_window"] == 0
    with open_gguf(file) as llama:  # llama.cpp ends the process where a window has no layers
        assert llama.complete([40], 1).tokens


def test_every_family_is_known_in_all_tables() -> None:
    assert set(MODEL_TYPES) == FAMILIES.keys() == DEMANDS.keys()
    assert {config.model_type for config in configs().values()} == set(MODEL_TYPES)
