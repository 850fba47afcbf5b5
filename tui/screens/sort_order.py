"""In which order a list of runs stands; that of Runs is remembered for each folder of runs.

A small file with a version. One that is broken, newer or older is left out, and a note says so.
The order of watched logs is part of their view: `tui.runs.log_list_memory`.
"""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from engine import atomic
from engine.jobs.store import state_folder
from engine.recipes import validation
from engine.recipes.validation import setting
from engine.text import one_line
from tui.snapshots import Spark

SCHEMA = 1
JOB_COLUMNS = ("", "run", "on", "how", "progress", "left", "loss", "eval", "ppl", "forgot")
"""What jobs can be sorted by; the first is as they were started, families together."""
STEP, CHANGED = "step", "changed"
LOG_COLUMNS = ("", STEP, CHANGED)
"""What logs can be sorted by, beside any tag; the first is by name."""
VALUES = ("last", "best", "smoothed")
"""Which value of a curve is shown, and sorted by."""
_LARGEST = 1 << 16


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
    """One value of a curve; None where there is no curve."""
    if spark is None:
        return None
    return {"best": spark.best, "smoothed": spark.smoothed}.get(value, spark.last)


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
    if isinstance(kept, dict) and "falling" in kept:  # as version 1 called it
        kept = {"descending": kept["falling"], **kept}
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
