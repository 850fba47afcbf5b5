"""Permanently deleting a run: which runs may be deleted, atomically.

Asks for no confirmation: the caller has had the user type the name of the run.
"""

import shutil

from engine.errors import EngineError
from engine.jobs import lock, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import Store


def check(job: JobDirectory, store: Store) -> None:
    """Raises EngineError for a run that cannot be deleted: the bundled one, or one that (perhaps)
    runs."""
    if job in store.shipped:
        raise EngineError("This run is bundled with finetop.", str(job.path), "Hide it instead.")
    record = job.record()
    name = record.name if record else job.path.name
    state = status.derive(job, status.read(job))
    if state.alive or lock.holder(job.lock_file) is not None:
        raise EngineError(f"{name} is {state}.", str(job.path), "Stop it first.")
    if state is State.LOST:
        raise EngineError(
            f"{name} may still run on another host.", str(job.path), "Resume or delete it there."
        )


def remove(job: JobDirectory, store: Store) -> None:
    """Delete a run's directory. Raises EngineError as `check` does, and where the disk refuses."""
    check(job, store)
    # Renamed first, so that a removal that is cut short leaves no half run in the list.
    going = job.path.with_name(f".removing-{job.path.name}")
    try:
        job.path.rename(going)
        shutil.rmtree(going)
    except OSError as error:
        raise EngineError(
            "The run could not be deleted.",
            f"{error.filename}: {error.strerror}",
            "Check owner and permissions of its folder.",
        ) from error
