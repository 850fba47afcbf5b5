"""Snapshots that feeds send to screens: frozen values, already read from disk."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.jobs.summary import JobView
from engine.recipes.recipe import TrainRecipe

if TYPE_CHECKING:
    from engine.checkpoints.checkpoint_list import Checkpoint
    from engine.data.dataset_list import DataSet
    from engine.events.log_set import RunLog
    from engine.events.series import Series
    from engine.jobs.devices import Device

SMOOTHING = 0.9
"""Of the smoothed value that runs are sorted by."""
SMOOTHED_POINTS = 256
"""Number of points used for it: the weight of older ones is below 1e-11."""


SPARK_CELLS = 7


@dataclass(frozen=True, slots=True)
class Spark:
    """Data of a sparkline: the curve's shape and its newest value."""

    values: tuple[float, ...]
    """One for each of at most SPARK_CELLS cells, oldest first; or none."""
    last: float
    best: float = math.nan
    """Its best finite value; NaN where it has none, or its tag does not say which are better."""
    smoothed: float = math.nan
    """Its newest value after smoothing."""
    odd: bool = False
    """Whether any of its values is a NaN or an infinity."""


@dataclass(frozen=True, slots=True)
class NotableSteps:
    """Notable steps of a run's checkpoints; None where there is none."""

    best: int | None = None
    within_budget: int | None = None
    """The last checkpoint within the forgetting budget."""
    crossed_at: int | None = None
    """The step at which the budget was first exceeded."""
    ended: str = ""
    """Why it ended early: `patience`, `budget`, or nothing."""
    lost: dict[str, int] = field(default_factory=dict, hash=False)
    """Skills whose alarm was raised, and at which step."""


@dataclass(frozen=True, slots=True)
class RunRow:
    view: JobView
    shipped: bool = False
    """Bundled with finetop and read-only."""
    elsewhere: bool = False
    """In another folder than new runs."""
    output: bool = False
    """Whether it has saved a model or an adapter."""
    loss: Spark | None = None
    eval_loss: Spark | None = None
    perplexity: Spark | None = None
    """By held-out rows."""
    forgot: Spark | None = None
    """Held-out loss shift against the base, in nats per token."""
    notable_steps: NotableSteps | None = None
    curves: Mapping[str, Spark] = field(default_factory=dict)
    """The values of every tag of a job, without shapes."""
    odd_tags: tuple[str, ...] = ()
    """Those of its tags that hold a NaN or an infinity."""
    log: "RunLog | None" = None
    """The contents of a log directory; None for a job."""

    @property
    def path(self) -> Path:
        return self.view.path

    @property
    def key(self) -> str:
        return str(self.view.path)

    @property
    def run_key(self) -> str:
        """The key of saved settings on disk: a job's id, or the name of a log."""
        return self.log.name if self.log is not None else self.view.record.id

    @property
    def tags(self) -> tuple[str, ...]:
        """All that it logged."""
        return self.log.tags if self.log is not None else tuple(self.curves)

    @property
    def has_alarm(self) -> bool:
        """Whether a curve is no number, the forgetting budget is exceeded, or a skill fell."""
        lost = self.notable_steps is not None and bool(self.notable_steps.lost)
        return bool(self.odd_tags) or self.over_budget or lost

    @property
    def budget(self) -> float | None:
        """Forgetting budget of the recipe, nats per token; None without an alarm."""
        recipe = self.view.recipe
        if not isinstance(recipe, TrainRecipe) or not recipe.forgetting.tokens:
            return None
        return recipe.forgetting.budget

    @property
    def over_budget(self) -> bool:
        """Whether the forgetting budget is exceeded; NaN counts as exceeded."""
        return (
            self.forgot is not None
            and self.budget is not None
            and (not self.forgot.last <= self.budget)
        )


@dataclass(frozen=True, slots=True)
class RunsSnapshot:
    """All runs, the shipped ones first, then the newest first."""

    rows: tuple[RunRow, ...] = ()

    def row(self, key: str | None) -> RunRow | None:
        return next((row for row in self.rows if row.key == key), None)


@dataclass(frozen=True, slots=True)
class StepAnswer:
    step: int
    text: str
    """Cleaned, and cut where it is very long."""


@dataclass(frozen=True, slots=True)
class PromptHistory:
    """The answers to one prompt over the steps."""

    prompt: str
    """The last user message, cleaned."""
    answers: tuple[StepAnswer, ...]
    """By step, never empty."""


@dataclass(frozen=True, slots=True, eq=False)
class RunDetail:
    """The watched run, with whole curves. The series are immutable."""

    row: RunRow
    series: "Mapping[str, Series]" = field(default_factory=dict)
    log: tuple[str, ...] = ()
    """Its last lines, cleaned."""
    prompt_histories: tuple[PromptHistory, ...] = ()
    """Its samples, in the order in which the prompts came."""
    problems: tuple[str, ...] = ()
    """What could not be read, cleaned."""
    derived: Mapping[str, str] = field(default_factory=dict)
    """The formula of every series that nobody logged, by its tag."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """All curves of a run that is drawn beside the watched one."""

    series: "Mapping[str, Series]" = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    """The formula of every series that nobody logged, by its tag."""
    problems: tuple[str, ...] = ()
    """The tags with NaN or Inf, cleaned."""


@dataclass(frozen=True, slots=True)
class Machine:
    host: str = ""
    device: str = ""
    busy: int | None = None
    """Percent; None where no run of ours is running, so nothing is measured."""
    memory_used: int = 0
    memory_total: int = 0
    gpus: "tuple[Device, ...]" = ()
    """The visible devices, without utilisation."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models and data sets that a new run can use."""

    checkpoints: "tuple[Checkpoint, ...]" = ()
    datasets: "tuple[DataSet, ...]" = ()
    devices: tuple[str, ...] = ("auto",)
