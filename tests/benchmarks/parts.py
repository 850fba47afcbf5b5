"""Rows of a benchmark that are measured together, and what becomes of those that fail."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tests.benchmarks.results import NOT_MEASURED, Row, printed

Effort = TypeVar("Effort")


class NotHere(Exception):
    """What a part is measured beside is not on this machine; says what."""


@dataclass(frozen=True, slots=True)
class Part(Generic[Effort]):
    rows: tuple[tuple[str, str], ...]
    """What, and its bar."""
    measure: Callable[[Effort, Path], Sequence[str | None]]
    """One value for each row, in a folder of its own. Raises AssertionError where the program does
    not do as it should."""


def measure(parts: Sequence[Part[Effort]], effort: Effort) -> list[Row]:
    """All parts, one after the other, printed as they come; one that fails is not measured."""
    rows: list[Row] = []
    for part in parts:
        measured: Sequence[str | None] = [None] * len(part.rows)
        with tempfile.TemporaryDirectory() as folder:
            try:
                measured = part.measure(effort, Path(folder))
            except NotHere as missing:
                measured = [f"{NOT_MEASURED}: {missing}"] * len(part.rows)
            except (AssertionError, OSError) as error:
                print(f"{part.rows[0][0]}: {error}", file=sys.stderr)
        found = [
            Row(what, value, bar) for (what, bar), value in zip(part.rows, measured, strict=True)
        ]
        print(printed(found), flush=True)
        rows += found
    return rows
