"""A job's `status.json`, and the state derived from it.

The worker writes its own state; `crashed` and `lost` are never written: they are derived from a
status that is not final and a lock that nobody holds.
"""

import dataclasses
import socket
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine import atomic
from engine.jobs import lock
from engine.jobs.directory import JobDirectory, read_json
from engine.recipes import validation

SCHEMA = 1
STALE_SECONDS = 60
"""A job on another host whose heartbeat is older than this is lost."""
MEASURED = "evaluations measured"
"""The basis of a time that is left where evaluations took what they are taken to take."""
START_SECONDS = 30
"""A new directory without a status may take this long before it reads as crashed."""


class State(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"
    CRASHED = "crashed"
    LOST = "lost"

    @property
    def final(self) -> bool:
        """Written by a worker that came to its end."""
        return self in (State.STOPPED, State.DONE, State.FAILED)

    @property
    def alive(self) -> bool:
        return self in (State.QUEUED, State.STARTING, State.RUNNING, State.STOPPING)


@dataclass(frozen=True, slots=True)
class Failure:
    """The error that ended a job, as shown to the user."""

    title: str
    detail: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    state: State
    attempt: int = 1
    step: int = 0
    total: int = 0
    """Optimiser steps, items or files, by kind; 0 where not known yet."""
    epoch: float = 0.0
    epochs: float = 0.0
    tokens: int = 0
    """Tokens seen, padding not counted."""
    tokens_per_second: float = 0.0
    """Of training itself: the time of evaluations and saves does not count."""
    eta_seconds: float | None = None
    """To the end, with the evaluations and saves until then."""
    eta_basis: str = ""
    """What the time of evaluations in it is taken from, in words."""
    activity: str = ""
    """What is done between two steps: evaluating, saving ...; empty while training itself."""
    activity_done: int = 0
    activity_total: int = 0
    """How much of it is done, and of how much; 0 where that is not known."""
    activity_seconds: float | None = None
    """Until it is done."""
    evaluation_seconds: float = 0.0
    """What an evaluation takes, for the next attempt; 0 where none was measured."""
    saving_seconds: float = 0.0
    """The same of a checkpoint."""
    started: float = 0.0
    """When this attempt began; `heartbeat` is when its worker last wrote the status."""
    heartbeat: float = 0.0
    queued_seconds: float = 0.0
    """How long this attempt waited for its device."""
    earlier_seconds: float = 0.0
    """Running time of the attempts before this one, together."""
    host: str = ""
    device: str = ""
    message: str = ""
    """The current activity, or a note for the user (rows rejected, position in the queue)."""
    bound: str = ""
    """Why it may not outlive the session that it was started in; empty where nothing says so."""
    rejected: int = 0
    """Rows that went to the rejects file."""
    base: str = ""
    """The model that forgetting is measured against, by name: the root of all stages."""
    parent: str = ""
    """The parent of this stage, by name, where forgetting is measured against it too."""
    error: Failure | None = None
    schema: int = SCHEMA

    @property
    def running_seconds(self) -> float:
        """Running time of all attempts until the last heartbeat, without what lay between them."""
        own = self.heartbeat - self.started - self.queued_seconds if self.started else 0.0
        return self.earlier_seconds + max(0.0, own)


def read(job: JobDirectory) -> Status | None:
    """The status as written; None where there is none yet, or one that cannot be read."""
    table = read_json(job.status_file)
    if table is None or table.get("schema") != SCHEMA:
        return None
    values = dict(table)
    try:
        values["state"] = State(str(values["state"]))
        error = values.get("error")
        values["error"] = (
            validation.from_untrusted(Failure, error) if isinstance(error, dict) else None
        )
        return validation.from_untrusted(Status, values)
    except (KeyError, TypeError, ValueError):
        return None


def write(job: JobDirectory, status: Status) -> None:
    """Replace the status. Where the disk takes no new file (it is full, or the directory may not
    be changed), a final one overwrites the old one where it lies. Raises OSError."""
    table = dataclasses.asdict(status)
    if status.state.final:
        atomic.replace_or_overwrite(job.status_file, atomic.encode_json(table))
    else:
        atomic.write_json(job.status_file, table, durable=False)


def derive(job: JobDirectory, status: Status | None, now: float | None = None) -> State:
    """The derived state. A missing final status never reads as done.

    A time in the future, as of a clock that was set back, is as far away as one in the past.
    """
    now = time.time() if now is None else now
    if status is not None and status.state.final:
        return status.state
    if lock.holder(job.lock_file) is not None:
        return status.state if status is not None else State.STARTING
    if status is None:
        is_new = abs(now - _modified(job.path)) < START_SECONDS
        return State.STARTING if is_new else State.CRASHED
    if status.host != socket.gethostname():
        return status.state if abs(now - status.heartbeat) < STALE_SECONDS else State.LOST
    # The worker may have written its final status and exited between our two reads.
    again = read(job)
    return again.state if again is not None and again.state.final else State.CRASHED


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
