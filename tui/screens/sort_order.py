"""In which order Runs lists what there is, remembered for each folder of runs.

A small file with a version. One that is broken, newer or older is left out, and a note says so.
"""

import dataclasses
import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from engine import atomic
from engine.jobs.store import state_folder
from engine.recipes import validation
from engine.recipes.validation import setting
from engine.text import one_line
from tui.formatting import state_words
from tui.snapshots import RunRow, Spark

SCHEMA = 1
SORT_COLUMNS = ("", "run", "on", "how", "progress", "left", "loss", "eval", "ppl", "forgot")
"""What can be sorted by; the first is as they were started, families together."""
VALUES = ("last", "best", "smoothed")
"""Which value of a curve is shown, and sorted by."""
_LARGEST = 1 << 16

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
    name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:24]
    return state_folder() / "orders" / f"{name}.json"


def load(root: Path) -> tuple[SortOrder, str]:
    """The order of a folder of runs, and why it is a fresh one; empty where all is well."""
    try:
        with order_file(root).open("rb") as file:
            table = json.loads(file.read(_LARGEST))
    except FileNotFoundError:
        return SortOrder(), ""
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        return SortOrder(), f"The order of last time is not used: {one_line(reason)}."
    if not isinstance(table, dict) or table.get("schema") != SCHEMA:
        return SortOrder(), "The order of last time is of another finetop, so this is a fresh one."
    kept = table.get("order")
    order = validation.from_untrusted(SortOrder, kept) if isinstance(kept, dict) else None
    if order is None:
        return SortOrder(), "The order of last time holds something else, so this is a fresh one."
    return order, ""


def save(root: Path, order: SortOrder) -> None:
    """Keep the order. Raises OSError."""
    path = order_file(root)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    table = {"schema": SCHEMA, "order": dataclasses.asdict(order)}
    atomic.write_json(path, table, durable=False)


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
