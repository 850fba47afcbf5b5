"""What a GGUF file of each family has to say, of transformers' configuration.

Owns a table of its own of keys, shapes and factors: what a reader of the file computes with. Shares
nothing, on purpose, with `families` and `rope`, which write the file, nor with
`engine.checkpoints.gguf_config`, by which a file is opened: an error in one shows against another.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-6
"""Relative: the file has float32."""
ABSENT = object()
"""Of a key that the file must not have."""


@dataclass(frozen=True, slots=True)
class FamilyDemands:
    """What one family's file has to say, as a function of its configuration."""

    architecture: str
    norms: int
    """A layer's."""
    fused: bool = False
    """Q, K and V in one tensor, gate and up in another."""
    head_norms: bool = False
    """Q and K are normalised."""
    period: int = 0
    """Every so manyth layer attends to everything, where the file does not say which."""
    applies_window: bool = False


DEMANDS: Mapping[str, FamilyDemands] = {
    "llama": FamilyDemands("llama", 2),
    "mistral": FamilyDemands("llama", 2),
    "qwen2": FamilyDemands("qwen2", 2),
    "qwen3": FamilyDemands("qwen3", 2, head_norms=True),
    "gemma": FamilyDemands("gemma", 2),
    "gemma2": FamilyDemands("gemma2", 4, period=2, applies_window=True),
    "gemma3_text": FamilyDemands("gemma3", 4, head_norms=True, period=6, applies_window=True),
    "phi3": FamilyDemands("phi3", 2, fused=True),
}


def demand_keys(config: Any, expected: FamilyDemands) -> Iterator[tuple[str, Any]]:
    """Every key that changes what the model computes, with its value."""
    prefix = expected.architecture
    size = _head_size(config)
    yield "general.architecture", prefix
    for key, value in (
        ("block_count", config.num_hidden_layers),
        ("context_length", config.max_position_embeddings),
        ("embedding_length", config.hidden_size),
        ("feed_forward_length", config.intermediate_size),
        ("attention.head_count", config.num_attention_heads),
        ("attention.head_count_kv", config.num_key_value_heads),
        ("attention.key_length", size),
        ("attention.value_length", size),
        ("attention.layer_norm_rms_epsilon", config.rms_norm_eps),
        ("vocab_size", config.vocab_size),
    ):
        yield f"{prefix}.{key}", value
    yield "tokens", config.vocab_size
    for name in ("attn_logit_softcapping", "final_logit_softcapping"):
        # A key too many is as wrong as one too few.
        cap = getattr(config, name, None)
        yield f"{prefix}.{name}", cap if cap else ABSENT
    for key, value in _rope_keys(config, expected):
        yield f"{prefix}.rope.{key}", value


def _rope_keys(config: Any, expected: FamilyDemands) -> Iterator[tuple[str, Any]]:
    every = config.rope_parameters
    rope = every.get("full_attention", every)
    kind = rope["rope_type"]
    yield "freq_base", rope["rope_theta"]
    if "sliding_attention" in every:
        yield "freq_base_swa", every["sliding_attention"]["rope_theta"]
    if expected.architecture in ("llama", "phi3"):
        share = rope.get("partial_rotary_factor", 1.0)
        yield "dimension_count", int(_head_size(config) * share)
    scaled = kind in ("linear", "yarn", "longrope")
    yield "scaling.type", kind if scaled else ABSENT
    yield "scaling.factor", rope["factor"] if kind in ("linear", "yarn") else ABSENT
    if kind in ("yarn", "longrope"):
        yield "scaling.original_context_length", rope["original_max_position_embeddings"]
    yield "scaling.attn_factor", _attention_factor(config, rope, kind)


def _attention_factor(config: Any, rope: Mapping[str, Any], kind: str) -> Any:
    """Sine and cosine are multiplied by what transformers says; llama.cpp's YaRN multiplies by
    1 + ln(factor)/10 besides this key."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    if kind not in ("yarn", "longrope"):
        return ABSENT
    _, whole = ROPE_INIT_FUNCTIONS[kind](config, "cpu")
    if kind == "longrope":
        return whole
    beside = whole / (0.1 * math.log(rope["factor"]) + 1)
    return ABSENT if math.isclose(beside, 1, rel_tol=TOLERANCE) else beside


def demand_context(config: Any) -> int | None:
    """The context to serve a file with: of LongRoPE the one that is read with the short factors.

    llama.cpp takes the long factors for every prompt where its context is larger
    (`get_rope_factors` in src/llama-model.cpp), transformers for long prompts alone.
    """
    rope = _full_rope(config) if getattr(config, "rope_parameters", None) else {}
    context: int | None = getattr(config, "max_position_embeddings", None)
    if rope.get("rope_type") != "longrope":
        return context
    original = rope.get("original_max_position_embeddings")
    return original or getattr(config, "original_max_position_embeddings", None) or context


def demand_shapes(config: Any, expected: FamilyDemands) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor with its shape, biases included."""
    hidden, inner, size = config.hidden_size, config.intermediate_size, _head_size(config)
    query, key = config.num_attention_heads * size, config.num_key_value_heads * size
    yield "token_embd.weight", (config.vocab_size, hidden)
    yield "output_norm.weight", (hidden,)
    if not config.tie_word_embeddings:
        yield "output.weight", (config.vocab_size, hidden)
    parts: dict[str, tuple[int, ...]] = {
        "attn_output": (hidden, query),
        "ffn_down": (hidden, inner),
    }
    if expected.fused:
        parts |= {"attn_qkv": (query + 2 * key, hidden), "ffn_up": (2 * inner, hidden)}
    else:
        parts |= {"attn_q": (query, hidden), "attn_k": (key, hidden), "attn_v": (key, hidden)}
        parts |= {"ffn_gate": (inner, hidden), "ffn_up": (inner, hidden)}
    norms = ["attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm"][: expected.norms]
    parts |= dict.fromkeys(norms, (hidden,))
    if expected.head_norms:
        parts |= {"attn_q_norm": (size,), "attn_k_norm": (size,)}
    biased = _biased(config)
    for layer in range(config.num_hidden_layers):
        for name, shape in parts.items():
            yield f"blk.{layer}.{name}.weight", shape
            if name in biased:
                yield f"blk.{layer}.{name}.bias", shape[:1]
    kind = _full_rope(config)["rope_type"]
    rotated = int(size * (_full_rope(config).get("partial_rotary_factor") or 1.0))
    if kind == "llama3":
        yield "rope_freqs.weight", (rotated // 2,)
    if kind == "longrope":
        yield "rope_factors_long.weight", (rotated // 2,)
        yield "rope_factors_short.weight", (rotated // 2,)


def _biased(config: Any) -> set[str]:
    attention, feed_forward = {"attn_q", "attn_k", "attn_v"}, {"ffn_gate", "ffn_up", "ffn_down"}
    if config.model_type == "qwen2":
        return attention
    biased: set[str] = set()
    if getattr(config, "attention_bias", False):
        biased |= attention | {"attn_output"}
    if getattr(config, "mlp_bias", False):
        biased |= feed_forward
    return biased


def demand_factors(config: Any) -> dict[str, np.ndarray[Any, Any]]:
    """What frequencies are divided by, as transformers computes them."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = _full_rope(config)
    if rope["rope_type"] == "longrope":
        return {
            "rope_factors_long.weight": np.array(rope["long_factor"]),
            "rope_factors_short.weight": np.array(rope["short_factor"]),
        }
    if rope["rope_type"] != "llama3":
        return {}
    frequencies, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    exponents = np.arange(len(frequencies)) / len(frequencies)
    plain = float(rope["rope_theta"]) ** -exponents
    return {"rope_freqs.weight": plain / frequencies.double().numpy()}


def name_limits(config: Any, expected: FamilyDemands) -> Sequence[str]:
    """Where llama.cpp computes something else than transformers, whatever the file says: a
    sentence each."""
    limits = []
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
    applied = expected.applies_window or "sliding_attention" not in kinds
    if window and not applied and window < config.max_position_embeddings:
        limits.append(
            f"llama.cpp applies no sliding window to {expected.architecture} files: beyond "
            f"{window} tokens its answers differ from those of the model that was trained."
        )
    rope = _full_rope(config)
    if rope["rope_type"] == "longrope":
        original = rope["original_max_position_embeddings"]
        limits.append(
            "llama.cpp chooses LongRoPE's factors by the context that it is started with, "
            f"transformers by the prompt: for prompts up to {original} tokens start it with "
            f"-c {original}."
        )
    return limits


def _full_rope(config: Any) -> dict[str, Any]:
    rope: dict[str, Any] = config.rope_parameters.get("full_attention", config.rope_parameters)
    return rope


def _head_size(config: Any) -> int:
    return int(
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
