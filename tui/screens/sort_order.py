"""In which order Runs lists what there is, remembered for each folder of runs.

A small file with a version. One that is broken, newer or older is set aside, and a note says so.
"""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from engine import state_files
from engine.recipes.validation import setting
from engine.state_files import StateFile, decode_record, encode_record
from tui.formatting import state_words
from tui.snapshots import RunRow, Spark

SCHEMA = 1
SORT_COLUMNS = ("", "run", "on", "how", "progress", "left", "loss", "eval", "ppl", "forgot")
"""What can be sorted by; the first is as they were started, families together."""
VALUES = ("last", "best", "smoothed")
"""Which value of a curve is shown, and sorted by."""

SortKey = tuple[float, str]


@dataclass(frozen=True, slots=True)
class SortOrder:
    column: str = setting("", choices=SORT_COLUMNS)
    falling: bool = False
    value: str = setting("last", choices=VALUES)
    group: str = ""
    """Dotted name of the setting whose values runs are grouped by; empty: they are not."""
    pinned: list[str] = field(default_factory=list)
    """Ids of the runs that are listed before the others, and always drawn."""
    tag: str = ""
    """What was logged under this name is sorted by, and not a column."""


def value_of(spark: Spark | None, value: str) -> float | None:
    """One value of a curve; None where there is no curve."""
    if spark is None:
        return None
    return {"best": spark.best, "smoothed": spark.smoothed}.get(value, spark.last)


def sort(rows: list[RunRow], order: SortOrder) -> list[RunRow]:
    """Rows by the column of the order; those that have nothing there, or NaN, always come last."""
    if not (order.column or order.tag):
        return rows[::-1] if order.falling else rows
    keyed = [(_key(row, order), row) for row in rows]
    known = [(key, row) for key, row in keyed if key is not None]
    known.sort(key=lambda one: one[0], reverse=order.falling)
    return [row for _, row in known] + [row for key, row in keyed if key is None]


def _key(row: RunRow, order: SortOrder) -> SortKey | None:
    if order.tag:
        return _known(value_of(row.curves.get(order.tag), order.value))
    view = row.view
    texts = {"run": view.record.name, "on": view.base, "how": view.method}
    if order.column in texts:
        return (0.0, texts[order.column].casefold()) if texts[order.column] else None
    if order.column == "progress":
        return (view.progress, state_words(view))
    if order.column == "left":
        left = view.status.eta_seconds if view.status and view.state.alive else None
        return None if left is None else (left, "")
    number = {
        "loss": value_of(row.loss, order.value),
        "eval": value_of(row.eval_loss, order.value),
        "ppl": value_of(row.perplexity, order.value),
        "forgot": value_of(row.forgot, "last"),
    }[order.column]
    return _known(number)


def _known(number: float | None) -> SortKey | None:
    return None if number is None or math.isnan(number) else (number, "")


def order_file(root: Path) -> Path:
    """Where the order of a folder of runs is kept."""
    return state_files.file_of("orders", os.path.realpath(root))


def load(root: Path) -> tuple[SortOrder, str]:
    """The order of a folder of runs, and why it is a fresh one; empty where all is well."""
    order, note = _file(root).load()
    return order or SortOrder(), note


def save(root: Path, order: SortOrder) -> None:
    """Keep the order. Raises OSError."""
    _file(root).save(order)


def _file(root: Path) -> StateFile[SortOrder]:
    return StateFile(
        order_file(root),
        "order",
        lambda content: decode_record(content, SortOrder, SCHEMA, "order"),
        lambda order: encode_record(order, SCHEMA, "order"),
        set_aside=True,
    )


NAME, STEP, CHANGED = "name", "step", "changed"
_PLAIN = (NAME, STEP, CHANGED)


@dataclass(frozen=True, slots=True)
class LogSortOrder:
    """What logs are listed by."""

    column: str = NAME
    """NAME, STEP, CHANGED or a tag; tags are told from those by `tagged`."""
    tagged: bool = False
    value: str = "last"
    """Which value of tags is shown, and sorted by: one of VALUES."""
    falling: bool = False

    @classmethod
    def parse(cls, text: str, falling: bool) -> "LogSortOrder":
        """What `str` gave; by name where it is something else."""
        value, colon, tag = text.partition(":")
        if colon and value in VALUES:
            return cls(tag, True, value, falling)
        return cls(text if text in _PLAIN else NAME, falling=falling)

    def __str__(self) -> str:
        return f"{self.value}:{self.column}" if self.tagged else self.column
