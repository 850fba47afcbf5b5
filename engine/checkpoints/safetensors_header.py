"""The header of a safetensors file, read without torch: how many parameters, of which type.

Format: an unsigned 64-bit little-endian length, that many bytes of JSON (name -> dtype, shape,
data_offsets), then the tensors' bytes without gap or overlap. https://github.com/huggingface/safetensors
Kept by design: the library is not in the light install, and opens no file for its header alone.
Refuses what that definition refuses, so that what is listed as usable also loads. Reads no tensor.
"""

import json
import math
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.safe_open import open_regular, recognise_impostor

LONGEST_HEADER = 16_000_000
"""Bytes. The largest published ones are below 2 MB; the format itself allows 100 MB."""
_MOST_DIMENSIONS = 64

_BITS = {
    "F64": 64,
    "F32": 32,
    "F16": 16,
    "BF16": 16,
    "C64": 64,
    "BOOL": 8,
    "I64": 64,
    "I32": 32,
    "I16": 16,
    "I8": 8,
    "U64": 64,
    "U32": 32,
    "U16": 16,
    "U8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F4": 4,
}
_NAMES = {"F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "I8": "int8", "U8": "uint8"}

# Saved beside the weights but not trained: causal masks of GPT-2 and GPT-NeoX, rotary frequencies,
# and what bitsandbytes keeps to undo its packing.
_NOT_PARAMETERS = re.compile(
    r"(?:\b(?:attn|attention)\.(?:masked_)?bias|\.inv_freq|\.SCB|\.weight_format"
    r"|\.(?:nested_)?(?:absmax|quant_map)|\.quant_state\.\w+)$"
)


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    tensors: int
    """How many are stored."""
    parameters: int
    """Trained parameters; two to a byte where bitsandbytes packed them in 4 bits."""
    elements: Mapping[str, int]
    """Parameters by the type that they are stored in, as the format spells it."""


def name_dtype(elements: Mapping[str, int]) -> str | None:
    """The dtype of most parameters, in its short form (`bf16`); None for none."""
    if not elements:
        return None
    most = max(elements, key=lambda dtype: elements[dtype])
    return _NAMES.get(most, most.lower())


def read_header(path: Path) -> SafetensorsHeader:
    """Read and check the header of one file.

    Raises EngineError whose title names the file and what it actually is.
    """
    table, stored = _read_table(path)
    spans: list[tuple[int, int]] = []
    shapes: dict[str, tuple[str, int]] = {}
    for name, entry in table.items():
        dtype, count, begin, end = _read_entry(path, entry)
        spans.append((begin, end))
        shapes[name] = (dtype, count)
    _check_layout(path, sorted(spans), stored)
    elements = _count(shapes)
    return SafetensorsHeader(len(shapes), sum(elements.values()), elements)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor by its name. Raises EngineError as `read_header` does."""
    table, _ = _read_table(path)
    for entry in table.values():
        _read_entry(path, entry)
    return {name: tuple(entry["shape"]) for name, entry in table.items()}


def _read_table(path: Path) -> tuple[dict[str, Any], int]:
    """The header without its metadata, and the bytes that follow it."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(512)
        impostor = recognise_impostor(head)
        if impostor:
            raise _refuse(path, impostor)
        length = int.from_bytes(head[:8], "little")
        if size < 8 or length > LONGEST_HEADER or head[8:9] not in (b"{", b""):
            raise _refuse(path, "is not a safetensors file")
        if 8 + length > size:
            raise _refuse(path, f"is truncated: {size:,} bytes, but its header has {length:,}")
        file.seek(8)
        text = file.read(length)
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refuse(path, "has a header that is not valid JSON") from error
    if not isinstance(table, dict):
        raise _refuse(path, "has a header that is not a JSON object")
    table.pop("__metadata__", None)
    return table, size - 8 - length


def _read_entry(path: Path, entry: object) -> tuple[str, int, int, int]:
    """Type, number of elements, and first and last byte of one tensor."""
    try:
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]  # type: ignore[index]
        begin, end = offsets
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _refuse(path, "has a header entry without dtype, shape and offsets") from error
    numbers = [*shape, begin, end] if isinstance(shape, list) else [None]
    if len(numbers) > _MOST_DIMENSIONS or not all(
        type(number) is int and 0 <= number < 1 << 63 for number in numbers
    ):
        raise _refuse(path, "has a header entry with an impossible shape or offset")
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise _refuse(path, "has a tensor of an unknown dtype")
    count = math.prod(shape)
    if end < begin or count * _BITS[dtype] != (end - begin) * 8:
        raise _refuse(path, "has a header entry whose shape and offsets disagree")
    return dtype, count, begin, end


def _check_layout(path: Path, spans: list[tuple[int, int]], stored: int) -> None:
    """The tensors must follow each other without gap or overlap and end where the file ends."""
    reached = 0
    for begin, end in spans:
        if begin != reached:
            raise _refuse(path, "has tensors that overlap or leave a gap")
        reached = end
    if stored < reached:
        raise _refuse(path, f"is truncated: {stored:,} of {reached:,} bytes of weights are present")
    if stored > reached:
        raise _refuse(path, f"is {stored - reached:,} bytes longer than its header says")


def _count(shapes: Mapping[str, tuple[str, int]]) -> Counter[str]:
    elements: Counter[str] = Counter()
    for name, (dtype, count) in shapes.items():
        if _NOT_PARAMETERS.search(name):
            continue
        packed = dtype == "U8" and f"{name}.quant_map" in shapes
        elements[dtype] += 2 * count if packed else count
    return elements


def _refuse(path: Path, what: str) -> EngineError:
    return EngineError(f"{path.name} {what}", str(path))
