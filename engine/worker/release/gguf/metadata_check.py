"""Whether a GGUF file says of its model what config.json demands.

transformers' own loader passes over most keys, and llama.cpp fills in those that are missing: a
wrong one shows in answers alone. Owns the reading back and the comparison; what has to be in it:
`demands`, a table apart from that which the file was written by.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from engine.errors import EngineError
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.release.gguf.demands import (
    ABSENT,
    DEMANDS,
    TOLERANCE,
    FamilyDemands,
    demand_factors,
    demand_keys,
    demand_shapes,
    name_limits,
)

NAME = "metadata of the GGUF file"
_K_BLOCK = 256
_SILENT_DEFAULTS = {
    "gemma2.attn_logit_softcapping": 50.0,
    "gemma2.final_logit_softcapping": 30.0,
    "gemma2.attention.sliding_window": 4096,
}
"""What llama.cpp takes where the key is missing."""


@dataclass(frozen=True, slots=True)
class _File:
    keys: Mapping[str, Any]
    tensors: Mapping[str, tuple[tuple[int, ...], str]]
    """Shape, as torch has it, and type."""
    factors: Mapping[str, np.ndarray[Any, Any]]
    """Those of rotary embeddings."""


def check_metadata(checkpoint: Path, file: Path) -> Check:
    """Keys with their values, tensors with their shapes and types. Raises EngineError where
    the file cannot be read.

    Of a family that is not in the table, all that can be told is that the file is whole.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(checkpoint, local_files_only=True)
    content = _read(file)
    expected = DEMANDS.get(config.model_type)
    kinds = Counter(kind for _, kind in content.tensors.values())
    facts: dict[str, Any] = {
        "architecture": content.keys.get("general.architecture"),
        "file_type": content.keys.get("general.file_type"),
        "tensors": len(content.tensors),
        "types": dict(sorted(kinds.items())),
    }
    if expected is None:
        return Check(
            NAME,
            "not proven",
            f"llama.cpp's own converter wrote {len(content.tensors)} tensors; there is no table of "
            f"what a file of {one_line(config.model_type)} has to say.",
            facts,
        )
    wanted = dict(demand_keys(config, expected))
    differences = [*_compare_keys(wanted, content.keys)]
    differences += _compare_window(config, expected, content.keys)
    shapes = dict(demand_shapes(config, expected))
    differences += _compare_tensors(shapes, content)
    differences += _compare_factors(config, content.factors)
    differences += _compare_types(content)
    facts |= {"keys": len(wanted), "limits": list(name_limits(config, expected))}
    facts["larger_types"] = _count_larger(content)
    if differences:
        summary = f"{len(differences)} of {len(wanted) + len(shapes)} keys and tensors differ."
        return Check(NAME, "failed", summary, facts, tuple(differences))
    summary = f"{len(wanted)} keys and {len(shapes)} tensors are as config.json demands."
    if facts["larger_types"]:
        summary += (
            f" {facts['larger_types']} tensors have rows that are no multiple of {_K_BLOCK}, and "
            "so a larger type."
        )
    return Check(NAME, "passed", " ".join([summary, *facts["limits"]]), facts)


def _read(file: Path) -> _File:
    try:
        reader = gguf.GGUFReader(file)
        keys = {
            name: field.contents()
            for name, field in reader.fields.items()
            if not name.startswith("tokenizer.ggml.") and not name.startswith("GGUF.")
        }
        tokens = reader.fields.get("tokenizer.ggml.tokens")
        keys["tokens"] = len(tokens.data) if tokens else 0
        tensors = {
            one.name: (tuple(int(n) for n in reversed(one.shape)), one.tensor_type.name)
            for one in reader.tensors
        }
        factors = {
            one.name: np.array(one.data, copy=True)
            for one in reader.tensors
            if one.name.startswith("rope_")
        }
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise EngineError("The GGUF file cannot be read.", one_line(f"{file}: {error}")) from error
    return _File(keys, tensors, factors)


def _compare_keys(wanted: Mapping[str, Any], keys: Mapping[str, Any]) -> Iterator[str]:
    for key, value in wanted.items():
        held = keys.get(key, ABSENT)
        if value is ABSENT and held is ABSENT:
            continue
        if value is ABSENT:
            yield one_line(f"{key} is {held!r}, config.json demands none")
        elif held is ABSENT:
            default = _SILENT_DEFAULTS.get(key)
            taken = "" if default is None else f"; llama.cpp would take {default!r}"
            yield one_line(f"{key} is missing, {value!r} is demanded{taken}")
        elif not _equal(held, value):
            yield one_line(f"{key} is {held!r}, {value!r} is demanded")


def _equal(held: Any, value: Any) -> bool:
    if isinstance(held, (bool, str)) or isinstance(value, str):
        return bool(held == value)
    if not isinstance(held, (int, float)):
        return False
    return math.isclose(held, value, rel_tol=TOLERANCE)


def _compare_window(config: Any, expected: FamilyDemands, keys: Mapping[str, Any]) -> Iterator[str]:
    """Which layers attend to how much, as a reader makes it out of the keys."""
    key = f"{expected.architecture}.attention.sliding_window"
    held = keys.get(key)
    if expected.architecture == "phi3":
        if held != (config.sliding_window or 0):
            yield f"{key} is {held!r}, {config.sliding_window or 0} is demanded"
        return
    if not expected.applies_window:
        return
    demanded = [
        config.sliding_window if kind == "sliding_attention" else None
        for kind in config.layer_types
    ]
    pattern = keys.get(f"{key}_pattern")
    if pattern is None:
        pattern = [(layer + 1) % expected.period != 0 for layer in range(len(demanded))]
    if held is None:
        held = _SILENT_DEFAULTS.get(key)
    read = [held if slides and held else None for slides in pattern]
    if read != demanded:
        differing = [
            i for i, pair in enumerate(zip(read, demanded, strict=False)) if len({*pair}) > 1
        ]
        first = differing[0] if differing else 0
        yield (
            f"{key}: layer {first} attends to {read[first] or 'everything'}, "
            f"{demanded[first] or 'everything'} is demanded"
        )


def _compare_tensors(shapes: Mapping[str, tuple[int, ...]], content: _File) -> Iterator[str]:
    for name, shape in shapes.items():
        if name not in content.tensors:
            yield f"the tensor {name} is missing"
        elif content.tensors[name][0] != shape:
            yield f"{name} has the shape {content.tensors[name][0]}, {shape} is demanded"
    for name in content.tensors:
        if name not in shapes:
            yield one_line(f"the tensor {name} is none of this model's")


def _compare_factors(config: Any, factors: Mapping[str, Any]) -> Iterator[str]:
    for name, values in demand_factors(config).items():
        held = factors.get(name)
        if held is not None and not (
            held.shape == values.shape and np.allclose(held, values, rtol=1e-4)
        ):
            yield f"{name} holds other factors than config.json demands"


def _compare_types(content: _File) -> Iterator[str]:
    """The type of most weights is the file's; vectors are float32."""
    name = _file_type(content.keys)
    kinds = {kind for shape, kind in content.tensors.values() if len(shape) > 1}
    if name is None:
        yield one_line(f"general.file_type is {content.keys.get('general.file_type')!r}")
    if name in ("F32", "F16", "BF16") and kinds - {name}:
        yield f"general.file_type is {name}, and weights are {', '.join(sorted(kinds))}"
    if name == "Q8_0" and "Q8_0" not in kinds:
        yield "general.file_type is Q8_0, and no weights are"
    for key, (shape, kind) in content.tensors.items():
        if len(shape) == 1 and kind != "F32":
            yield one_line(f"{key} is {kind}, F32 is demanded")


def _file_type(keys: Mapping[str, Any]) -> str | None:
    """As in "BF16" or "Q4_K_M"; None where the number is none of them."""
    try:
        name = gguf.LlamaFileType(int(keys["general.file_type"])).name
    except (KeyError, TypeError, ValueError):
        return None
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")


def _count_larger(content: _File) -> int:
    """Tensors whose rows do not fit the blocks of a k-quant, in a file of such a type."""
    name = _file_type(content.keys) or ""
    if "_K" not in name and not name.startswith("IQ"):
        return 0
    return sum(
        len(shape) > 1 and shape[-1] % _K_BLOCK != 0 for shape, _ in content.tensors.values()
    )
