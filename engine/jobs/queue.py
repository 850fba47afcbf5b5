"""The queue of a device, without a daemon: tickets in a machine-local folder, and one lock.

A waiting worker holds a lock on its own ticket file, so the ticket of a dead one is known and
removed. The first live ticket takes the device's lock. Numbers give the order; renaming a ticket
moves it. The folder is never in `runs/`, which may lie on a network disk.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError
from engine.jobs.lock import Lock, holder

_TICKET = re.compile(r"(\d+)-(.+)")


@dataclass(frozen=True, slots=True)
class Ticket:
    path: Path
    number: int
    job: str


def lock_folder() -> Path:
    """The machine's own folder of locks for this user, mode 0700.

    Raises EngineError where someone else owns it.
    """
    # Neither XDG_RUNTIME_DIR nor TMPDIR: the first is removed at logout, under the workers that
    # go on, and both may differ between two shells, whose runs must still wait for each other.
    given = os.environ.get("FINETOP_LOCKS")
    folder = Path(given) if given else Path("/tmp", f"finetop-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise EngineError(
            "The folder of locks belongs to another user.",
            str(folder),
            "Set FINETOP_LOCKS to a folder of your own on this machine.",
        )
    return folder


class Place:
    """One job's place in the queue of a device, and then the device itself."""

    def __init__(self, device_key: str, job: str) -> None:
        self._job = job
        self._folder = queue_folder(device_key)
        self._device = Lock(self._folder / "device.lock")
        self._ticket = self._draw()

    def ahead(self) -> int:
        """Jobs to wait for; 0 once the device is ours, which it is as soon as it can be."""
        if self._device.held:
            return 0
        waiting = [ticket.job for ticket in self._tickets()]
        if self._job not in waiting:  # somebody removed the ticket: draw again, last in line
            self._ticket.release()
            self._ticket = self._draw()
            return len(waiting) + 1
        before = waiting.index(self._job)
        if before == 0 and self._device.acquire():
            self._give_back_ticket()
            return 0
        return before + 1

    def leave(self) -> None:
        """Give up the place, or the device."""
        self._device.release()
        self._give_back_ticket()

    def _tickets(self) -> list[Ticket]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may tidy up /tmp
        return tickets(self._folder, own=self._job)

    def _give_back_ticket(self) -> None:
        for path in self._folder.glob(f"*-{self._job}"):
            path.unlink(missing_ok=True)
        self._ticket.release()

    def _draw(self) -> Lock:
        while True:
            last = max((ticket.number for ticket in self._tickets()), default=0)
            lock = Lock(self._folder / f"{last + 10:06d}-{self._job}")
            # A reader may have taken the file for a dead one's before it was locked.
            if lock.acquire() and lock.path.exists():
                return lock
            lock.release()


def queue_folder(device_key: str) -> Path:
    """Where the tickets and the lock of a device lie."""
    folder = lock_folder() / re.sub(r"[^A-Za-z0-9-]", "-", device_key)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def tickets(folder: Path, own: str = "") -> list[Ticket]:
    """The live tickets of a queue in order; those of dead workers are removed.

    `own` is the caller's job: looking at its lock would free it (see `engine.jobs.lock`).
    """
    live = []
    for path in folder.iterdir():
        match = _TICKET.fullmatch(path.name)
        if match is None:
            continue
        if match[2] != own and holder(path) is None:
            path.unlink(missing_ok=True)
        else:
            live.append(Ticket(path, int(match[1]), match[2]))
    return sorted(live, key=lambda ticket: (ticket.number, ticket.job))
