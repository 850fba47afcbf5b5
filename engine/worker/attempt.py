"""One start of a worker: its lock, its numbered folder, its place in the queue, its status.

A thread of its own writes the status, so that a step that takes minutes still has a heartbeat and
a model that does fifty steps a second does not write fifty files.
"""

import dataclasses
import json
import os
import platform
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from engine import atomic
from engine.errors import EngineError
from engine.jobs import devices, status
from engine.jobs.devices import Device
from engine.jobs.directory import JobDirectory, JobRecord
from engine.jobs.lock import Lock
from engine.jobs.queue import Place
from engine.jobs.status import Failure, State, Status

WRITE_SECONDS = 0.4
"""Least time between two writes of the status."""
HEARTBEAT_SECONDS = 5.0
QUEUE_SECONDS = 0.5


class Stopped(Exception):
    """A stop was asked for; what there was to save is saved."""


class Attempt:
    """A worker's own side of its job directory."""

    def __init__(self, directory: JobDirectory, lock: Lock, changed_recipe: bool) -> None:
        record = directory.record()
        assert record is not None, "a worker is started on a job"
        self.directory = directory
        self.record: JobRecord = record
        before = status.read(directory)
        self.number = max(directory.latest_attempt(), before.attempt if before else 0) + 1
        self.files = directory.attempt(self.number)
        self.files.path.mkdir(parents=True, exist_ok=True)
        if changed_recipe:
            os.replace(directory.path / ".next-recipe.toml", self.files.recipe)
        self.recipe = directory.recipe()
        self.device: Device | None = None
        self._lock = lock
        self._place: Place | None = None
        # No Event: setting one in a signal handler could wait for ever on its own thread.
        self._stop = False
        self._changed = threading.Event()
        self._closing = False
        self._guard = threading.Lock()
        self._status = Status(
            State.STARTING,
            attempt=self.number,
            # An attempt that has not begun to count shows where the last one was.
            step=before.step if before else 0,
            total=before.total if before else 0,
            started=time.time(),
            heartbeat=time.time(),
            host=socket.gethostname(),
            message="starting",
        )
        status.write(directory, self._status)
        self._writer = threading.Thread(target=self._keep_writing, name="status", daemon=True)

    @classmethod
    def begin(cls, path: Path, *, changed_recipe: bool = False) -> "Attempt":
        """Take the job, and say so on disk. Raises EngineError where another worker has it."""
        directory = JobDirectory(path.absolute())
        lock = Lock(directory.lock_file)
        if not lock.acquire():
            raise EngineError("Another worker has this job.", str(directory.path))
        attempt = cls(directory, lock, changed_recipe)
        _send_output_to(attempt.files.log)
        signal.signal(signal.SIGTERM, attempt._ask_to_stop)
        signal.signal(signal.SIGINT, attempt._ask_to_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        atomic.write_json(attempt.files.process, _process())
        attempt._writer.start()
        return attempt

    def wait_for_device(self, wanted: str) -> Device:
        """Queue for the device of the recipe and take it. Raises Stopped, EngineError."""
        self.device = devices.choose(wanted)
        name = devices.label(self.device)
        self._place = Place(self.device.key, self.record.id)
        while ahead := self._place.ahead():
            self.update(state=State.QUEUED, device=name, message=f"#{ahead} in line for {name}")
            if self.stop_requested(wait=QUEUE_SECONDS):
                raise Stopped
        if self.device.kind == "cuda":
            # By UUID, so that torch sees this one alone, however it orders them.
            os.environ["CUDA_VISIBLE_DEVICES"] = self.device.key
        busy = self.device.memory_used / self.device.memory_total if self.device.memory_total else 0
        if busy > 0.1:
            self.log(f"other processes use {busy:.0%} of the memory of {name}")
        self.update(state=State.STARTING, device=name, message="loading libraries")
        return self.device

    def update(self, **fields: Any) -> None:
        """Change what the status says; it is on disk within half a second."""
        with self._guard:
            self._status = dataclasses.replace(self._status, **fields)
        self._changed.set()

    def progress(self, step: int, total: int, **fields: Any) -> None:
        """Say how far it is."""
        state = State.STOPPING if self._stop else State.RUNNING
        self.update(state=state, step=step, total=total, **fields)

    def stop_requested(self, wait: float = 0.0) -> bool:
        """Whether somebody asked this attempt to stop; `wait` is how long to listen, in seconds."""
        if wait and not self._stop:
            time.sleep(wait)
        if not self._stop and self.files.stop_request.exists():
            self._stop = True
            self.update(state=State.STOPPING, message="stopping: saving first")
        return self._stop

    def log(self, line: str) -> None:
        """A line in `worker.log`, with the time before it."""
        print(time.strftime("%H:%M:%S"), line, flush=True)

    def reject(self, rows: list[dict[str, Any]]) -> None:
        """Write the rows that could not be used, with their reasons, and count them on screen."""
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        atomic.write_text(self.directory.rejects, text)
        self.update(rejected=len(rows))
        self.log(f"{len(rows)} rows were not used: see {self.directory.rejects.name}")

    def finish(self, state: State, error: Failure | None = None, message: str = "") -> None:
        """Write the final status, and let go of the device and the job."""
        with self._guard:
            self._closing = True
        self._changed.set()
        self._writer.join()
        final = dataclasses.replace(
            self._status,
            state=state,
            error=error,
            message=message,
            eta_seconds=None,
            heartbeat=time.time(),
        )
        status.write(self.directory, final)
        if self._place is not None:
            self._place.leave()
        self._lock.release()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop = True

    def _keep_writing(self) -> None:
        while True:
            self._changed.wait(HEARTBEAT_SECONDS)
            self._changed.clear()
            with self._guard:
                if self._closing:
                    return
                now = dataclasses.replace(self._status, heartbeat=time.time())
            try:
                status.write(self.directory, now)
            except OSError as error:
                self.log(f"the status could not be written: {error}")
            time.sleep(WRITE_SECONDS)


def _send_output_to(log: Path) -> None:
    """Whatever any library prints goes to the attempt's own log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _process() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "argv": sys.argv,
        "started": time.time(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": os.cpu_count(),
    }
