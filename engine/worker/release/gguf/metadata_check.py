"""Whether a GGUF file says of its model what config.json demands.

transformers' own loader passes over most keys, and llama.cpp fills in those that are missing: a
wrong one shows in answers alone. Owns the reading back and the comparison; what has to be in it:
`demands`, a table apart from that which the file was written by.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from engine.checkpoints.gguf_header import GgufHeader, read_gguf_header
from engine.number_format import write_count
from engine.release.proof import Check
from engine.release.targets import OWN_TYPES
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
"""Weights of a row that share scales in k-quants."""
_FACTOR_TOLERANCE = 1e-4
"""Relative: both sides were computed in float32."""
_SILENT_DEFAULTS = {
    "gemma2.attn_logit_softcapping": 50.0,
    "gemma2.final_logit_softcapping": 30.0,
    "gemma2.attention.sliding_window": 4096,
}
"""What llama.cpp takes where the key is missing."""


def check_metadata(checkpoint: Path, file: Path) -> Check:
    """Keys with their values, tensors with their shapes and types. Raises EngineError where
    the file cannot be read.

    Of a family that is not in the table, all that can be told is that the file is whole.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(checkpoint, local_files_only=True)
    header = read_gguf_header(file)
    expected = DEMANDS.get(config.model_type)
    kinds = Counter(tensor.type_name for tensor in header.tensors)
    facts: dict[str, Any] = {
        "architecture": one_line(header.text("general.architecture")),
        "file_type": _file_type(header),
        "tensors": len(header.tensors),
        "types": dict(sorted(kinds.items())),
    }
    if expected is None:
        return Check(
            NAME,
            "not proven",
            f"llama.cpp's own converter wrote {write_count(len(header.tensors), 'tensor')}; what a "
            f"file of {one_line(config.model_type)} has to say is not known here.",
            facts,
        )
    wanted = dict(demand_keys(config, expected))
    keys = dict(header.values) | {"tokens": header.lengths.get("tokenizer.ggml.tokens", 0)}
    differences = [*_compare_keys(wanted, keys)]
    differences += _compare_window(config, expected, keys)
    differences += _find_unknown(wanted, expected, {*header.values, *header.lengths})
    shapes = dict(demand_shapes(config, expected))
    differences += _compare_tensors(shapes, header)
    differences += _compare_factors(config, header)
    differences += _compare_types(header)
    facts |= {"keys": len(wanted), "limits": list(name_limits(config, expected))}
    facts["larger_types"] = _count_larger(header)
    if differences:
        count = write_count(len(differences), "difference")
        summary = f"{count} in {len(wanted) + len(shapes)} keys and tensors."
        return Check(NAME, "failed", summary, facts, tuple(differences))
    count = f"{write_count(len(wanted), 'key')} and {write_count(len(shapes), 'tensor')}"
    summary = f"As config.json demands: {count}."
    if facts["larger_types"]:
        summary += (
            f" A larger type for {write_count(facts['larger_types'], 'tensor')}, whose rows are "
            f"no multiple of {_K_BLOCK}."
        )
    return Check(NAME, "passed", " ".join([summary, *facts["limits"]]), facts)


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


def _find_unknown(
    wanted: Mapping[str, Any], expected: FamilyDemands, held: Set[str]
) -> Iterator[str]:
    """Keys of the architecture that config.json says nothing of: llama.cpp reads scales, clamps and
    masks from such."""
    prefix = f"{expected.architecture}."
    window = f"{prefix}attention.sliding_window"
    # Phi-3's files always say what context they were made for.
    known = {*wanted, window, f"{window}_pattern", f"{prefix}rope.scaling.original_context_length"}
    for key in sorted(held - known):
        if key.startswith(prefix):
            yield one_line(f"{key} is unknown to this model")


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
    window = getattr(config, "sliding_window", None) or None
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    demanded = [window if kind == "sliding_attention" else None for kind in kinds]
    pattern = keys.get(f"{key}_pattern")
    if pattern is None:
        period = expected.period or len(kinds) + 1
        pattern = [(layer + 1) % period != 0 for layer in range(len(kinds))]
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


def _compare_tensors(shapes: Mapping[str, tuple[int, ...]], header: GgufHeader) -> Iterator[str]:
    held = {tensor.name: tensor.shape for tensor in header.tensors}
    for name, shape in shapes.items():
        if name not in held:
            yield f"the tensor {name} is missing"
        elif held[name] != shape:
            yield f"{name} has the shape {held[name]}, {shape} is demanded"
    for name in held.keys() - shapes.keys():
        yield one_line(f"the tensor {name} is unknown to this model")


def _compare_factors(config: Any, header: GgufHeader) -> Iterator[str]:
    for name, values in demand_factors(config).items():
        tensor = header.tensor(name)
        if tensor is None or tensor.type_name != "f32":
            continue  # told by its absence, or its type
        with header.path.open("rb") as file:
            file.seek(tensor.start)
            held = np.frombuffer(file.read(tensor.size), np.float32)
        if held.shape != values.shape or not np.allclose(held, values, rtol=_FACTOR_TOLERANCE):
            yield f"{name} holds other factors than config.json demands"


def _compare_types(header: GgufHeader) -> Iterator[str]:
    """The type of most weights is the file's; vectors are float32."""
    name = _file_type(header)
    kinds = {tensor.type_name for tensor in header.tensors if len(tensor.shape) > 1}
    if name is None:
        yield one_line(f"general.file_type is {header.values.get('general.file_type')!r}")
    if name in OWN_TYPES and kinds - {name}:
        yield f"general.file_type is {name}, and weights are {', '.join(sorted(kinds))}"
    if name == "q8_0" and name not in kinds:
        yield f"general.file_type is {name}, and no weights are"
    for tensor in header.tensors:
        if len(tensor.shape) == 1 and tensor.type_name != "f32":
            yield one_line(f"{tensor.name} is {tensor.type_name}, f32 is demanded")


def _file_type(header: GgufHeader) -> str | None:
    """As in "bf16" or "q4_k_m"; None where the number is none of them."""
    try:
        name = gguf.LlamaFileType(int(header.values["general.file_type"])).name.lower()
    except (KeyError, TypeError, ValueError):
        return None
    return name.removeprefix("mostly_").removeprefix("all_")


def _count_larger(header: GgufHeader) -> int:
    """Tensors whose rows do not fit the blocks of a k-quant, in a file of such a type."""
    name = _file_type(header) or ""
    if "_k" not in name and not name.startswith("iq"):
        return 0
    return sum(
        len(tensor.shape) > 1 and tensor.shape[-1] % _K_BLOCK != 0 for tensor in header.tensors
    )
