"""Tiny random models of the families that people train, each with the tiny tokenizer."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PhiConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from tests.worker.tiny import make_tokenizer

SIZE: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
}
NARROW: dict[str, Any] = {"sliding_window": 8}
"""A window that is shorter than the rows."""


def configs() -> dict[str, PreTrainedConfig]:
    """A config a family, by the family's name."""
    return {
        "gpt2": GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=4, n_positions=256,
                           initializer_range=0.2),
        "llama": LlamaConfig(**SIZE),
        "mistral": MistralConfig(**SIZE, **NARROW),
        "qwen2": Qwen2Config(**SIZE, tie_word_embeddings=True),
        "qwen3": Qwen3Config(**SIZE, head_dim=8),
        "gemma": GemmaConfig(**SIZE, head_dim=8),
        "gemma2": Gemma2Config(**SIZE, head_dim=8, **NARROW),
        "gemma3": Gemma3TextConfig(**SIZE, head_dim=8, **NARROW),
        "phi": PhiConfig(**SIZE),
        "phi3": Phi3Config(**SIZE, pad_token_id=2),
    }  # fmt: skip


def save_family(name: str, path: Path, seed: int = 0) -> Path:
    """A checkpoint directory with a random model of the family and the tokenizer."""
    from transformers import AutoModelForCausalLM

    tokenizer = make_tokenizer()
    config: Any = configs()[name]
    config.bos_token_id, config.pad_token_id = None, tokenizer.pad_token_id
    config.eos_token_id = tokenizer.eos_token_id
    torch.manual_seed(seed)
    make: Any = AutoModelForCausalLM.from_config
    make(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
