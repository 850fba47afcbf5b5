"""Starting, resuming and stopping jobs.

Launching returns when the worker has written its first status, or raises with the end of its log.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL, SIGTERM
from subprocess import Popen

from engine import atomic
from engine.errors import EngineError, JobFailed
from engine.jobs import continuation, directory, lock, process, session, status
from engine.jobs.directory import JobDirectory
from engine.jobs.recipe import Recipe, TrainRecipe, to_toml
from engine.jobs.status import State
from engine.jobs.store import open_store, remember_root
from engine.text import clean

START_SECONDS = 20.0
"""How long a worker may take to its first status: no heavy import comes before it."""


def launch(
    recipe: Recipe, root: Path, *, parents: Sequence[str] = (), inputs: Sequence[Path] = ()
) -> JobDirectory:
    """Make the job's directory under `root` and start its worker.

    Raises EngineError before anything is made where the worker could not run, and JobFailed with
    the end of its log where it did not come up.
    """
    process.worker_command()
    job = directory.create(root, recipe, parents, inputs)
    remember_root(root)
    _start(job, recipe.kind)
    return job


def launch_training(wanted: TrainRecipe, root: Path) -> JobDirectory:
    """Start a run, after a look at what its recipe names: a wrong name fails here and now.

    Relative paths are written into the run's recipe as absolute ones: it runs in another folder.
    Raises EngineError.
    """
    from engine.catalog import checkpoints, datasets

    runs = [job.path for job in open_store(root).jobs()]
    checkpoint = checkpoints.resolve(wanted.model.checkpoint, runs)
    train = datasets.resolve(wanted.data.train)
    held_out = datasets.resolve(wanted.data.eval) if wanted.data.eval else None
    wanted = replace(
        wanted,
        model=replace(wanted.model, checkpoint=checkpoint.ref),
        data=replace(wanted.data, train=train.ref, eval=held_out.ref if held_out else ""),
    )
    files = [train.path, held_out.path if held_out else train.eval_path]
    inputs = [path for path in files if path is not None]
    return launch(wanted, root, parents=[checkpoint.ref], inputs=inputs)


def resume(job: JobDirectory, recipe: Recipe | None = None, *, adopt: bool = False) -> None:
    """Go on with a job that ended early; `recipe` is given where this attempt changes it.

    A lost job (its host is gone) is resumed only with `adopt`. Raises EngineError where the job
    cannot go on.
    """
    record = job.record()
    if record is None:
        raise EngineError("This is not a run's directory.", str(job.path), "See finetop runs.")
    now = status.read(job)
    state = status.derive(job, now)
    if state.alive:
        raise EngineError(f"{record.name} is {state} already.", str(job.path))
    if state is State.LOST and not adopt:
        host = now.host if now else "another host"
        raise EngineError(
            f"{record.name} ran on {host}, and may still.",
            str(job.path),
            "If that host is gone, resume it with --adopt.",
        )
    if state is State.DONE and (recipe is None or not continuation.goes_further(job, recipe)):
        raise EngineError(
            f"{record.name} is done: nothing is left to train.",
            str(job.path),
            "Give it more, as finetop resume RUN --set training.epochs=6.",
        )
    if recipe is not None:
        continuation.check(job, recipe)
        try:
            atomic.write_text(job.path / ".next-recipe.toml", to_toml(recipe))
        except OSError as error:
            raise _not_started(job, error) from error
    # Its end is written a moment before the lock is free, longer on a slow disk.
    _wait(lambda: lock.holder(job.lock_file) is None, 5.0)
    _start(job, record.kind, "" if recipe is None else "--recipe")


def stop(
    job: JobDirectory,
    *,
    grace: float = 60.0,
    said: Callable[[str], None] = lambda line: None,
) -> State:
    """End a job: ask, then SIGTERM, then SIGKILL; `said` hears which. Returns the state reached.

    Asking saves a checkpoint first. Raises EngineError where it does not run.
    """
    if lock.holder(job.lock_file) is None:
        now = status.read(job)
        state = status.derive(job, now)
        if now is not None and state.alive:
            raise EngineError(f"It is {state} on {now.host}.", str(job.path), "Stop it there.")
        raise EngineError(f"It does not run: it is {state}.", str(job.path))
    try:
        request_stop(job)
    except EngineError as error:
        said(clean(f"{error.title} {error.detail}"))  # a signal asks as well, without the disk
        stages = [(SIGTERM, grace), (SIGKILL, 5.0)]
    else:
        said("asked to stop; it saves first")
        if _wait(lambda: lock.holder(job.lock_file) is None, grace):
            return status.derive(job, status.read(job))
        stages = [(SIGTERM, 10.0), (SIGKILL, 5.0)]
    for number, patience in stages:
        said(f"sent {number.name}")
        process.send_signal(job, number)
        if _wait(lambda: lock.holder(job.lock_file) is None, patience):
            break
    return status.derive(job, status.read(job))


def request_stop(job: JobDirectory) -> None:
    """Ask the running attempt to save and stop; it answers at its next step."""
    number = job.latest_attempt()
    if not number:
        return
    try:
        job.attempt(number).stop_request.touch()
    except OSError as error:
        raise EngineError(
            "The run cannot be asked to stop.",
            f"{error.filename or job.path}: {error.strerror}",
            "Send SIGTERM instead: it saves as well.",
        ) from error


def log_tail(path: Path, lines: int = 15) -> str:
    """The end of a log, safe to show; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 32_768))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(clean(text).splitlines()[-lines:])


def _start(job: JobDirectory, kind: str, *options: str) -> None:
    before = status.read(job)
    command = [
        *session.scope(),
        *process.worker_command(kind, str(job.path), *(option for option in options if option)),
    ]
    try:
        child = process.start_detached(command, job.launch_log)
    except OSError as error:
        raise _not_started(job, error) from error
    if not _wait(lambda: _answered(job, child, before), START_SECONDS) or not _began(job, before):
        log = log_tail(job.launch_log) or log_tail(job.attempt(job.latest_attempt()).log)
        raise JobFailed("The worker did not come up.", log, f"Its log is {job.launch_log}.")


def _not_started(job: JobDirectory, error: OSError) -> EngineError:
    return EngineError(
        "The worker cannot be started.",
        f"{error.filename or job.path}: {error.strerror}",
        "Is the run's directory writable, and is there space left?",
    )


def _answered(job: JobDirectory, child: Popen[bytes], before: status.Status | None) -> bool:
    return _began(job, before) or child.poll() is not None


def _began(job: JobDirectory, before: status.Status | None) -> bool:
    now = status.read(job)
    return now is not None and (before is None or now.attempt > before.attempt)


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
