"""One start of a worker: its lock, its numbered folder, its place in the queue, its status.

A thread of its own writes the status, so that a step that takes minutes still has a heartbeat and
a model that does fifty steps a second does not write fifty files.
"""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
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
from engine.jobs import devices, logout, oom_kills, process, status
from engine.jobs.devices import Device, Option
from engine.jobs.directory import JobDirectory, JobRecord
from engine.jobs.lock import Lock
from engine.jobs.queue import Cancelled, Keys, OwnTicket, unusable_locks
from engine.jobs.resume_rules import check_not_pruned
from engine.jobs.status import Failure, State, Status
from engine.jobs.store import open_store
from engine.number_format import write_size
from engine.recipes.recipe import ExportRecipe, TrainRecipe

WRITE_SECONDS = 0.4
"""Least time between two writes of the status."""
HEARTBEAT_SECONDS = 5.0
QUEUE_SECONDS = 0.5
KEEP_SECONDS = 3600.0
"""How often the files of the locks are renewed."""


class Stopped(Exception):
    """A stop was asked for, or the job stops by itself and says why; what there was to save is
    saved."""


class Attempt:
    """A worker's own side of its job directory."""

    def __init__(self, directory: JobDirectory, lock: Lock, launch: str = "") -> None:
        record = directory.record()
        assert record is not None, "a worker is started on a job"
        self.directory = directory
        self.record: JobRecord = record
        before = status.read(directory)
        self.number = max(directory.latest_attempt(), before.attempt if before else 0) + 1
        self.files = directory.attempt(self.number)
        self.files.path.mkdir(parents=True, exist_ok=True)
        changed = process.changed_recipe(directory, launch)
        if launch and changed.exists():
            os.replace(changed, self.files.recipe)
        self.recipe = directory.recipe()
        self.devices: Option = ()
        """What the queue gave; more than one where the recipe asks for several GPUs."""
        self._lock = lock
        self._ticket: OwnTicket | None = None
        # No Event: setting one in a signal handler could block on its own thread.
        self._stop = False
        self._stop_said = False
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
            earlier_seconds=before.running_seconds if before else 0.0,
            host=socket.gethostname(),
            message="starting",
            bound=logout.warning(),
            evaluation_seconds=before.evaluation_seconds if before else 0.0,
            saving_seconds=before.saving_seconds if before else 0.0,
        )
        self._facts = {**_process(), "launch": launch}
        atomic.write_json(self.files.process, self._facts)
        status.write(directory, self._status)
        self._writer = threading.Thread(target=self._keep_writing, name="status", daemon=True)

    @property
    def device(self) -> Device | None:
        """The first of its devices; None before the queue gave any."""
        return self.devices[0] if self.devices else None

    @classmethod
    def begin(cls, path: Path, *, launch: str = "") -> "Attempt":
        """Take the job, and say so on disk. Raises EngineError where another worker has it.

        `launch` is the launcher's own mark, by which it knows its worker and brings it a recipe.
        """
        directory = JobDirectory(path.absolute())
        lock = Lock(directory.lock_file)
        # A signal that comes before there is an attempt to be told of it waits for that.
        signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        try:
            if not lock.acquire():
                raise EngineError("Another worker holds this job.", str(directory.path))
            check_not_pruned(directory)  # with the lock, which whoever prunes looks at
            attempt = cls(directory, lock, launch)
            attempt.remove_unfinished()  # of one that was killed
            _send_output_to(attempt.files.log)
            signal.signal(signal.SIGTERM, attempt._ask_to_stop)
            signal.signal(signal.SIGINT, attempt._ask_to_stop)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        attempt._writer.start()
        return attempt

    def wait_for_devices(self, requested: str) -> Option:
        """Queue for the devices of the recipe and take them. Raises Stopped, EngineError.

        Which GPU `auto` means is decided when it starts. What other processes use of its memory
        is said and not waited for: nobody knows for how long they will.
        """
        began = time.monotonic()
        try:
            taken = self._queue(requested, began)
        except OSError as error:  # nothing but locks is read and written meanwhile
            raise unusable_locks(error) from error
        by_key = {one.key: one for option in devices.options(requested) for one in option}
        self.devices = tuple(by_key[key] for key in taken)
        if self.devices[0].kind == "cuda":
            # By UUID, so that torch sees these alone, however it orders them.
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
        for device in self.devices:
            if device.memory_total and device.memory_used > device.memory_total * 0.1:
                self.log(
                    f"other processes use {device.memory_used / 1e9:.1f} of "
                    f"{device.memory_total / 1e9:.1f} GB on {devices.label(device)}"
                )
        name = devices.labels(self.devices)
        message = f"loading libraries{self._doubt()}"
        queued = time.monotonic() - began
        self.update(state=State.STARTING, device=name, message=message, queued_seconds=queued)
        return self.devices

    def _queue(self, requested: str, began: float) -> Keys:
        """Wait until its devices are its own, since `began` by the monotonic clock.

        Raises Stopped, EngineError, OSError.
        """
        from engine.estimates import fit

        needed = self._needed_memory()
        self._ticket = ticket = OwnTicket(
            self.record.id,
            requested,
            lambda: [tuple(one.key for one in option) for option in devices.options(requested)],
            self.directory.path,
            lambda: not needed or fit.free_main_memory() >= needed,
        )
        name = "a GPU" if requested in ("auto", "cuda") else requested
        if len(options := devices.options(requested)) == 1:
            name = devices.labels(options[0])
        try:
            while ahead := ticket.ahead():
                room = f" and {write_size(needed)} of memory" if needed else ""
                if needed and ahead == 1:
                    room += f", {write_size(fit.free_main_memory())} free"
                self.update(
                    state=State.QUEUED,
                    device=name,
                    message=f"#{ahead} in the queue for {name}{room}",
                    queued_seconds=time.monotonic() - began,
                )
                if self.stop_requested(wait=QUEUE_SECONDS):
                    raise Stopped
        except Cancelled:
            self.log("removed from the queue")
            raise Stopped from None
        return ticket.taken

    def _needed_memory(self) -> int:
        """Bytes of the machine's memory that an export waits for; 0: for none, as training does,
        which takes what it can be had for, and says so."""
        if not isinstance(self.recipe, ExportRecipe):
            return 0
        from engine.launching.export_source import find_source
        from engine.release.memory_need import estimate_memory
        from engine.release.targets import parse_targets

        try:
            runs = [job.path for job in open_store(self.directory.path.parent).jobs()]
            source = find_source(self.recipe.source, runs)
            targets = parse_targets(self.recipe.targets)
            return estimate_memory(source, targets, self.recipe.dtype).most
        except EngineError:
            return 0  # the job itself will say it, and better

    def _doubt(self) -> str:
        """What the estimate says where the run may not fit beside what others use; it tries."""
        if not isinstance(self.recipe, TrainRecipe):
            return ""
        from engine.checkpoints import checkpoint_list
        from engine.estimates import fit  # not needed to wait in line

        store = open_store(self.directory.path.parent)
        try:
            runs = [job.path for job in store.jobs()]
            checkpoint = checkpoint_list.resolve(self.recipe.model.checkpoint, runs)
            estimate = fit.estimate_fit(self.recipe, checkpoint, store, chosen=self.devices)
        except EngineError:
            return ""  # the job itself will say it, and better
        if estimate.fits is not False:
            return ""
        self.log(f"it may not fit: {estimate.line}")
        for advice in estimate.advice:
            self.log(f"  {advice.text}")
        return f"; it may not fit: {estimate.line}"

    def update(self, **fields: Any) -> None:
        """Change what the status says; it is on disk within half a second."""
        with self._guard:
            self._status = dataclasses.replace(self._status, **fields)
        self._changed.set()

    def note(self, **facts: str) -> None:
        """Keep a fact of this start beside the versions of its libraries."""
        self._facts |= facts
        atomic.write_json(self.files.process, self._facts)

    def progress(self, step: int, total: int, **fields: Any) -> None:
        """Say how far it is."""
        state = State.STOPPING if self._stop else State.RUNNING
        self.update(state=state, step=step, total=total, **fields)

    def show_activity(
        self, name: str, done: int = 0, total: int = 0, seconds: float | None = None
    ) -> None:
        """Say what is done between two steps, how much of it, and how long it takes still; an
        empty `name` is its end."""
        self.update(
            activity=name, activity_done=done, activity_total=total, activity_seconds=seconds
        )

    @property
    def running_seconds(self) -> float:
        """Of all attempts until now, without the time in the queue."""
        return dataclasses.replace(self._status, heartbeat=time.time()).running_seconds

    @property
    def costs(self) -> tuple[float, float]:
        """Seconds that an evaluation and a save took in an earlier attempt; 0: not known."""
        return self._status.evaluation_seconds, self._status.saving_seconds

    def stop_requested(self, wait: float = 0.0) -> bool:
        """Whether somebody asked this attempt to stop; `wait` is how long to listen, in seconds."""
        if wait and not self._stop:
            time.sleep(wait)
        if not self._stop and self.files.stop_request.exists():
            self._stop = True
        if self._stop and not self._stop_said:
            self._stop_said = True
            saves = isinstance(self.recipe, TrainRecipe)
            message = "stopping: saving a checkpoint" if saves else "stopping"
            self.update(state=State.STOPPING, message=message)
        return self._stop

    def log(self, line: str) -> None:
        """A line in `worker.log`, with the time before it. A disk that refuses it ends no run: what
        matters is refused as well, and said in the status."""
        with contextlib.suppress(OSError):
            print(time.strftime("%H:%M:%S"), line, flush=True)

    def reject(self, rows: list[dict[str, Any]], what: str = "rows rejected") -> None:
        """Write the rows that could not be used, with their reasons, and count them on screen;
        `what` they are is for the log."""
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        atomic.write_text(self.directory.rejects, text)
        self.update(rejected=len(rows))
        self.log(f"{len(rows)} {what}: see {self.directory.rejects.name}")

    def remove_unfinished(self) -> None:
        """Remove what was left half written: nothing of it is ever read."""
        for path in self.directory.unfinished():
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def finish(self, state: State, error: Failure | None = None, message: str = "") -> None:
        """Write the final status, and let go of the device and the job, also where the disk
        refuses it. Raises OSError."""
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
            activity="",
            activity_done=0,
            activity_total=0,
            activity_seconds=None,
            heartbeat=time.time(),
        )
        try:
            status.write(self.directory, final)
        finally:
            if self._ticket is not None:
                with contextlib.suppress(OSError, EngineError):  # of the folder of locks
                    self._ticket.leave()
            self._lock.release()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop = True

    def _keep_writing(self) -> None:
        renewed = time.monotonic()
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
                self.log(f"status could not be written: {error}")
            if self._ticket is not None and time.monotonic() > renewed + KEEP_SECONDS:
                self._ticket.keep()
                renewed = time.monotonic()
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
        "packages": _packages(),
        oom_kills.KEY: oom_kills.memory_kills(),
    }


def _packages() -> dict[str, str]:
    """The versions of what a worker works with, found without importing any of it."""
    versions = {}
    for name in ("torch", "transformers", "peft", "bitsandbytes"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
