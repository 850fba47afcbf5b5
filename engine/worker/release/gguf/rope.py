"""Rotary embeddings in a GGUF file: keys, and the tensors of factors.

Owns how the scalings of config.json are said to llama.cpp. Refuses those that it has no word for.

Formulas: Llama 3, YaRN (https://arxiv.org/abs/2309.00071) and LongRoPE
(https://arxiv.org/abs/2402.13753) as transformers computes them (`modeling_rope_utils`), put into
the terms of llama.cpp (`ggml_rope_ext`, `llama_context`).
"""

import math
from typing import Any

import numpy as np

from engine.text import one_line

_YARN_FAST, _YARN_SLOW = 32, 1
"""llama.cpp reads other bounds of no family here."""


def full_rope(config: Any) -> dict[str, Any]:
    """The parameters of layers that attend to everything."""
    parameters: dict[str, Any] = config.rope_parameters
    nested: dict[str, Any] | None = parameters.get("full_attention")
    return parameters if nested is None else nested


def check_rope(config: Any, architecture: str) -> list[str]:
    """What llama.cpp cannot express of it, in words; empty: all of it can be."""
    rope = full_rope(config)
    kind = rope["rope_type"]
    kinds = {"default", "linear", "yarn"}
    if architecture == "llama":
        kinds.add("llama3")
    if architecture == "phi3":
        kinds = {"default", "longrope"}
    if kind not in kinds:
        return [f"llama.cpp has no RoPE scaling {one_line(str(kind))} of {architecture}"]
    problems = []
    local = config.rope_parameters.get("sliding_attention")
    if local and local["rope_type"] != "default":
        problems.append(f"its sliding layers have the RoPE scaling {one_line(local['rope_type'])}")
    if architecture != "phi3" and rope.get("partial_rotary_factor") not in (None, 1.0):
        problems.append(f"only {rope['partial_rotary_factor']} of each head is rotated")
    if kind == "yarn":
        bounds = (rope.get("beta_fast") or _YARN_FAST, rope.get("beta_slow") or _YARN_SLOW)
        if bounds != (_YARN_FAST, _YARN_SLOW) or not rope.get("truncate", True):
            problems.append(f"its YaRN has the bounds {bounds} or does not round them")
    return problems


def describe_rope(config: Any, architecture: str) -> dict[str, int | float | str]:
    """The keys, without their prefix."""
    rope = full_rope(config)
    keys: dict[str, int | float | str] = {"rope.freq_base": float(rope["rope_theta"])}
    local = config.rope_parameters.get("sliding_attention")
    if local:
        keys["rope.freq_base_swa"] = float(local["rope_theta"])
    if architecture in ("llama", "phi3"):
        keys["rope.dimension_count"] = rotated(config)
    if architecture == "phi3":
        keys["rope.scaling.original_context_length"] = _original_context(config)
    kind = rope["rope_type"]
    if kind in ("linear", "yarn"):
        keys["rope.scaling.type"] = kind
        keys["rope.scaling.factor"] = float(_factor(config))
    if kind == "yarn":
        keys["rope.scaling.original_context_length"] = _original_context(config)
        # llama.cpp multiplies 1 + ln(factor)/10 by this, and reads it under no other name.
        attention = _yarn_attention(config) / _yarn_scale(_factor(config), 1)
        if attention != 1:
            keys["rope.scaling.attn_factor"] = attention
    if kind == "longrope":
        keys["rope.scaling.type"] = "longrope"
        keys["rope.scaling.attn_factor"] = _long_attention(config)
    return keys


def rope_tensors(config: Any) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """The factors by which frequencies are divided, one for each pair of dimensions."""
    rope = full_rope(config)
    if rope["rope_type"] == "llama3":
        return {"rope_freqs.weight": _llama3_factors(config)}
    if rope["rope_type"] == "longrope":
        return {
            "rope_factors_long.weight": np.asarray(rope["long_factor"], np.float32),
            "rope_factors_short.weight": np.asarray(rope["short_factor"], np.float32),
        }
    return {}


def long_rope_context(config: Any) -> int | None:
    """Of LongRoPE the tokens that its short factors are for; None of every other scaling."""
    text = config.get_text_config()
    parameters = getattr(text, "rope_parameters", None) or {}
    known = parameters.get("full_attention", parameters).get("rope_type") == "longrope"
    return _original_context(text) if known else None


def rotated(config: Any) -> int:
    """How many dimensions of a head are rotated."""
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(size * (full_rope(config).get("partial_rotary_factor") or 1.0))


def _original_context(config: Any) -> int:
    original = full_rope(config).get("original_max_position_embeddings")
    original = original or getattr(config, "original_max_position_embeddings", None)
    return int(original or config.max_position_embeddings)


def _factor(config: Any) -> float:
    factor = full_rope(config).get("factor")
    return float(factor or config.max_position_embeddings / _original_context(config))


def _yarn_scale(factor: float, scale: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * scale * math.log(factor) + 1.0


def _yarn_attention(config: Any) -> float:
    """The whole factor on sine and cosine."""
    rope = full_rope(config)
    if rope.get("attention_factor") is not None:
        return float(rope["attention_factor"])
    scale, all_dimensions = rope.get("mscale"), rope.get("mscale_all_dim")
    if scale and all_dimensions:
        return _yarn_scale(_factor(config), scale) / _yarn_scale(_factor(config), all_dimensions)
    return _yarn_scale(_factor(config), 1)


def _long_attention(config: Any) -> float:
    given = full_rope(config).get("attention_factor")
    if given is not None:
        return float(given)
    factor = _factor(config)
    if factor <= 1:
        return 1.0
    return math.sqrt(1 + math.log(factor) / math.log(_original_context(config)))


def _llama3_factors(config: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    rope, size = full_rope(config), rotated(config)
    factor, original = rope["factor"], rope["original_max_position_embeddings"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    wavelengths = 2 * math.pi * np.float32(rope["rope_theta"]) ** exponents
    smooth = np.clip((original / wavelengths - low) / (high - low), 0, 1)
    return np.asarray(1 / ((1 - smooth) / factor + smooth), np.float32)
