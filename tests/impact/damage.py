"""Tables of JSON with one value replaced, as a damaged file or another program's has them."""

import copy
import math
from collections.abc import Iterator
from typing import Any

VALUES: tuple[object, ...] = (
    None, True, 5, -1, 1.5, 1e308, math.inf, math.nan, 10**400, "", "x", [], [1], ["a"], {},
    {"a": 1}, {"i0": None}, [[]], [{}], "\ud800",
)  # fmt: skip

Place = tuple[str | int, ...]


def list_places(table: object, at: Place = ()) -> Iterator[Place]:
    """Every value in a table, also those that hold others."""
    if at:
        yield at
    if isinstance(table, dict):
        for key, value in table.items():
            yield from list_places(value, (*at, key))
    elif isinstance(table, list):
        for number, value in enumerate(table):
            yield from list_places(value, (*at, number))


def replace_value(table: dict[str, Any], place: Place, value: object) -> dict[str, Any]:
    """A copy with another value at one place."""
    copied = copy.deepcopy(table)
    inner: Any = copied
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copied
