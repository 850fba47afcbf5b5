"""A job as one frozen value: what every list of runs shows, without its curves."""

import dataclasses
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.jobs import oom_kills, write_errors
from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory, JobRecord, read_json
from engine.jobs.status import State, Status
from engine.recipes import validation
from engine.recipes.recipe import Recipe, TrainRecipe

_CACHED = re.compile(r"(?:^|/)models--([^/]+)(?:/snapshots/([^/]+))?/?$")


@dataclass(frozen=True, slots=True)
class UserNotes:
    """`user.json`: the user's notes on a job."""

    note: str = ""
    tags: list[str] = field(default_factory=list)
    hidden: bool = False
    archived: bool = False


@dataclass(frozen=True, slots=True)
class JobView:
    path: Path
    record: JobRecord
    recipe: Recipe | None
    """None where it cannot be read; `problem` says why, or what may have ended it."""
    status: Status | None
    state: State
    notes: UserNotes
    problem: str = ""
    pruned: bool = False
    """Whether what resuming needs was dropped."""

    @property
    def base(self) -> str:
        """What it builds on, short."""
        if isinstance(self.recipe, TrainRecipe):
            return short_ref(self.recipe.model.checkpoint)
        return short_ref(self.record.parents[0]) if self.record.parents else ""

    @property
    def method(self) -> str:
        """How, short: `LoRA r8`, `full`, or the kind of job."""
        if not isinstance(self.recipe, TrainRecipe):
            return self.record.kind
        method = self.recipe.method
        if method.kind != "lora":
            return method.kind
        variant = {"rslora": "rsLoRA", "dora": "DoRA"}.get(method.variant, "LoRA")
        return f"{'' if method.quantize == 'none' else 'Q'}{variant} r{method.rank}"

    @property
    def left_out(self) -> int:
        """Answers that a job of answers did not get, runs of a sweep that are not done; 0 for all
        other kinds."""
        if self.status is None or self.record.kind not in ("generate", "judge", "sweep"):
            return 0
        return self.status.rejected

    @property
    def progress(self) -> float:
        """Share done, 0 to 1."""
        if self.status is None or not self.status.total:
            return 1.0 if self.state is State.DONE else 0.0
        return min(1.0, self.status.step / self.status.total)


def view(job: JobDirectory) -> JobView | None:
    """The job as it is now; None where there is no job (yet).

    A file of it that cannot be read is its `problem`: each is whole from the moment it is there,
    but for a record that something else has only begun to copy.
    """
    try:
        record = job.record()
    except EngineError as error:
        return _unreadable(job, error.title)
    if record is None and _is_settled(job.record_file):
        return _unreadable(job, f"{job.path.name}: job.json cannot be read: no record of a job")
    if record is None:
        return None
    problem, recipe = "", None
    try:
        recipe = job.recipe()
    except EngineError as error:
        problem = error.title
    status = statuses.read(job)
    state = statuses.derive(job, status, time.time())
    user_notes = _read_notes(job)
    if status is None and os.path.lexists(job.status_file):
        problem = problem or "status.json cannot be read: how far the run came is not known"
    if user_notes is None:
        problem = problem or f"{job.user_file.name} cannot be read: notes and tags are not shown"
    if state is State.CRASHED:
        problem = problem or write_errors.suspect(job.path) or oom_kills.suspected_oom(job)
    pruned = job.pruned_file.exists()
    shown = user_notes or UserNotes()
    return JobView(job.path, record, recipe, status, state, shown, problem, pruned)


def _unreadable(job: JobDirectory, problem: str) -> JobView:
    """The row of a job of which nothing but its place is known."""
    record = JobRecord(job.path.name, "unknown", job.path.name, 0.0)
    return JobView(job.path, record, None, None, State.LOST, UserNotes(), problem)


def notes(job: JobDirectory) -> UserNotes:
    """The user's notes; empty ones where the file is missing or of another shape."""
    return _read_notes(job) or UserNotes()


def _is_settled(path: Path) -> bool:
    """Whether a file is there, and has been for too long to be half written."""
    try:
        return abs(time.time() - path.lstat().st_mtime) >= statuses.START_SECONDS
    except OSError:
        return False


def _read_notes(job: JobDirectory) -> UserNotes | None:
    """The user's notes; None where the file is there and holds none."""
    table = read_json(job.user_file)
    if table is None:
        return None if os.path.lexists(job.user_file) else UserNotes()
    return validation.from_untrusted(UserNotes, table)


def write_notes(job: JobDirectory, changed: UserNotes) -> None:
    """Replace the user's notes; a file that cannot be read is kept beside them. Raises OSError."""
    job.user_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if job.user_file.is_file() and _read_notes(job) is None:
        os.replace(job.user_file, job.user_file.with_suffix(".unreadable"))
    atomic.write_json(job.user_file, dataclasses.asdict(changed))


def short_ref(ref: str) -> str:
    """A checkpoint's or data set's ref as a table shows it: the name alone."""
    scheme, colon, rest = ref.partition(":")
    if colon and scheme in ("bundled", "run"):
        return rest
    return hub_name(ref) or Path(ref).name or ref


def hub_name(path: str) -> str | None:
    """`OWNER/NAME` of a path into a cache of the Hub, be it here or on another machine.

    The last part of such a path is the hash of a commit. None for any other path.
    """
    match = _CACHED.search(path)
    return match[1].replace("--", "/", 1) if match else None


def hub_revision(path: str) -> str:
    """The start of the commit that a path into a cache of the Hub leads to; empty for others."""
    match = _CACHED.search(path)
    return (match[2] or "")[:8] if match else ""
