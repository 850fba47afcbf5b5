"""Which families cannot read past their positions: each is tried as a tiny model.

The list in `engine.checkpoints.context` is also what the tensors of all families tell.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from engine.checkpoints.causal_lm_types import CLASSES, UNCACHED
from engine.checkpoints.context import TABLED, find_context_length, has_position_table

MAKE: Any = AutoModelForCausalLM.from_config
POSITIONS = 24
NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "max_target_positions")
TINY: dict[str, Any] = {
    "hidden_size": 32, "d_model": 32, "n_embd": 32, "embedding_size": 32, "word_embed_proj_dim": 32,
    "input_embedding_size": 32, "output_embedding_size": 32, "intermediate_size": 64, "dff": 64,
    "ffn_dim": 64, "decoder_ffn_dim": 64, "encoder_ffn_dim": 64, "n_inner": 64,
    "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2, "decoder_layers": 2,
    "encoder_layers": 2, "num_decoder_layers": 2, "num_encoder_layers": 2,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "decoder_attention_heads": 4,
    "encoder_attention_heads": 4, "num_decoder_attention_heads": 4, "num_heads": 4,
    "num_encoder_attention_heads": 4, "num_key_value_heads": 2, "rotary_dim": 4, "vocab_size": 100,
    "attention_types": [[["global", "local"], 1]], "is_decoder": True, "pad_token_id": 1,
    "bos_token_id": 0, "eos_token_id": 2, "default_language": "en_XX",
}  # fmt: skip
UNTABLED = ("llama", "qwen2", "gpt_neox", "phi", "bloom", "stablelm", "xglm")
"""Rotary ones, ALiBi, and one whose table grows."""
IN_TABLES_THAT_ARE_NOT_TENSORS = {"mpt"}
"""Makes its table of distances anew at each pass, no longer than its config says."""
GROWING = {"xglm"}


def make_tiny(kind: str) -> Any:
    """A model whose config has POSITIONS positions, in evaluation mode."""
    usual = CONFIG_MAPPING[kind]()
    settings = {key: value for key, value in TINY.items() if hasattr(usual, key)}
    if kind == "prophetnet":  # names its layers by part
        del settings["num_hidden_layers"]
    settings |= {name: POSITIONS for name in NAMES if hasattr(usual, name)}
    torch.manual_seed(0)
    model = MAKE(type(usual)(**settings))
    return model.eval()


def reads(model: Any, length: int) -> bool:
    ids = torch.arange(5, 5 + length).unsqueeze(0)
    options = (
        {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
    )
    try:
        with torch.no_grad():
            model(input_ids=ids, **options)
    except (IndexError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("kind", sorted(TABLED))
def test_a_table_ends_where_the_config_says(kind: str) -> None:
    model = make_tiny(kind)
    table = model.config.to_dict()
    assert has_position_table(table | {"model_type": kind})
    length = find_context_length(table)
    assert length is not None
    assert reads(model, length)
    assert not reads(model, length + 1)


@pytest.mark.parametrize("kind", UNTABLED)
def test_others_go_on(kind: str) -> None:
    model = make_tiny(kind)
    assert reads(model, POSITIONS + 9)
    assert not has_position_table(model.config.to_dict())


def test_no_other_family_has_a_table() -> None:
    found = {kind for kind in CLASSES if any(table_of(kind))}
    assert found - GROWING - UNCACHED == TABLED - IN_TABLES_THAT_ARE_NOT_TENSORS


def table_of(kind: str) -> Iterator[str]:
    """Names of tensors with a dimension as large as there are positions; takes no memory."""
    most = 1237  # of no size otherwise
    try:
        config = CONFIG_MAPPING[kind]()
        text = config.get_text_config()
        for name in NAMES:
            if hasattr(text, name):
                setattr(text, name, most)
        with torch.device("meta"):
            model = MAKE(config)
    except Exception:  # needs a package, or has no usual config
        return
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if any(abs(size - most) <= 2 for size in tensor.shape):
            yield name
