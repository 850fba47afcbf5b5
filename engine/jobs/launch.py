"""Starting and stopping a job's worker.

Launching returns when the worker has written its first status, or raises with the end of its log.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM

from engine import atomic
from engine.errors import EngineError, JobFailed
from engine.jobs import devices, directory, lock, logout, process, queue, status, write_errors
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.status import State
from engine.jobs.store import remember_root
from engine.recipes.recipe import Recipe, to_toml
from engine.safe_open import open_file
from engine.text import clean

START_SECONDS = 20.0
"""How long a worker may take to its first status: no heavy import comes before it."""
END_SECONDS = 5.0
"""How long a worker may take from its last status to its end."""
SIGN_SECONDS = 20.0
"""A worker whose heartbeat is younger than this counts as alive."""


def launch(
    recipe: Recipe,
    root: Path,
    *,
    parents: Sequence[str] = (),
    inputs: Sequence[Path] = (),
    needs_device: bool = True,
    sweep: str = "",
    fill: Callable[[JobDirectory], object] = lambda _: None,
) -> JobDirectory:
    """Make the job's directory under `root` and start its worker; `sweep` is the id of the sweep
    that does so.

    `fill` writes what is in the directory from the start. A job that needs no device needs no
    library of models either. Raises EngineError before anything is created where the worker could
    not run, and JobFailed with the end of its log where it did not start.
    """
    process.worker_command(needs=_packages(needs_device))
    if needs_device:
        devices.options(recipe.device)
    queue.check_locks()
    job = directory.create(root, recipe, parents, inputs, fill, sweep=sweep)
    remember_root(root)
    start(job, recipe.kind, needs_device=needs_device)
    return job


def stop(
    job: JobDirectory,
    *,
    grace: float = 60.0,
    saving: float = 1800.0,
    said: Callable[[str], None] = lambda line: None,
) -> State:
    """End a job: stop request, SIGTERM, SIGKILL; `said` is called with each step. Returns the
    state.

    Asking saves a checkpoint first. `grace` is how long the worker may take, in seconds; while it
    is saving it has up to `saving` more. Raises EngineError where it does not run.
    """
    if lock.holder(job.lock_file) is None:
        now = status.read(job)
        state = status.derive(job, now)
        if now is not None and state.alive:
            raise EngineError(f"The job is {state} on {now.host}.", str(job.path), "Stop it there.")
        raise EngineError(f"The job is not running (state: {state}).", str(job.path))
    try:
        request_stop(job)
    except EngineError as error:
        said(clean(f"{error.title} {error.detail}"))  # a signal needs no disk
        stages = [(SIGTERM, grace), (SIGKILL, 5.0)]
    else:
        said(_announce_stop(job))
        if _wait_for_end(job, grace, saving, said):
            return status.derive(job, status.read(job))
        stages = [(SIGTERM, 10.0), (SIGKILL, 5.0)]
    for number, patience in stages:
        said(f"sent {number.name}")
        process.send_signal(job, number)
        if wait(lambda: lock.holder(job.lock_file) is None, patience):
            break
    return status.derive(job, status.read(job))


def _announce_stop(job: JobDirectory) -> str:
    """What a job that was asked to stop does first: only a run saves a checkpoint, and an export
    that is not whole is none."""
    try:
        record = job.record()
    except EngineError:
        record = None
    return {
        "train": "stopping after a checkpoint",
        "export": "stopping; nothing of the export is kept",
    }.get(record.kind if record is not None else "", "stopping")


def request_stop(job: JobDirectory) -> None:
    """Ask the running attempt to save and stop; it reacts at its next step."""
    number = job.latest_attempt()
    if not number:
        return
    try:
        job.attempt(number).stop_request.touch()
    except OSError as error:
        raise EngineError(
            "The stop request cannot be written.",
            f"{error.filename or job.path}: {error.strerror}",
            "Send SIGTERM instead: it also saves a checkpoint.",
        ) from error


def log_tail(path: Path, lines: int = 15) -> str:
    """The end of a log, safe to show; empty where there is none."""
    try:
        with open_file(path) as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 32_768))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(clean(text).splitlines()[-lines:])


def _wait_for_end(
    job: JobDirectory, grace: float, saving: float, said: Callable[[str], None]
) -> bool:
    def ended() -> bool:
        return lock.holder(job.lock_file) is None

    if wait(ended, grace):
        return True
    if saving and _is_saving(job):
        said("still saving; Ctrl+C stops waiting")
        wait(lambda: ended() or not _is_saving(job), saving)
        wait(ended, END_SECONDS)
    return ended()


def _is_saving(job: JobDirectory) -> bool:
    """Whether the worker has read the request, or is at its last save, and is alive."""
    now = status.read(job)
    if now is None or abs(time.time() - now.heartbeat) > SIGN_SECONDS:
        return False
    return now.state is State.STOPPING or "saving" in (now.activity, now.message)


def start(
    job: JobDirectory, kind: str, recipe: Recipe | None = None, *, needs_device: bool = True
) -> None:
    """Start a worker, and wait until this worker has started. Raises EngineError, JobFailed."""
    mark = secrets.token_hex(4)
    changed = process.changed_recipe(job, mark)
    worker = process.worker_command(kind, str(job.path), mark, needs=_packages(needs_device))
    command = [*logout.scope(), *worker]
    try:
        if recipe is not None:
            atomic.write_text(changed, to_toml(recipe))
        child = process.start_detached(command, job.launch_log)
        wait(lambda: _began(job, mark) or child.poll() is not None, START_SECONDS)
        began = _began(job, mark)
    except OSError as error:
        raise not_started(job, error) from error
    finally:
        with contextlib.suppress(OSError):  # a read-only disk rejects even deleting a missing file
            changed.unlink()
    if began:
        return
    if child.poll() is not None and lock.holder(job.lock_file) is not None:
        raise EngineError(
            f"{job.path.name} was started by another process at the same time.",
            "That attempt is running; this one did not start and changed nothing.",
            "See finetop runs; stop it first to resume with other settings.",
        )
    log = log_tail(job.launch_log) or log_tail(job.attempt(job.latest_attempt()).log)
    if not log:  # the log itself could not be written
        log = write_errors.suspect(job.path) or (
            f"It wrote nothing, exit code {child.poll()}: the disk takes no more, or a limit on "
            "file sizes (ulimit -f) is too low."
        )
    raise JobFailed("The worker did not start.", log, f"Log: {job.launch_log}.")


def _packages(needs_device: bool) -> Sequence[str]:
    """What a worker imports that the light install lacks."""
    return process.HEAVY if needs_device else ()


def not_started(job: JobDirectory, error: OSError) -> EngineError:
    return EngineError(
        "The worker cannot be started.",
        f"{error.filename or job.path}: {error.strerror}",
        f"{write_errors.remedy(error)}: the run's directory must be writable.",
    )


def _began(job: JobDirectory, mark: str) -> bool:
    """Whether the worker of this launch has its attempt, and has written its first status."""
    latest = job.latest_attempt()
    for number in range(latest, max(latest - 3, 0), -1):
        if (read_json(job.attempt(number).process) or {}).get("launch") == mark:
            now = status.read(job)
            return now is not None and now.attempt >= number
    return False


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; whether it came within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
