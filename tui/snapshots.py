"""What the feed hands to the screens: frozen values, already read from disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.jobs.views import JobView

if TYPE_CHECKING:
    from engine.events.series import Series


SPARK_CELLS = 7


@dataclass(frozen=True, slots=True)
class Spark:
    """A curve in small: its shape for a sparkline, and its newest value."""

    values: tuple[float, ...]
    """One for each of at most SPARK_CELLS cells, oldest first."""
    last: float


@dataclass(frozen=True, slots=True)
class RunRow:
    view: JobView
    shipped: bool = False
    """Comes with the program and is read-only."""
    elsewhere: bool = False
    """Lies in another folder than new runs do."""
    output: bool = False
    """Whether it has left a model or an adapter."""
    loss: Spark | None = None
    eval_loss: Spark | None = None
    perplexity: Spark | None = None
    """By held-out rows where there are any, else by training."""

    @property
    def path(self) -> Path:
        return self.view.path

    @property
    def key(self) -> str:
        return str(self.view.path)


@dataclass(frozen=True, slots=True)
class RunsSnapshot:
    """All runs, the shipped ones first, then the newest first."""

    rows: tuple[RunRow, ...] = ()

    def row(self, key: str | None) -> RunRow | None:
        return next((row for row in self.rows if row.key == key), None)


@dataclass(frozen=True, slots=True, eq=False)
class RunDetail:
    """The watched run, with whole curves. The series are never changed by who made them."""

    row: RunRow
    series: "Mapping[str, Series]" = field(default_factory=dict)
    log: tuple[str, ...] = ()
    """Its last lines, cleaned."""
    problems: tuple[str, ...] = ()
    """What could not be read, cleaned."""


@dataclass(frozen=True, slots=True)
class Machine:
    host: str = ""
    device: str = ""
    busy: int | None = None
    """Percent; None where nothing of ours is live, and so nothing is measured again and again."""
    memory_used: int = 0
    memory_total: int = 0
