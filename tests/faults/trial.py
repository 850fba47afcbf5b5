"""One fault trial: a run in a folder of its own, its faults, its resumes, and what it must keep.

Knows no kind of fault (`trials`). Workers are real, forked from one that has its libraries loaded.
"""

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from engine.errors import EngineError
from engine.jobs import launch, lock, status
from engine.jobs.directory import JobDirectory, step_of
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.launching import resume
from engine.worker.training import checkpoints
from tests.faults import reference
from tests.faults.injection import VARIABLE, Fault
from tests.faults.verdict import HANG_SECONDS, HungError, LostError

RESUMES = 4
"""How often a run is resumed at most; none needs more than one or two."""


@dataclass(frozen=True, slots=True)
class World:
    """What all trials of a benchmark share."""

    inputs: Path
    undisturbed: JobDirectory
    seconds: float
    """How long the undisturbed run took, from its launch to its end."""
    operations: dict[str, int]
    """How many file operations it made, by class."""

    @property
    def limit(self) -> float:
        """Seconds after which something hangs: 30, or more on a machine that is busy."""
        return max(HANG_SECONDS, 15 * self.seconds)


@dataclass(slots=True)
class Trial:
    """One run that is disturbed, in a folder of its own."""

    world: World
    folder: Path
    random: Random
    notes: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "runs"

    def launch(self, fault: Fault | None = None) -> JobDirectory:
        """Launch the run, its worker with this fault, which may keep it from its first status.

        Raises EngineError where there is no run then.
        """
        with _environment(fault, self.root):
            try:
                return launch.launch(reference.make_recipe(self.world.inputs), self.root)
            except EngineError as error:
                jobs = Store(self.root).jobs()
                if fault is None or not jobs:
                    raise
                self.notes.append(f"launch: {error.title} {error.detail}".strip())
        (job,) = jobs
        os.utime(job.path, (0, 0))  # it did not begin and is not about to
        return job

    def resume(self, job: JobDirectory, fault: Fault | None = None) -> None:
        """Resume it; one whose worker is kept from its first status says so."""
        with _environment(fault, self.root):
            try:
                resume.resume_job(job)
            except EngineError as error:
                if fault is None:
                    raise
                self.notes.append(f"resume: {error.title}")

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Raises HungError where it does not come."""
        deadline = time.monotonic() + self.world.limit
        while not condition():
            if time.monotonic() > deadline:
                raise HungError(f"did not come within {self.world.limit:.0f} s: {what}")
            time.sleep(0.02)

    def wait_for_end(self, job: JobDirectory) -> State:
        """The state of a run that has ended; where it failed, the reason stands in the status."""
        self.wait(lambda: not state_of(job).alive, "an end")
        self.wait(lambda: lock.holder(job.lock_file) is None, "the end of the process")
        state = state_of(job)
        now = status.read(job)
        if state is State.FAILED and not (now and now.error and now.error.title):
            raise LostError("failed without a reason")
        self.notes.append(str(state))
        return state

    def pause(self) -> None:
        """Wait for a moment at random within the undisturbed run's time."""
        time.sleep(self.random.uniform(0, self.world.seconds))

    def fault(self, action: str, place: str = "any", **more: float | int | str) -> Fault:
        """A fault at a random one of the operations that the undisturbed run made there."""
        counts = self.world.operations
        most = counts.get(place, 0) if place != "any" else sum(counts.values())
        at = self.random.randint(1, max(1, most))
        return replace(Fault(action, at, place), **more)  # type: ignore[arg-type]

    def finish(self, job: JobDirectory) -> None:
        """Resume until done, nothing of what was on disk lost; compare. Raises what is wrong."""
        for _ in range(RESUMES):
            if state_of(job) is State.DONE:
                break
            before = _Acknowledged.of(job)
            self.resume(job)
            self.wait_for_end(job)
            before.check(job)
        reference.compare(job, self.world.undisturbed)


@dataclass(frozen=True, slots=True)
class _Acknowledged:
    """What a run has on disk between two attempts."""

    events: dict[str, bytes]
    checkpoint: int
    """Step of the newest checkpoint that verifies; 0 where there is none."""
    attempt: int

    @classmethod
    def of(cls, job: JobDirectory) -> "_Acknowledged":
        reference.check_files(job)
        newest = checkpoints.newest(job.checkpoints)
        return cls(
            {path.name: path.read_bytes() for path in job.events.iterdir()},
            step_of(newest) if newest is not None else 0,
            job.latest_attempt(),
        )

    def check(self, job: JobDirectory) -> None:
        """Raises LostError where an attempt took something away."""
        for name, data in self.events.items():
            path = job.events / name
            if not path.exists() or not path.read_bytes().startswith(data):
                raise LostError(f"events/{name} is shorter than it was")
        log = job.attempt(self.attempt + 1).log
        text = log.read_text(errors="replace") if log.exists() else ""
        if self.checkpoint and "training from step" in text:
            first = int(text.partition("training from step ")[2].split()[0])
            if first < self.checkpoint:
                raise LostError(f"resumed from step {first}, not {self.checkpoint}")


def state_of(job: JobDirectory) -> State:
    return status.derive(job, status.read(job))


def send_signal(job: JobDirectory, number: signal.Signals) -> None:
    """Signal the worker where there is one."""
    if pid := lock.holder(job.lock_file):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def clean_up(trial: Trial) -> None:
    """End what is left of a trial, and remove its folder."""
    for path in trial.root.glob("*/alive.lock"):
        if pid := lock.holder(path):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for thread in threading.enumerate():
        if thread.name == "reaper":
            thread.join(1.0)
    shutil.rmtree(trial.folder, ignore_errors=True)


@contextlib.contextmanager
def _environment(fault: Fault | None, below: Path) -> Iterator[None]:
    """The environment of the worker that is started meanwhile."""
    if fault is not None:
        os.environ.update(replace(fault, below=fault.below or str(below)).environ())
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
