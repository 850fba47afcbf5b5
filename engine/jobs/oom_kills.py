"""Whether a worker that crashed without an error may have been killed by the OOM killer.

Linux counts such kills (`oom_kill` in /proc/vmstat) for all processes together, so the result is
only a possibility, and is reported as such. Other systems have no such count.
"""

import socket
import time
from pathlib import Path

from engine.jobs.directory import JobDirectory, read_json

COUNTS = Path("/proc/vmstat")
KEY = "memory_kills"
"""Where `process.json` has the count of the moment when the worker began."""


def memory_kills() -> int | None:
    """Processes killed by the OOM killer since boot; None: not counted."""
    try:
        lines = COUNTS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def suspected_oom(job: JobDirectory) -> str:
    """A sentence where memory may be why a crashed job died; else empty."""
    began = read_json(job.attempt(job.latest_attempt()).process) or {}
    before, now = began.get(KEY), memory_kills()
    if type(before) is not int or now is None or now <= before:
        return ""
    if began.get("host") != socket.gethostname() or not _this_boot(began.get("started")):
        return ""
    return "possibly out of memory: the kernel's OOM killer ran since this run started"


def _this_boot(started: object) -> bool:
    """Whether a moment is after the machine's start: the count begins anew there."""
    try:
        up = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return False
    return isinstance(started, int | float) and started > time.time() - up
