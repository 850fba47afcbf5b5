"""Whether a model that was opened has the settings of the run: config against config.

Owns which settings decide what is computed, and which an export may have otherwise. Of a GGUF file
only those are compared that its header can say; RoPE by its frequencies, since a file has factors
of it as tensors.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from engine.text import one_line

_FREE = frozenset(
    {
        "_model_name_or_path",  # of GGUF files that were loaded: a path or a name, no setting
        "_name_or_path",
        "architectures",
        "bos_token_id",
        "dtype",
        "eos_token_id",
        "pad_token_id",
        "quantization_config",
        "tie_word_embeddings",
        "torch_dtype",
        "transformers_version",
        "use_cache",
        "vocab_size",
    }
)
"""Settings in which an export may differ from its run: what is said of the file, the ends of an
answer, and what the tensors themselves say: how many tokens there are, whether the head is tied."""
_SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "vocab_size",
    "tie_word_embeddings",
)
"""What each header says, and transformers reads of every family."""
_COMPUTING = (
    "attention_bias",
    "mlp_bias",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "query_pre_attn_scalar",
)
"""Settings of some families; absent is the same as None, 0 and false."""
_ROPE_TOLERANCE = 1e-4
"""Relative: frequencies are computed in float32, in two ways."""


@dataclass(frozen=True, slots=True)
class SettingPair:
    """One setting of what is shipped, and of the model that it must equal."""

    name: str
    shipped: Any
    expected: Any
    tolerance: float = 1e-6
    """Relative, of numbers: a header has them in float32."""

    @property
    def same(self) -> bool:
        if isinstance(self.shipped, torch.Tensor) and isinstance(self.expected, torch.Tensor):
            if self.shipped.shape != self.expected.shape:
                return False
            return torch.allclose(self.shipped, self.expected, rtol=self.tolerance, atol=0)
        if isinstance(self.shipped, int | float) and isinstance(self.expected, int | float):
            return math.isclose(self.shipped, self.expected, rel_tol=self.tolerance)
        if isinstance(self.shipped, list) and isinstance(self.expected, list):
            return len(self.shipped) == len(self.expected) and all(
                SettingPair("", shipped, expected, self.tolerance).same
                for shipped, expected in zip(self.shipped, self.expected, strict=True)
            )
        return bool(self.shipped == self.expected)

    def describe(self, where: str) -> str:
        """How they differ; `where` the expected one stands."""
        if isinstance(self.shipped, torch.Tensor | list):
            return one_line(f"{self.name} are others than those of {where}")
        return one_line(f"{self.name} is {self.shipped!r}, and {self.expected!r} in {where}")


def pair_folders(shipped: Any, run: Any) -> Iterator[SettingPair]:
    """Every setting of two configs of transformers but those that may differ."""
    first, second = shipped.to_dict(), run.to_dict()
    for key in sorted({*first, *second} - _FREE):
        yield SettingPair(key, first.get(key), second.get(key))


def pair_header(model: Any, checkpoint: Any) -> Iterator[SettingPair]:
    """What a model of a GGUF file's header computes with, and the config of the folder that the
    file was written from."""
    shipped, expected = model.config, checkpoint.get_text_config()
    for key in _SIZES:
        yield SettingPair(key, getattr(shipped, key, None), getattr(expected, key, None))
    for key in _COMPUTING:
        values = getattr(shipped, key, None) or None, getattr(expected, key, None) or None
        if values != (None, None):
            yield SettingPair(key, *values)
    yield SettingPair("head_dim", _head_size(shipped), _head_size(expected))
    yield SettingPair("the activation", _activation(shipped), _activation(expected))
    windows = zip(_list_windows(shipped), _list_windows(expected), strict=False)
    for layer, (window, expected_window) in enumerate(windows):
        yield SettingPair(f"the window of layer {layer}", window, expected_window)
    yield from _pair_rope(model, expected)


def pair_by_transformers(read: Mapping[str, Any], checkpoint: Any) -> Iterator[SettingPair]:
    """The same of a config as transformers' own loader reads it from a header, of families that
    `gguf_config` does not map: sizes alone, where it has them."""
    expected = checkpoint.get_text_config()
    for key in _SIZES:
        if key in read and (value := getattr(expected, key, None)) is not None:
            yield SettingPair(key, read[key], value)


def _head_size(config: Any) -> int:
    own = getattr(config, "head_dim", None)
    return int(own or config.hidden_size // config.num_attention_heads)


def _activation(config: Any) -> Any:
    """Gemma 2 and 3 have no `hidden_act`; Gemma 1 does not compute with `hidden_activation`."""
    return getattr(config, "hidden_act", None) or getattr(config, "hidden_activation", None)


def _list_windows(config: Any) -> list[int | None]:
    """How many tokens each layer attends to; None: all that the model reads."""
    window = getattr(config, "sliding_window", None)
    if getattr(config, "use_sliding_window", True) is False:
        window = None
    if not window or window >= config.max_position_embeddings:
        window = None
    layers = config.num_hidden_layers
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * layers
    return [window if kind == "sliding_attention" else None for kind in kinds]


def _pair_rope(model: Any, expected: Any) -> Iterator[SettingPair]:
    """Frequencies and factors of RoPE by type of layer, and of LongRoPE both lists of factors."""
    rotary = model.model.rotary_emb
    read, made = _list_factors(rotary), _list_factors(type(rotary)(config=expected))
    for name in sorted({*read, *made}):
        yield SettingPair(f"RoPE's {name}", read.get(name), made.get(name), _ROPE_TOLERANCE)
    tables = model.config.rope_parameters, expected.rope_parameters
    for key in ("long_factor", "short_factor"):
        if any(key in table for table in tables):
            read_list, made_list = (table.get(key) for table in tables)
            yield SettingPair(f"RoPE's {key}", read_list, made_list, _ROPE_TOLERANCE)


def _list_factors(rotary: Any) -> dict[str, Any]:
    buffers = {name: value.float().cpu() for name, value in rotary.named_buffers()}
    scaling = {
        name: value for name, value in vars(rotary).items() if name.endswith("attention_scaling")
    }
    return buffers | scaling
