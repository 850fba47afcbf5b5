"""The `sweep` job: a run for each point, into the queue, then one evaluation of base and runs.

Imports no heavy library and holds no device: its runs are jobs of their own, which outlive it. A
run is known by its own record, which names the sweep: whatever is killed and when, no point is
started twice. One that fails or is killed does not end the sweep.

It must never ask whether its own job is alive: a second look at its own lock frees it (see
`engine.jobs.lock`).
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine.errors import EngineError
from engine.jobs import launch, lock, queue, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.jobs.store import open_store
from engine.launching.evaluation import launch_evaluation, locate_evaluation
from engine.launching.resume import resume_job
from engine.launching.sweep import make_evaluation
from engine.launching.training import launch_training
from engine.recipes.recipe import EvaluateRecipe, SweepRecipe
from engine.sweeps.grid import SweepPoint
from engine.sweeps.points_file import (
    PointRun,
    SweepPoints,
    find_evaluations,
    list_known_points,
    read_sweep,
    write_points,
)
from engine.text import one_line
from engine.worker.attempt import Attempt, Stopped

POLL_SECONDS = 0.5
_WAITING = (State.QUEUED, State.STARTING)
"""A run in one of these keeps the next one from being started: one in the queue is enough."""


def run(attempt: Attempt) -> str:
    """Train all points, then measure them. Raises Stopped, EngineError."""
    recipe = attempt.recipe
    assert isinstance(recipe, SweepRecipe)
    find_all_packages()
    runs = SweepRuns(attempt, list_known_points(attempt.directory, recipe))
    runs.train()
    left = runs.report()
    message = _evaluate(attempt, recipe, runs)
    return message + (f", {left} left out (see the log)" if left else "")


def find_all_packages() -> None:
    """Lift what `set_environment` keeps away from libraries that a sweep does not load: a run in 4
    bits would be refused, because its package reads as not installed."""
    sys.modules.pop("bitsandbytes", None)


@dataclass(slots=True)
class _PointJob:
    """A point while its sweep runs."""

    point: SweepPoint
    run: str = ""
    """The id of its run; also of one that was deleted, which is not started again."""
    job: JobDirectory | None = None
    reason: str = ""
    """Why it has no run, or why that does not go on."""
    begun: bool = False
    """Whether this attempt has started or resumed it, or found it at work."""
    state: State | None = None
    now: Status | None = None

    @property
    def is_alive(self) -> bool:
        return self.state is not None and self.state.alive

    @property
    def is_done(self) -> bool:
        return self.state is State.DONE

    @property
    def is_due(self) -> bool:
        """Whether it is to be started or resumed: once an attempt."""
        return not (self.begun or self.is_alive or self.is_done or (self.reason and not self.job))

    def take(self, job: JobDirectory) -> None:
        self.run, self.job = job.path.name, job

    def look(self) -> None:
        """Read how far its run is."""
        if self.job is None:
            return
        if not self.job.record_file.exists():
            self.job, self.state, self.now, self.reason = None, None, None, "its run was deleted"
            return
        self.now = status.read(self.job)
        self.state = status.derive(self.job, self.now)
        # A directory without an attempt is a start that was cut short: to be made good.
        self.begun |= self.state.alive and self.job.latest_attempt() > 0


class SweepRuns:
    """The runs of a sweep's points, started one after another."""

    def __init__(self, attempt: Attempt, points: Sequence[SweepPoint]) -> None:
        self._attempt = attempt
        self._root = attempt.directory.path.parent
        known = read_sweep(attempt.directory, open_store(self._root), points)
        self._evaluation = known.evaluation
        self._runs = [self._find(point, known.of(point.name)) for point in points]
        self._write()

    def train(self) -> None:
        """Start or resume every run that is not done, and wait until all have ended. Raises Stopped
        once those at work have ended, where somebody asked for it."""
        while True:
            for one in self._runs:
                one.look()
            due = [one for one in self._runs if one.is_due]
            alive = [one for one in self._runs if one.is_alive]
            if not due and not alive:
                return
            if due and not any(one.state in _WAITING for one in alive):
                self._begin(due[0])
                continue
            self._show(alive)
            if self._attempt.stop_requested(wait=POLL_SECONDS):
                stop_jobs(self._attempt, [one.job for one in alive if one.job is not None])

    def report(self) -> int:
        """Write which points have no run that is done, and why; how many these are."""
        rows = [
            {
                "point": one.point.name,
                "run": one.run,
                "state": str(one.state) if one.state is not None else "not started",
                "reason": one.reason or _title_of(one.now),
            }
            for one in self._runs
            if not one.is_done
        ]
        self._attempt.directory.rejects.unlink(missing_ok=True)  # of an attempt before this one
        if rows:
            self._attempt.reject(rows, "runs left out")
        return len(rows)

    def list_done(self) -> dict[str, str]:
        """The runs to be measured, by the names of their points."""
        return {one.point.name: one.run for one in self._runs if one.is_done}

    @property
    def points(self) -> list[SweepPoint]:
        return [one.point for one in self._runs]

    def name_evaluation(self, job: JobDirectory) -> None:
        self._evaluation = job.path.name
        self._write()

    def _find(self, point: SweepPoint, known: PointRun) -> _PointJob:
        one = _PointJob(point)
        if known.run:
            one.take(JobDirectory(self._root / known.run))
            one.look()
        return one

    def _begin(self, one: _PointJob) -> None:
        """Start its run, or resume the one it has. What is refused is kept as the reason."""
        one.begun, one.reason = True, ""
        name = one.point.recipe.name
        try:
            if one.job is not None:
                self._attempt.log(f"resuming {one.job.path.name}")
                resume_job(one.job)
            else:
                self._attempt.log(f"starting {one_line(name)}")
                identity = self._attempt.record.id
                one.take(launch_training(one.point.recipe, self._root, sweep=identity))
        except EngineError as error:
            one.reason = one_line(" ".join(filter(None, (error.title, error.detail))))
            self._attempt.log(f"{one_line(name)}: {one.reason}")
            if one.job is None:  # a worker that did not start has its directory all the same
                store = open_store(self._root)
                run = read_sweep(self._attempt.directory, store, [one.point]).points[0].run
                if run:
                    one.take(JobDirectory(self._root / run))
        self._write()

    def _write(self) -> None:
        points = tuple(PointRun(one.point.name, one.run, one.reason) for one in self._runs)
        write_points(self._attempt.directory, SweepPoints(points, self._evaluation))

    def _show(self, alive: Sequence[_PointJob]) -> None:
        total = len(self._runs)
        ended = [one for one in self._runs if one.is_done or (one.begun and not one.is_alive)]
        failed = sum(not one.is_done for one in ended)
        at_work = ", ".join(
            f"{one.point.name} {_progress_of(one)}" for one in alive if one.state is not None
        )
        parts = [f"run {min(len(ended) + 1, total)}/{total}: {at_work}" if at_work else ""]
        parts += [f"{failed} failed"] if failed else []
        self._attempt.progress(
            len(ended),
            total,
            message="; ".join(filter(None, parts)),
            eta_seconds=seconds_left(
                [one.now for one in self._runs if one.is_done and one.now],
                [one.now for one in alive if one.now],
                sum(one.is_due for one in self._runs),
            ),
            eta_basis="without the evaluation",
        )


def seconds_left(done: Sequence[Status], alive: Sequence[Status], due: int) -> float | None:
    """Until the last run ends: those at work by their own word, all others as long as those that
    are known took on average, as many at once as now. None where no run says how long it takes."""
    lengths = [one.running_seconds for one in done]
    lengths += [
        one.running_seconds + one.eta_seconds for one in alive if one.eta_seconds is not None
    ]
    if not lengths:
        return None
    usual = sum(lengths) / len(lengths)
    own = [one.eta_seconds for one in alive if one.eta_seconds is not None]
    others = len(alive) - len(own) + due
    return (sum(own) + others * usual) / max(1, len(own))


def stop_jobs(attempt: Attempt, jobs: Sequence[JobDirectory]) -> None:
    """Stop these jobs, and wait for their ends: what runs saves, what waits leaves the queue.

    Raises Stopped.
    """
    for job in jobs:
        with suppress(EngineError):  # it does not wait
            queue.cancel(job.path.name)
            attempt.log(f"{job.path.name} removed from the queue")
            continue
        try:
            launch.request_stop(job)
            attempt.log(f"{job.path.name} is asked to stop")
        except EngineError as error:
            attempt.log(one_line(f"{error.title} {error.detail}"))
    while alive := [job for job in jobs if lock.holder(job.lock_file) is not None]:
        names = ", ".join(job.path.name for job in alive)
        attempt.update(state=State.STOPPING, message=f"stopping {names}")
        time.sleep(POLL_SECONDS)
    raise Stopped


def _evaluate(attempt: Attempt, recipe: SweepRecipe, runs: SweepRuns) -> str:
    """Measure the bases and the runs that are done, in one job, so that all are paired. Raises
    Stopped, EngineError."""
    root, done = attempt.directory.path.parent, runs.list_done()
    if not done:
        raise EngineError(
            "No run of this sweep is done.",
            "Nothing to evaluate; rejects.jsonl has a reason for each run.",
            f"finetop resume {attempt.record.id} tries them once more.",
        )
    wanted = locate_evaluation(make_evaluation(recipe, runs.points, done), root)
    job = _find_evaluation(attempt, wanted)
    if job is None:
        job = launch_evaluation(wanted, root, sweep=attempt.record.id)
        attempt.log(f"evaluating in {job.path.name}")
    elif not (state := status.derive(job, status.read(job))).alive and state is not State.DONE:
        attempt.log(f"resuming {job.path.name}")
        resume_job(job)
    runs.name_evaluation(job)
    total = len(runs.points)

    def show(now: Status | None) -> None:
        at, of = (now.step, now.total) if now is not None else (0, 0)
        left = now.eta_seconds if now is not None else None
        attempt.show_activity("evaluating", at, of, left)
        message = f"evaluating: {now.message if now is not None else 'starting'}"
        attempt.progress(total, total, message=message, eta_seconds=left, eta_basis="")

    state, now = _follow(attempt, job, show)
    if state is not State.DONE:
        raise EngineError(
            f"The evaluation of this sweep {state}.",
            " ".join(filter(None, (job.path.name, _title_of(now)))),
            f"finetop resume {attempt.record.id} resumes it.",
        )
    return f"{len(done)} of {total} runs measured in {job.path.name}"


def _find_evaluation(attempt: Attempt, wanted: EvaluateRecipe) -> JobDirectory | None:
    """The newest evaluation that an attempt before this one has started of the same arms."""
    for job in find_evaluations(attempt.record.id, open_store(attempt.directory.path.parent)):
        try:
            found = job.recipe()
        except EngineError:
            continue
        if found == wanted:
            return job
    return None


def _follow(
    attempt: Attempt, job: JobDirectory, show: Callable[[Status | None], None]
) -> tuple[State, Status | None]:
    """Wait for the end of a job. Raises Stopped once it has ended, where somebody asked for it."""
    while True:
        now = status.read(job)
        state = status.derive(job, now)
        if not state.alive:
            return state, status.read(job)
        show(now)
        if attempt.stop_requested(wait=POLL_SECONDS):
            attempt.show_activity("")
            stop_jobs(attempt, [job])


def _progress_of(one: _PointJob) -> str:
    now = one.now
    if now is None or one.state is not State.RUNNING or not now.total:
        return one_line(now.message) if now is not None and now.message else str(one.state)
    return f"step {now.step}/{now.total}"


def _title_of(now: Status | None) -> str:
    return one_line(now.error.title) if now is not None and now.error is not None else ""
