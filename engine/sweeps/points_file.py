"""`points.json` of a sweep: the run of each point, and the evaluation of all of them.

Written by the sweep's worker alone. A run is known by its own record as well (`find_runs`), which
is there from the moment its directory is: this file says which runs there were, also of those that
were deleted since.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from engine import atomic
from engine.jobs.directory import JobDirectory, JobRecord, read_json
from engine.jobs.store import Store
from engine.recipes.recipe import SweepRecipe
from engine.sweeps.grid import SweepPoint, list_points, rename_point

SCHEMA = 1
_LONGEST_NAME = 255
"""Bytes of a folder's name."""


@dataclass(frozen=True, slots=True)
class PointRun:
    """What became of a point."""

    name: str
    run: str = ""
    """The id of its run; empty before it is started."""
    reason: str = ""
    """Why there is none; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class SweepPoints:
    points: tuple[PointRun, ...] = ()
    evaluation: str = ""
    """The id of the evaluate job; empty before it is started."""

    def of(self, name: str) -> PointRun:
        """What is known of a point; nothing of one that is not there."""
        return next((one for one in self.points if one.name == name), PointRun(name))


def read_points(job: JobDirectory) -> SweepPoints:
    """As they are on disk; without any where the file is missing or none of ours."""
    table = read_json(job.points)
    rows = table.get("points") if table is not None and table.get("schema") == SCHEMA else None
    if table is None or not isinstance(rows, list):
        return SweepPoints()
    points = tuple(one for row in rows if (one := _read_point(row)) is not None)
    evaluation = table.get("evaluation")
    return SweepPoints(points, evaluation if _is_id(evaluation) else "")


def list_known_points(job: JobDirectory, recipe: SweepRecipe) -> tuple[SweepPoint, ...]:
    """The points of a sweep under the names that they had when it began, by which its runs are
    known: another version of the program may make other names. Raises EngineError."""
    points, names = list_points(recipe), [one.name for one in read_points(job).points]
    if len(set(names)) != len(points):
        return points
    pairs = zip(points, names, strict=True)
    return tuple(rename_point(point, name, recipe) for point, name in pairs)


def write_points(job: JobDirectory, points: SweepPoints) -> None:
    """Replace the file. Raises OSError."""
    rows = [{"name": one.name, "run": one.run, "reason": one.reason} for one in points.points]
    table = {"schema": SCHEMA, "points": rows, "evaluation": points.evaluation}
    atomic.write_text(job.points, json.dumps(table, indent=1) + "\n")


def find_runs(sweep: str, store: Store) -> dict[str, JobDirectory]:
    """The training runs that a sweep has started, by their names."""
    return {record.name: job for job, record in _find_jobs(sweep, "train", store)}


def find_evaluations(sweep: str, store: Store) -> list[JobDirectory]:
    """The evaluate jobs that a sweep has started, the newest first."""
    found = _find_jobs(sweep, "evaluate", store)
    return [job for job, _ in sorted(found, key=lambda one: -one[1].created)]


def read_sweep(job: JobDirectory, store: Store, points: Sequence[SweepPoint]) -> SweepPoints:
    """Every point, in their order, with the run that the file names or that names the sweep."""
    record = store.record(job)
    known, found = read_points(job), find_runs(record.id if record else job.path.name, store)
    runs = []
    for point in points:
        run = found.get(point.recipe.name)
        runs.append(known.of(point.name) if run is None else PointRun(point.name, run.path.name))
    return SweepPoints(tuple(runs), known.evaluation)


def evaluation_of(job: JobDirectory) -> JobDirectory:
    """The evaluation of a sweep; the job itself where it is no sweep or has none yet."""
    evaluation = JobDirectory(job.path.parent / read_points(job).evaluation)
    return evaluation if evaluation.record_file.exists() else job


def _find_jobs(sweep: str, kind: str, store: Store) -> list[tuple[JobDirectory, JobRecord]]:
    found = [(job, store.record(job)) for job in store.jobs()]
    return [
        (job, record)
        for job, record in found
        if record is not None and record.sweep == sweep and record.kind == kind
    ]


def _read_point(row: object) -> PointRun | None:
    if not isinstance(row, dict):
        return None
    values = [row.get(key, "") for key in ("name", "run", "reason")]
    if not values[0] or not all(isinstance(value, str) for value in values):
        return None
    name, run, reason = values
    return PointRun(name, run if _is_id(run) else "", reason)


def _is_id(value: object) -> TypeGuard[str]:
    """Whether a job beside the sweep may be called so: a file may hold any text, also a path."""
    return (
        isinstance(value, str)
        and not {"/", "\0"} & set(value)
        and value not in (".", "..")
        and len(value.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME
    )
