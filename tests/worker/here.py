"""A training job in this process: for tests of what is learned, where a process adds nothing."""

import os
from pathlib import Path

from engine.errors import EngineError
from engine.jobs import devices, directory
from engine.jobs.directory import JobDirectory
from engine.jobs.lock import Lock
from engine.jobs.status import State
from engine.recipes.recipe import TrainRecipe
from engine.worker import train
from engine.worker.attempt import Attempt, Stopped


def train_here(wanted: TrainRecipe, root: Path) -> JobDirectory:
    """Run the recipe to its end, as a worker does after it has its device. Raises EngineError."""
    job = directory.create(root, wanted)
    resume_here(job)
    return job


def resume_here(job: JobDirectory, stop_at: int = 0) -> State:
    """Another attempt at a job. It is asked to stop after step `stop_at`, where that is not 0."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    attempt = begin_here(job, stop_at)
    try:
        message = train.run(attempt)
    except Stopped:
        attempt.finish(State.STOPPED)
        return State.STOPPED
    except EngineError:
        attempt.finish(State.FAILED)
        raise
    attempt.finish(State.DONE, message=message)
    return State.DONE


def begin_here(job: JobDirectory, stop_at: int = 0) -> Attempt:
    """An attempt that has its device, the CPU; to be finished by the caller."""
    attempt = _Asked(job, Lock(job.lock_file), stop_at)
    attempt.devices = devices.options("cpu")[0]
    attempt._writer.start()
    return attempt


class _Asked(Attempt):
    """An attempt that is asked to stop once it has made so many steps."""

    def __init__(self, job: JobDirectory, lock: Lock, stop_at: int) -> None:
        super().__init__(job, lock)
        self._stop_at = stop_at
        self.said: list[str] = []

    def stop_requested(self, wait: float = 0.0) -> bool:
        return super().stop_requested(wait) or 0 < self._stop_at <= self._status.step

    def log(self, line: str) -> None:
        with self.files.log.open("a") as file:
            file.write(line + "\n")
