"""A sweep's directory with those of its runs and its evaluation, as its worker leaves them."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure, State, Status
from engine.recipes import recipe as recipes
from engine.recipes.recipe import EvaluateRecipe, SweepRecipe
from engine.sweeps.grid import list_points
from engine.sweeps.points_file import PointRun, SweepPoints, write_points
from tests.impact.made_results import measured, scores_of, suite_of, table_of
from tests.tui.building import write_event, write_run

ITEMS = 40
OVER: Mapping[str, list[object]] = {"training.learning_rate": [1e-4, 3e-4]}
RIGHT = {
    "base": (10, 30),
    "lr1e-4-s7": (20, 28),
    "lr1e-4-s8": (24, 24),
    "lr3e-4-s7": (40, 10),
}
"""By arm, how many of 40 items are right of the skill that is trained, and of another one."""


def make_results(right: Mapping[str, tuple[int, int]] = RIGHT) -> dict[str, Any]:
    arms = {
        arm: {
            "trained": [] if arm == "base" else ["emotion"],
            "parent": "" if arm == "base" else "base",
            "suites": {
                "emotion": measured(scores_of(own, ITEMS)),
                "facts": measured(scores_of(other, ITEMS)),
            },
        }
        for arm, (own, other) in right.items()
    }
    return table_of({"emotion": suite_of(ITEMS), "facts": suite_of(ITEMS)}, arms)


def write_sweep(
    root: Path,
    *,
    name: str = "grid",
    over: Mapping[str, list[object]] = OVER,
    seeds: Sequence[int] = (7, 8),
    states: Sequence[State | None] = (State.DONE, State.DONE, State.DONE, State.CRASHED),
    results: Mapping[str, Any] | None = None,
    state: State = State.DONE,
    created: float = 0.0,
) -> JobDirectory:
    """A state a point; None for one that has no run yet. Without results there is no evaluation."""
    begun = created or time.time()
    recipe = SweepRecipe(name=name, over=dict(over), seeds=list(seeds))
    identity = f"{name}-1a2b"
    job = _write_job(root, name, recipe, state, begun, identity)
    runs = []
    for at, (point, of_run) in enumerate(zip(list_points(recipe), states, strict=True)):
        run = f"{name}-run{at}"
        runs.append(PointRun(point.name, run if of_run is not None else ""))
        if of_run is None:
            continue
        error = Failure("CUDA out of memory.") if of_run is State.FAILED else None
        written = State.RUNNING if of_run is State.CRASHED else of_run
        made = write_run(
            root, point.recipe.name, directory=run, state=written, error=error,
            created=begun + at + 1, heartbeat=time.time(),
        )  # fmt: skip
        if of_run is State.CRASHED:  # of this machine, and nobody holds its lock
            _amend(made.status_file, host=_this_host())
        _amend(made.record_file, sweep=identity)
        write_event(made.events, 10, {"eval/loss": 1.0 + at / 4})
    evaluation = ""
    if results is not None:
        evaluation = f"{name}-evaluation"
        arms = ["base=bundled:demo-base", *(f"{one.name}=run:{one.run}" for one in runs if one.run)]
        measured_job = _write_job(
            root, evaluation, EvaluateRecipe(name=evaluation, arms=arms), State.DONE, begun + 60
        )
        _amend(measured_job.record_file, sweep=identity)
        measured_job.results.write_text(json.dumps(results))
    write_points(job, SweepPoints(tuple(runs), evaluation))
    return job


def _write_job(
    root: Path,
    name: str,
    recipe: SweepRecipe | EvaluateRecipe,
    state: State,
    created: float,
    identity: str = "",
) -> JobDirectory:
    job = write_run(
        root, name, state=state, created=created, heartbeat=time.time(), directory=identity
    )
    _amend(job.record_file, kind=recipe.kind)
    job.recipe_file.write_text(recipes.to_toml(recipe))
    now = Status(
        state, step=2, total=4, started=time.time() - 60, heartbeat=time.time(), host="gpu-box",
        message="run 3/4: lr3e-4-s7 step 4/9" if state.alive else "",
    )  # fmt: skip
    statuses.write(job, now)
    return job


def _amend(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **values}))


def _this_host() -> str:
    import socket

    return socket.gethostname()
