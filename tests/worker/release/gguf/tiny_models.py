"""Tiny random models of every family that has a GGUF mapping, and of its forks: tied and own heads,
biases, grouped heads, wide heads, scaled RoPE, windows, soft caps."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
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

from engine.worker.release.gguf import write
from tests.worker.tiny import make_tokenizer

ENDS = (1,)
"""Ids of the tiny tokenizer that end an answer."""
SIZE: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
}
WIDE: dict[str, Any] = {"head_dim": 32}
GEMMA: dict[str, Any] = {**SIZE, **WIDE, "query_pre_attn_scalar": 32, "sliding_window": 8}


def rope(kind: str, theta: float, **settings: Any) -> dict[str, Any]:
    return {"rope_type": kind, "rope_theta": theta, **settings}


LLAMA3 = rope("llama3", 5e5, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)  # fmt: skip
YARN = rope("yarn", 1e6, factor=4.0, original_max_position_embeddings=128)
LONG = rope("longrope", 1e4, long_factor=[1.0 + i for i in range(8)],
            short_factor=[1.0 + i / 10 for i in range(8)])  # fmt: skip
LOCAL = {"full_attention": rope("linear", 1e6, factor=8.0),
         "sliding_attention": rope("default", 1e4)}  # fmt: skip


def configs() -> dict[str, PreTrainedConfig]:
    """By name; all use the tiny tokenizer."""
    return {
        "llama": LlamaConfig(**SIZE, **WIDE, rope_parameters=LLAMA3),
        "llama-biased": LlamaConfig(**SIZE, attention_bias=True, mlp_bias=True,
                                    tie_word_embeddings=True),
        "mistral": MistralConfig(**SIZE, **WIDE, sliding_window=600),  # beyond all prompts
        "qwen2": Qwen2Config(**SIZE, tie_word_embeddings=True,
                             rope_parameters=rope("linear", 1e4, factor=4.0)),
        "qwen3": Qwen3Config(**SIZE, **WIDE, rope_parameters={**YARN, "attention_factor": 1.5}),
        "gemma": GemmaConfig(**SIZE, **WIDE, rope_parameters=rope("default", 5e3)),
        "gemma2": Gemma2Config(**GEMMA, attn_logit_softcapping=3.0, final_logit_softcapping=2.0),
        "gemma3": Gemma3TextConfig(**(GEMMA | {"num_hidden_layers": 7}), rope_parameters=LOCAL),
        "gemma3-untied": Gemma3TextConfig(
            **GEMMA, layer_types=["full_attention", "sliding_attention"],
            tie_word_embeddings=False, final_logit_softcapping=4.0),
        "phi3": Phi3Config(**SIZE, pad_token_id=2, sliding_window=64, tie_word_embeddings=True,
                           rope_parameters=rope("default", 1e4, partial_rotary_factor=0.5)),
        "phi3-long": Phi3Config(**SIZE, pad_token_id=2, rope_parameters=LONG,
                                original_max_position_embeddings=256),
    }  # fmt: skip


def save_model(config: Any, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """A checkpoint with random weights, also in norms and biases, which begin as ones and zeros."""
    from transformers import AutoModelForCausalLM

    tokenizer = make_tokenizer()
    config.bos_token_id, config.pad_token_id = None, tokenizer.pad_token_id
    config.eos_token_id = tokenizer.eos_token_id
    torch.manual_seed(0)
    make: Any = AutoModelForCausalLM.from_config
    model = make(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_file(checkpoint: Path, quantization: str = "", name: str = "model") -> Path:
    """Its GGUF file, beside its folder."""
    file = checkpoint.parent / write.name_gguf(name, quantization, checkpoint)
    write.write_gguf(checkpoint, file, quantization, ENDS, lambda done, total: None)
    return file
