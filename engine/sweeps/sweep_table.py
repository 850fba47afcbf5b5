"""What came of a sweep: a row for each point, and for each combination of settings over its seeds.

Gained is the mean change of the skills that the run trained, retained that of all others, each
against the run's own base, with its interval over items (`engine.impact.changes.forgetting`). Such
an interval is of one run. Over seeds there are the mean, the lowest and the highest, and how many:
a spread over seeds is no interval of items, and none is made of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import EngineError
from engine.events.event_tags import EVAL_LOSS
from engine.events.log_dir import LogDir
from engine.impact.changes.forgetting import StageMeasure, general_change, trained_change
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import build_matrix
from engine.impact.changes.table_json import mean_to_json
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.impact.results.evaluation_results import EvaluationResults
from engine.impact.results.job_results import read_job_results
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.recipes.recipe import SweepRecipe
from engine.sweeps.grid import SweepPoint, name_bases
from engine.sweeps.points_file import PointRun, list_known_points, read_sweep


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One point."""

    point: SweepPoint
    run: str
    """Its id; empty where there is none."""
    state: str
    """Of the run; `not started`, or `deleted`."""
    reason: str
    """Why it is not done, where that is known; not cleaned."""
    eval_loss: float | None
    """In nats per token: the last one."""
    gained: StageMeasure | None = None
    """None where the evaluation does not hold the run."""
    retained: StageMeasure | None = None


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """One number over seeds."""

    mean: float
    low: float
    high: float
    seeds: int
    """How many have a value."""


@dataclass(frozen=True, slots=True)
class SweepGroup:
    """The points of one combination of settings, which differ in their seed."""

    settings: Mapping[str, Any] = field(hash=False)
    rows: tuple[SweepRow, ...]

    def spread(self, name: str) -> SeedSpread | None:
        """Of `eval_loss`, `gained` or `retained`; None where no seed has it."""
        found = [value for row in self.rows if (value := value_of(row, name)) is not None]
        if not found:
            return None
        return SeedSpread(math.fsum(found) / len(found), min(found), max(found), len(found))


@dataclass(frozen=True, slots=True)
class SweepTable:
    sweep: str
    """Its id."""
    state: str
    evaluation: str
    """The id of the evaluate job; empty where there is none."""
    groups: tuple[SweepGroup, ...]
    trained: tuple[str, ...] = ()
    """The skills that a run trained; all others are those that are retained."""
    notes: tuple[str, ...] = ()
    """What should be known before the numbers are read; not cleaned."""

    @property
    def rows(self) -> list[SweepRow]:
        return [row for group in self.groups for row in group.rows]


def read_sweep_table(job: JobDirectory, store: Store) -> SweepTable:
    """The table of a sweep as it is now. Raises EngineError for a job of another kind."""
    recipe = job.recipe()
    if not isinstance(recipe, SweepRecipe):
        raise EngineError("This job is no sweep.", str(job.path), "See finetop runs.")
    points = list_known_points(job, recipe)
    known = read_sweep(job, store, points)
    evaluation = JobDirectory(job.path.parent / known.evaluation) if known.evaluation else None
    results, notes = _read_results(evaluation)
    bases = name_bases(points)
    groups: dict[str, list[SweepRow]] = {}
    for point in points:
        base = bases[point.recipe.model.checkpoint]
        row = _read_row(job, point, known.of(point.name), results, base)
        groups.setdefault(repr(dict(point.settings)), []).append(row)
    now = status.read(job)
    return SweepTable(
        job.path.name,
        str(status.derive(job, now)),
        known.evaluation,
        tuple(SweepGroup(rows[0].point.settings, tuple(rows)) for rows in groups.values()),
        _list_trained(results, points),
        notes,
    )


def value_of(row: SweepRow, name: str) -> float | None:
    """One of a row's numbers; None where it has none, or one that is not finite."""
    value = getattr(row, name)
    number = value.value if isinstance(value, StageMeasure) else value
    return number if number is not None and math.isfinite(number) else None


def table_to_json(table: SweepTable) -> dict[str, Any]:
    """As `finetop sweep show --json` prints it: no NaN and no infinity."""
    return {
        "sweep": table.sweep,
        "state": table.state,
        "evaluation": table.evaluation or None,
        "trained": list(table.trained),
        "points": [_row_to_json(row) for row in table.rows],
        "settings": [
            {
                "settings": dict(group.settings),
                "seeds": [row.point.seed for row in group.rows],
                **{name: _spread_to_json(group.spread(name)) for name in _NUMBERS},
            }
            for group in table.groups
        ],
        "notes": list(table.notes),
    }


_NUMBERS = ("eval_loss", "gained", "retained")


def _read_row(
    job: JobDirectory,
    point: SweepPoint,
    known: PointRun,
    results: EvaluationResults | None,
    base: str,
) -> SweepRow:
    run = JobDirectory(job.path.parent / known.run) if known.run else None
    if run is None or not run.record_file.exists():
        state = "deleted" if run is not None else "not started"
        return SweepRow(point, known.run, state, known.reason, None)
    now = status.read(run)
    state = str(status.derive(run, now))
    error = now.error.title if now is not None and now.error is not None else ""
    gained = retained = None
    if results is not None and {base, point.name} <= results.arms.keys():
        gained, retained = measure_run(results, base, point.name)
    return SweepRow(
        point, known.run, state, error or known.reason, _eval_loss(run), gained, retained
    )


def measure_run(
    results: EvaluationResults, base: str, arm: str
) -> tuple[StageMeasure, StageMeasure]:
    """What an arm gained and what it retained, against its base."""
    matrix = build_matrix(build_table(results, (base, arm)))
    return trained_change(matrix), general_change(matrix)


def _read_results(job: JobDirectory | None) -> tuple[EvaluationResults | None, tuple[str, ...]]:
    if job is None or not job.results.exists():
        return None, ()
    try:
        results = read_job_results(job)
    except EngineError as error:
        return None, (f"{error.title} {error.detail}",)
    few = [name for name, suite in results.suites.items() if len(suite.items) < LEAST_ITEMS]
    note = f"Not in these means, with fewer than {LEAST_ITEMS} items: {', '.join(few)}."
    return results, (note,) if few else ()


def _list_trained(
    results: EvaluationResults | None, points: Sequence[SweepPoint]
) -> tuple[str, ...]:
    """The skills that the runs were trained on, and not those of a base that is a stage itself."""
    if results is None:
        return ()
    arms = [results.arms[point.name] for point in points if point.name in results.arms]
    return tuple(dict.fromkeys(name for arm in arms for name in arm.trained))


def _eval_loss(run: JobDirectory) -> float | None:
    log = LogDir(run.events)
    log.poll()
    series = log.series.get(EVAL_LOSS)
    return series.last if series is not None else None


def _row_to_json(row: SweepRow) -> dict[str, Any]:
    return {
        "name": row.point.name,
        "settings": dict(row.point.settings),
        "seed": row.point.seed,
        "run": row.run or None,
        "state": row.state,
        "reason": row.reason or None,
        "eval_loss": value_of(row, "eval_loss"),
        "gained": row.gained and mean_to_json(row.gained),
        "retained": row.retained and mean_to_json(row.retained),
    }


def _spread_to_json(spread: SeedSpread | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    return {"mean": spread.mean, "min": spread.low, "max": spread.high, "seeds": spread.seeds}
