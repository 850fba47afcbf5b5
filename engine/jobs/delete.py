"""Permanently deleting a run: which runs may be deleted, atomically.

Asks for no confirmation: the caller has had the user type the name of the run.
"""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from engine.errors import EngineError
from engine.jobs import lock, status
from engine.jobs.directory import JobDirectory, name_partial
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.recipes.recipe import ExportRecipe

MARK = ".removing-"
"""How the name begins of what is being removed, renamed first."""


def check(job: JobDirectory, store: Store) -> None:
    """Raises EngineError for a run that cannot be deleted or pruned: the bundled one, a link, or
    one that (perhaps) runs."""
    if job in store.shipped:
        raise EngineError("This run is bundled with finetop.", str(job.path), "Hide it instead.")
    record = store.record(job)
    name = record.name if record else job.path.name
    if job.path.is_symlink():
        raise EngineError(
            f"{name} is a link to another folder.",
            f"{job.path} -> {os.readlink(job.path)}",
            "Name the run where it lies; remove the link by hand.",
        )
    state = status.derive(job, status.read(job))
    if state.alive or lock.holder(job.lock_file) is not None:
        raise EngineError(f"{name} is {state}.", str(job.path), "Stop it first.")
    if state is State.LOST:
        raise EngineError(
            f"{name} may still run on another host.",
            str(job.path),
            "Resume, delete or prune it there.",
        )


def remove(job: JobDirectory, store: Store) -> None:
    """Delete a run's directory, and what removals that were cut short left beside it.

    Raises EngineError as `check` does, and where the disk refuses: before anything is deleted where
    that can be known, else with the rest of the run in its place again.
    """
    check(job, store)
    for folder, _, _ in os.walk(job.path):
        if reason := why_not_writable(Path(folder)):
            raise _refused(f"{folder}: {reason}")
    partial = _find_partial(job)
    # Renamed first, so that a removal that is cut short leaves no half run in the list.
    going = job.path.with_name(f"{MARK}{job.path.name}")
    try:
        job.path.rename(going)
    except OSError as error:
        raise _refused(f"{job.path}: {error.strerror}") from error
    try:
        shutil.rmtree(going)
    except OSError as error:
        with suppress(OSError):
            going.rename(job.path)
        raise _refused(f"{error.filename}: {error.strerror}") from error
    if partial is not None:
        shutil.rmtree(partial, ignore_errors=True)
    for rest in job.path.parent.glob(f"{MARK}*"):
        shutil.rmtree(rest, ignore_errors=True)


def _find_partial(job: JobDirectory) -> Path | None:
    """The hidden folder in which a killed export was writing; None where there is none of this job,
    by its whole name. A link in its place is nobody's work, and stays."""
    try:
        recipe = job.recipe()
    except EngineError:
        return None
    if not isinstance(recipe, ExportRecipe) or not recipe.out:
        return None
    partial = name_partial(Path(recipe.out), job.path.name)
    return partial if partial.is_dir() and not partial.is_symlink() else None


def why_not_writable(folder: Path) -> str:
    """Why nothing in a folder can be removed, as the system says it; empty where it can."""
    if os.access(folder, os.W_OK | os.X_OK):
        return ""
    read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    return os.strerror(errno.EROFS if read_only else errno.EACCES)


def _refused(detail: str) -> EngineError:
    return EngineError(
        "The run could not be deleted.", detail, "Check owner and permissions of its folder."
    )
