"""GGUF files as models: every mapped family reads as what it was written from, or is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from engine.checkpoints.gguf_header import read_gguf_header
from engine.errors import EngineError
from engine.worker.model.gguf_model import load_gguf, load_gguf_tokenizer
from tests.worker.families import NARROW, SIZE
from tests.worker.gguf_files import write_gguf_file
from tests.worker.tiny import make_tokenizer

CPU = torch.device("cpu")
LLAMA3: dict[str, Any] = {
    "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip
LONG: dict[str, Any] = {
    "rope_type": "longrope", "rope_theta": 1e4, "long_factor": [1.5, 2.0, 3.0, 4.0],
    "short_factor": [1.0, 1.1, 1.2, 1.3], "original_max_position_embeddings": 64,
}  # fmt: skip
YARN: dict[str, Any] = {
    "rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 64
}  # fmt: skip
LINEAR: dict[str, Any] = {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}
CAPPED: dict[str, Any] = {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 1.5}


def configs() -> dict[str, PreTrainedConfig]:
    """Of each family what transformers' own loader of GGUF drops, and what it keeps."""
    return {
        "llama, scaled RoPE": LlamaConfig(**SIZE, rope_parameters=LLAMA3),
        "llama, biases, tied": LlamaConfig(
            **SIZE, attention_bias=True, mlp_bias=True, tie_word_embeddings=True
        ),
        "llama, wide heads": LlamaConfig(**SIZE, head_dim=16),
        "mistral, window": MistralConfig(**SIZE, **NARROW),
        "qwen2, YaRN": Qwen2Config(**SIZE, rope_parameters=YARN),
        "qwen3": Qwen3Config(**SIZE, head_dim=8, tie_word_embeddings=True),
        "gemma": GemmaConfig(**SIZE, head_dim=8),
        "gemma2, caps": Gemma2Config(
            **SIZE, head_dim=8, query_pre_attn_scalar=8, **NARROW, **CAPPED
        ),
        "gemma3, linear": Gemma3TextConfig(
            **SIZE | {"num_hidden_layers": 7}, head_dim=8, query_pre_attn_scalar=8, **NARROW,
            rope_parameters={
                "full_attention": LINEAR,
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        ),
        "phi3, LongRoPE": Phi3Config(
            **SIZE, pad_token_id=2, rope_parameters=LONG, original_max_position_embeddings=64
        ),
    }  # fmt: skip


def make(config: Any) -> Any:
    """A random model in which a bias, a norm or a head that is forgotten shows."""
    torch.manual_seed(3)
    config.bos_token_id, config.pad_token_id, config.eos_token_id = None, 2, 1
    build: Any = AutoModelForCausalLM.from_config
    model = build(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("bias", "norm.weight")):
                weight.add_(torch.randn_like(weight) * 0.2)
    return model


def read(model: Any, length: int = 100) -> torch.Tensor:
    """Logits of a row that is longer than windows and than an original context."""
    ids = torch.arange(length)[None] * 37 % 300
    with torch.no_grad():
        logits: torch.Tensor = model(ids).logits
    return logits


@pytest.mark.parametrize("family", configs())
def test_a_family_reads_as_it_was_written(family: str, tmp_path: Path) -> None:
    model = make(configs()[family])
    file = write_gguf_file(model, make_tokenizer(), tmp_path / "m.gguf")
    loaded = load_gguf(file, CPU, torch.float32)
    assert type(loaded) is type(model)
    torch.testing.assert_close(read(loaded), read(model), rtol=2e-4, atol=2e-4)
    assert loaded.generation_config.eos_token_id == [make_tokenizer().eos_token_id]


Change = Callable[[dict[str, Any]], None]
SPOILED: dict[str, tuple[str, dict[str, Any]]] = {
    "soft cap": ("gemma2, caps", {"final_logit_softcapping": 30.0}),
    "window": ("gemma3, linear", {"attention__sliding_window": 64}),
    "RoPE factor": ("qwen2, YaRN", {"rope__scaling__factor": 2.0}),
    "local RoPE": ("gemma3, linear", {"rope__freq_base_swa": 1e6}),
    "window dropped": ("mistral, window", {"attention__sliding_window": None}),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_header_that_says_otherwise_reads_otherwise(what: str, tmp_path: Path) -> None:
    family, keys = SPOILED[what]
    model = make(configs()[family])
    file = write_gguf_file(model, make_tokenizer(), tmp_path / "m.gguf", **keys)
    loaded = load_gguf(file, CPU, torch.float32)
    assert (read(loaded) - read(model)).abs().max() > 0.01


@pytest.fixture(scope="module")
def small() -> Any:
    return make(configs()["llama, biases, tied"])


def test_rounded_weights_are_close_and_take_the_type_that_is_asked(
    small: Any, tmp_path: Path
) -> None:
    file = write_gguf_file(small, make_tokenizer(), tmp_path / "m.gguf", "q8_0")
    assert read_gguf_header(file).common_type == "q8_0"
    loaded = load_gguf(file, CPU, torch.float32)
    distance = (read(loaded) - read(small)).abs().max()
    assert 0 < distance < 0.5
    halved = load_gguf(file, CPU, torch.bfloat16)
    assert {weight.dtype for weight in halved.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"block_count": 3}, "lacks weights: model.layers.2"),
        ({"block_count": 1}, "its tensor blk.1."),
        ({"feed_forward_length": 32}, "the shape (64, 32)"),
        ({"embedding_length": 64}, "embeddings are 32 wide"),
        ({"attention__head_count": 0}, "llama.attention.head_count is '0'"),
        ({"attention__layer_norm_rms_epsilon": None}, "lacks llama.attention.layer_norm"),
        ({"context_length": "long"}, "llama.context_length is 'long'"),
        ({"expert_count": 8}, "mixtures of experts"),
        ({"rope__freq_base": float("nan")}, "rope.freq_base is 'nan'"),
    ],
)
def test_tensors_and_header_must_be_each_others(
    small: Any, tmp_path: Path, more: dict[str, Any], reason: str
) -> None:
    file = write_gguf_file(small, make_tokenizer(), tmp_path / "m.gguf", **more)
    with pytest.raises(EngineError) as caught:
        load_gguf(file, CPU, torch.float32)
    assert reason in f"{caught.value.title} {caught.value.detail}"
    assert "m.gguf" in caught.value.title


def test_the_tokenizer_is_the_files_own(small: Any, tmp_path: Path) -> None:
    original = make_tokenizer()
    file = write_gguf_file(small, original, tmp_path / "m.gguf")
    tokenizer = load_gguf_tokenizer(file)
    text = "What emotion is in this?\n\n i miss  42 dogs <|im_end|> ä😀"
    assert tokenizer(text)["input_ids"] == original(text)["input_ids"]
    assert tokenizer.chat_template == original.chat_template
    assert tokenizer.eos_token_id == original.eos_token_id


def test_a_pre_tokenizer_that_is_not_known_is_refused(small: Any, tmp_path: Path) -> None:
    file = write_gguf_file(small, make_tokenizer(), tmp_path / "m.gguf", pre="made-up")
    with pytest.raises(EngineError, match="its pre-tokenizer 'made-up' is unknown"):
        load_gguf_tokenizer(file)
