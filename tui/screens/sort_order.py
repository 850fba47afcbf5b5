"""In which order a list of runs stands; that of Runs is remembered for each folder of runs.

A small file with a version. One that is broken, newer or older is set aside, and a note says so.
The order of watched logs is part of their view: `tui.runs.logs_memory`.
"""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import state_files
from engine.recipes.validation import setting
from engine.state_files import StateFile, decode_record, encode_record
from tui.snapshots import Spark

SCHEMA = 1
JOB_COLUMNS = (
    "", "run", "base", "method", "progress", "ETA", "loss", "eval", "eval ppl", "forgetting",
)  # fmt: skip
"""What jobs can be sorted by; the first is as they were started, families together."""
_RENAMED_COLUMNS = {"on": "base", "how": "method", "left": "ETA", "ppl": "eval ppl",
                    "forgot": "forgetting"}  # fmt: skip
"""Earlier names of columns, which saved orders still have."""
STEP, CHANGED = "step", "changed"
LOG_COLUMNS = ("", STEP, CHANGED)
"""What logs can be sorted by, beside any tag; the first is by name."""
VALUES = ("last", "best", "smoothed")
"""Which value of a curve is shown, and sorted by."""


@dataclass(frozen=True, slots=True)
class SortOrder:
    column: str = setting("", choices=(*JOB_COLUMNS, *LOG_COLUMNS))
    descending: bool = False
    value: str = setting("last", choices=VALUES)
    """Which value of curves is shown, and sorted by."""
    group: str = ""
    """Dotted name of the setting whose values runs are grouped by; empty: they are not."""
    pinned: list[str] = field(default_factory=list)
    """Ids of the runs that are listed before the others, and always drawn."""
    tag: str = ""
    """What was logged under this name is sorted by, in place of a column."""


def value_of(spark: Spark | None, value: str) -> float | None:
    """One value of a curve; None where there is no curve, or no best value."""
    if spark is None or (value == "best" and math.isnan(spark.best)):
        return None
    return {"best": spark.best, "smoothed": spark.smoothed}.get(value, spark.last)


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
        "sort order",
        lambda content: decode_record(content, SortOrder, SCHEMA, "order", upgrade=_upgrade),
        lambda order: encode_record(order, SCHEMA, "order"),
        set_aside=True,
    )


def _upgrade(order: dict[str, Any]) -> dict[str, Any]:
    """A saved order by today's names of fields and columns."""
    order = {"descending": order["falling"], **order} if "falling" in order else dict(order)
    column = order.get("column")
    if isinstance(column, str):
        order["column"] = _RENAMED_COLUMNS.get(column, column)
    return order
