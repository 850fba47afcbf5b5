"""Faults within a worker: what the benchmark's program for FINETOP_PYTHON calls before the worker.

Counts the file operations of the process (opening to write, writing, flushing, renaming, making and
removing), and at one of them kills the process, signals it, lets the operation fail, or bounds the
size of files from there on. Python's own files are opened by `_pyio`, whose writing can be seen;
what libraries in Rust and C++ write is reached by the bound, by a full disk and by random moments.
"""

import atexit
import builtins
import errno
import importlib
import io
import json
import os
import re
import resource
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VARIABLE = "FINETOP_TEST_FAULT"
AUDITED = {
    "open": "open", "os.mkdir": "mkdir", "os.rename": "rename", "os.remove": "remove",
    "os.rmdir": "remove", "os.truncate": "write",
}  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR
CLASSES = {
    "checkpoint": r"/checkpoints/",
    "status": r"/\.?status\.json",
    "events": r"/events/",
    "result": r"/\.?(adapter|model)(/|$)",
    "other": r"/(attempts|samples|held_out|rejects|\.|probe)",
}
"""What a path in a job's directory belongs to; the first that matches."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at which operation."""

    action: str = "none"
    """none, raise, limit, or a signal's name."""
    at: int = 0
    """The n-th operation that matches; 0: none, and `times` after it."""
    place: str = "any"
    """A key of `CLASSES`, or any."""
    kind: str = "any"
    """open, read, write, fsync, rename, mkdir, remove, or any but read."""
    error: int = errno.EIO
    times: int = 1
    """How many operations fail, from that one on."""
    size: int = 0
    """Of a limit: bytes a file may have from there on."""
    clock: float = 0.0
    """Seconds by which the clock is ahead of the true one."""
    below: str = ""
    """The folder whose files count."""
    counts: str = ""
    """A file to which the number of operations of each class is written at the end."""

    def environ(self) -> dict[str, str]:
        return {VARIABLE: json.dumps(asdict(self))}


class _Injection:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.counts: Counter[str] = Counter()
        self._seen = 0
        self._busy = False
        self._place = re.compile(CLASSES.get(fault.place, ""))

    def note(self, kind: str, path: str) -> None:
        """One operation is about to happen. Raises OSError where it is to fail."""
        fault = self.fault
        if self._busy or not path.startswith(fault.below):
            return
        rest = path[len(fault.below) :]
        if kind != "read":
            self.counts[place_of(rest)] += 1
        if fault.kind not in (kind, "any") or (fault.kind == "any" and kind == "read"):
            return
        if fault.place != "any" and place_of(rest) != fault.place:
            return
        self._seen += 1
        if fault.at and fault.at <= self._seen < fault.at + fault.times:
            self._busy = True
            try:
                self._happen(path)
            finally:
                self._busy = False

    def _happen(self, path: str) -> None:
        fault = self.fault
        if fault.action == "raise":
            raise OSError(fault.error, os.strerror(fault.error), path)
        if fault.action == "limit":
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (fault.size, most))
        elif fault.action != "none":
            os.kill(os.getpid(), signal.Signals[fault.action])

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        kind = AUDITED.get(event)
        if kind is None or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        if kind == "open" and not (arguments[2] or 0) & WRITING:
            kind = "read"
        path = os.fsdecode(arguments[0])
        self.note(kind, path if path.startswith("/") else os.path.abspath(path))

    def write_counts(self) -> None:
        self._busy = True
        Path(self.fault.counts).write_text(json.dumps(self.counts))


def place_of(rest: str) -> str:
    """The class of a path below a job's directory."""
    return next((name for name, part in CLASSES.items() if re.search(part, rest)), "rest")


def arm() -> None:
    """Set up what the environment asks for; nothing where it asks for nothing."""
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return
    fault = Fault(**json.loads(text))
    injection = _Injection(fault)
    if fault.clock:
        _shift_clock(fault.clock)
    if fault.counts:
        _at_end(injection.write_counts)
    sys.addaudithook(injection.hear)
    fsync, write, open_in_c = os.fsync, os.write, io.open
    open_in_python = importlib.import_module("_pyio").open

    def noting_fsync(fd: Any) -> None:
        injection.note("fsync", _path_of(fd))
        fsync(fd)

    def noting_write(descriptor: int, data: Any) -> int:
        injection.note("write", _path_of(descriptor))
        return write(descriptor, data)

    def noting_open(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        plain = not set(mode) & set("wax+")
        return (open_in_c if plain else open_in_python)(file, mode, *rest, **named)

    os.fsync, os.write = noting_fsync, noting_write
    io.open = builtins.open = noting_open


def _path_of(descriptor: Any) -> str:
    number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return ""


def _shift_clock(seconds: float) -> None:
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)


def _at_end(act: Any) -> None:
    """Also at the end of a process that was forked, which leaves by `os._exit`."""
    leave = os._exit

    def leave_after(code: int) -> None:
        act()
        leave(code)

    os._exit = leave_after  # type: ignore[assignment]
    atexit.register(act)
