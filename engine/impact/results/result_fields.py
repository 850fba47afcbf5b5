"""Fields of `results.json` and `skills.jsonl`, checked: whoever reads them need not doubt them.

A file may be damaged, or written by another program. Owns which values a field may have. Everything
here raises ValueError that names the field, and nothing else.
"""

import math
from collections.abc import Mapping
from typing import Any

LARGEST = 1e30
"""What no score, NLL or weight comes near: sums of squares of such values are still numbers."""
_MOST_COUNT = 1 << 53
_DEEPEST = 8
"""Tables in tables, of how a suite was asked."""


def read_text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where} is no text")
    return value


def read_texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where} is no list")
    return tuple(read_text(one, where) for one in value)


def read_table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is no object")
    return value


def read_text_table(value: object, where: str) -> dict[str, str]:
    return {key: read_text(one, where) for key, one in read_table(value, where).items()}


def read_count(value: object, where: str) -> int:
    """A whole number from 0."""
    if type(value) is not int or not 0 <= value <= _MOST_COUNT:
        raise ValueError(f"{where} is no count")
    return value


def read_counts(value: object, where: str) -> dict[str, int]:
    table = read_table(value, where)
    return {key: read_count(one, f"{where} of {key[:80]!r}") for key, one in table.items()}


def read_values(value: object, where: str) -> dict[str, float]:
    """What was measured by item. What a diverged model makes of one is null in the file, and
    infinite."""
    return {
        key: math.inf if one is None else _read_number(one, f"{where} of {key[:80]!r}")
        for key, one in read_table(value, where).items()
    }


def read_weight(value: object, where: str) -> float:
    weight = _read_number(value, where)
    if not 0 <= weight < math.inf:
        raise ValueError(f"{where} is no weight")
    return weight


def read_asked(value: object, where: str) -> Mapping[str, Any]:
    """How a suite was asked: any values, not deeper than they are written."""
    table = read_table(value, where)
    level: list[object] = [table]
    for _ in range(_DEEPEST):
        level = [inner for one in level for inner in _list_parts(one)]
    if level:
        raise ValueError(f"{where} is too deep")
    return table


def _list_parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _read_number(value: object, where: str) -> float:
    # Not finite it may be, as Python's own JSON writes it; very large it is damaged.
    if not isinstance(value, int | float):
        raise ValueError(f"{where} is no number")
    if isinstance(value, float) and not math.isfinite(value):
        return value
    if abs(value) > LARGEST:
        raise ValueError(f"{where} is too large a number")
    return float(value)
