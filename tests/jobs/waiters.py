"""Real processes in the queue, for tests: each says every place that it sees."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import Eventually

WAIT = """
import json, sys, time
from engine.jobs.queue import Cancelled, OwnTicket
options = [tuple(one) for one in json.loads(sys.argv[2])]
ticket = OwnTicket(sys.argv[1], sys.argv[3], lambda: options)
last = None
while True:
    try:
        ahead = ticket.ahead()
    except Cancelled:
        ticket.leave()
        print("cancelled", flush=True)
        break
    now = ",".join(ticket.taken) if ahead == 0 else str(ahead)
    if now != last:
        print(now, flush=True)
        last = now
    time.sleep(0.02)
"""


class Waiter:
    """A process that wants one of `options`; `said` is every place, and then its devices."""

    def __init__(
        self, job: str, folder: Path, options: Sequence[Sequence[str]] = (("cpu",),)
    ) -> None:
        self.job = job
        self._log = folder / f"{job}.log"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WAIT, job, json.dumps(options), "wanted"], stdout=output
            )

    def said(self) -> list[str]:
        return self._log.read_text().split()

    @property
    def last(self) -> str:
        return (self.said() or [""])[-1]

    def kill(self) -> None:
        """SIGKILL, as the kernel sends it when memory is short."""
        self.process.kill()
        self.process.wait()


class Line:
    """Waiters that come one after another. Use as a context manager."""

    def __init__(self, folder: Path, eventually: Eventually) -> None:
        self._folder = folder
        self._eventually = eventually
        self._all: list[Waiter] = []

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        for waiter in self._all:
            waiter.kill()

    def add(self, job: str, place: str, options: Sequence[Sequence[str]] = (("cpu",),)) -> Waiter:
        """One more, once it has said that it has `place`."""
        waiter = Waiter(job, self._folder, options)
        self._all.append(waiter)
        self.see(waiter, place)
        return waiter

    def see(self, waiter: Waiter, place: str) -> None:
        self._eventually(lambda: waiter.last == place, f"{waiter.job} says {place}")
