"""What a run has measured so far, evaluation by evaluation.

It is kept in every checkpoint, so that a run that goes on knows as much as one that never stopped.
What follows from it is worked out anew each time, in `stopping_rules`: a recipe may change the
rules.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import atomic
from engine.impact.watched.skill_log import SkillLog

FILE = "measured.json"
"""Its name in a checkpoint."""

Series = list[tuple[int, float]]


@dataclass(slots=True)
class History:
    """Values by tag at each evaluated step, in order."""

    rows: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    logged: dict[str, float] = field(default_factory=dict)
    """What training logged last, by tag: a train tag may be the metric as well."""
    total: int = 0
    """The step that the run was to end with, when this was noted; 0 before it was known."""
    pending: bool = False
    """Whether the step of this checkpoint was to be evaluated, and a stop came between."""
    skills: SkillLog = field(default_factory=SkillLog)
    """What the items of the run's suites came to; it has a file of its own, and none of it stands
    in a checkpoint."""

    @property
    def last(self) -> int:
        """The step of the last evaluation; -1 where there was none."""
        return self.rows[-1][0] if self.rows else -1

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Note what was measured at a step, beside what training logged there."""
        self.rows.append((step, {**(self.logged if step else {}), **values}))

    def series(self, tag: str) -> Series:
        """Step and value of each evaluation that has the tag."""
        return [(step, values[tag]) for step, values in self.rows if tag in values]

    def write(self, folder: Path) -> None:
        """Write it into a checkpoint that is being made."""
        table = {
            "rows": [[step, _finite(values)] for step, values in self.rows],
            "logged": _finite(self.logged),
            "total": self.total,
            "pending": self.pending,
        }
        atomic.write_json(folder / FILE, table, durable=False)

    @classmethod
    def read(cls, checkpoint: Path) -> "History":
        """That of a checkpoint that verifies; an empty one where an older finetop made it."""
        try:
            table = json.loads((checkpoint / FILE).read_bytes())
        except FileNotFoundError:
            return cls()
        rows = [(int(step), _floats(values)) for step, values in table["rows"]]
        logged = _floats(table["logged"])
        return cls(rows, logged, int(table["total"]), bool(table["pending"]))


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """As JSON knows it: null is what is not a number."""
    return {tag: value if math.isfinite(value) else None for tag, value in values.items()}


def _floats(values: Mapping[str, Any]) -> dict[str, float]:
    return {tag: math.nan if value is None else float(value) for tag, value in values.items()}
