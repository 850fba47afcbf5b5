"""The queue for this machine's devices, without a daemon: tickets in a local folder, and locks.

A waiting worker holds a lock on its own ticket, so the ticket of a crashed one is detected and
removed. Numbers give the order; a ticket names every device that it may take, and waits for the
tickets before it that want one of those. A device is busy while a run of this user holds its lock;
what others use of its memory is no lock. The folder is never in `runs/`, which may be on a network
disk.
"""

import fcntl
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError
from engine.jobs.directory import read_json
from engine.jobs.lock import Lock, holder, remove_dead

Keys = tuple[str, ...]
"""Devices that are taken together, by their keys."""

_TICKET = re.compile(r"(\d+)-(.+)")
_CANCELLED = "cancelled-"
_LOCKS_HINT = "Set FINETOP_LOCKS to a folder of your own on this machine."
_GAP = 1 << 20
"""Gap between the numbers of two new tickets: allows about twenty moves in between."""


class Cancelled(Exception):
    """The job was removed from the queue."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A queued job."""

    path: Path
    number: int
    job: str
    directory: str = ""
    """Of the job."""
    wanted: str = ""
    """The device, as its recipe names it."""
    options: tuple[Keys, ...] = ()
    """The devices that it may take; empty where the ticket cannot be read: then it may be any."""
    since: float = 0.0
    """Unix seconds."""

    def wants(self, keys: Iterable[str]) -> bool:
        """Whether one of these devices may become its own."""
        return not self.options or not set(keys).isdisjoint(self.keys)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(key for option in self.options for key in option)


@dataclass(frozen=True, slots=True)
class Holder:
    """A job that holds a device."""

    key: str
    job: str
    directory: str
    since: float
    """Unix seconds."""


def waiting(device_key: str | None = None) -> list[Ticket]:
    """The live tickets that may take a device, or all of them, in order; next first."""
    tickets = _tickets(_folder("queue"))
    return [one for one in tickets if device_key is None or one.wants([device_key])]


def holders() -> list[Holder]:
    """The holder of each device."""
    tickets = []
    for path in sorted(_folder("devices").glob("*.lock")):
        if holder(path) is not None:
            table = read_json(path) or {}
            key, job, where = (_text(table, name) for name in ("key", "job", "directory"))
            tickets.append(Holder(key or path.stem, job, where, _number(table, "since")))
    return tickets


def position(ticket: Ticket, tickets: Sequence[Ticket]) -> int:
    """A ticket's position in the queue: 1 is next."""
    before = tickets[: tickets.index(ticket)]
    return 1 + sum(not ticket.options or other.wants(ticket.keys) for other in before)


def move(job: str, by: int) -> int:
    """Move a waiting job by so many places among those that want its devices: -1 is one sooner.

    Returns its new place, 1 is next. Raises EngineError where it does not wait.
    """
    everyone = waiting()
    ticket = _find(job, everyone)
    line = [one for one in everyone if one == ticket or one.wants(ticket.keys)]
    at = line.index(ticket)
    to = max(0, min(len(line) - 1, at + by))
    if to != at:
        neighbour = line[to]
        rest = [one for one in everyone if one != ticket]
        index = rest.index(neighbour) + (to > at)
        _renumber(ticket, rest[:index], rest[index:])
    return to + 1


def cancel(job: str) -> None:
    """Take a waiting job out of the queue: it ends as stopped, and nothing else is touched.

    Raises EngineError where it does not wait, or has just begun.
    """
    ticket = _find(job, waiting())
    try:
        # Either this or the worker's own removal of its ticket comes first, never both.
        ticket.path.rename(ticket.path.with_name(_CANCELLED + ticket.path.name))
    except FileNotFoundError as error:
        raise _not_waiting(job) from error


def locks_path() -> Path:
    """The machine's own folder of locks for this user, absolute; it need not be there."""
    # Neither XDG_RUNTIME_DIR nor TMPDIR: the first is removed at logout, under workers that keep
    # running, and both may differ between two shells, whose runs must still wait for each other.
    override = os.environ.get("FINETOP_LOCKS")
    if override:
        return Path(os.path.expanduser(override)).absolute()
    return Path("/tmp", f"finetop-{os.getuid()}")


def lock_folder() -> Path:
    """`locks_path`, made where it is missing, mode 0700.

    Raises EngineError where it cannot be made, or someone else owns it.
    """
    folder = locks_path()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.lstat().st_uid
    except OSError as error:
        raise unusable_locks(error) from error
    if owner != os.getuid():
        raise EngineError("The folder of locks belongs to another user.", str(folder), _LOCKS_HINT)
    return folder


def check_locks() -> None:
    """Raise EngineError where a worker could not queue: to be asked before anything is made.

    A file is written and locked, for permission bits tell neither a read-only disk nor one without
    locks. It has no name.
    """
    for name in ("queue", "devices"):
        folder = _folder(name)
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"lock")
                file.flush()
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise unusable_locks(error, folder) from error


def unusable_locks(error: OSError, folder: Path | None = None) -> EngineError:
    """What to say where the disk refuses a lock."""
    return EngineError(
        "The folder of locks cannot be used.",
        f"{folder or error.filename or locks_path()}: {error.strerror or error}",
        _LOCKS_HINT,
    )


class OwnTicket:
    """A job's own ticket in the queue, and then its devices.

    `choices` gives what the job may take at the time of the call, best first; it takes nothing
    while it is not `ready`, and those behind it wait as well. A process has one ticket only: a
    second look at its own would free it (see `engine.jobs.lock`).
    """

    def __init__(
        self,
        job: str,
        wanted: str,
        choices: Callable[[], list[Keys]],
        directory: Path = Path(),
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self._job = job
        self._ready = ready
        self._choices = choices
        self._options = choices()
        self._note = {"job": job, "directory": str(directory), "wanted": wanted}
        self._since = time.time()
        self._devices: list[Lock] = []
        self.taken: Keys = ()
        """The devices, once they are ours."""
        self._lock = self._draw()

    def ahead(self) -> int:
        """Jobs to wait for; 0 once the devices are ours, which they are as soon as they can be.

        Raises Cancelled where the job was removed from the queue.
        """
        if self.taken:
            return 0
        tickets = _tickets(_folder("queue"), own=self._job)
        before = self._before(tickets)
        if before is None:  # the ticket was removed: take a new one at the end of the queue
            self._lock.release()
            self._lock = self._draw()
            return len(tickets) + 1
        keys = {key for option in self._options for key in option}
        ours = [one for one in self._options if not any(t.wants(one) for t in before)]
        if ours and self._ready() and self._take(ours):
            self._give_back_ticket()
            return 0
        return 1 + sum(ticket.wants(keys) for ticket in before)

    def keep(self) -> None:
        """Update the locks' times, so that no clean-up of old files removes them."""
        for lock in (self._lock, *self._devices):
            lock.touch()

    def leave(self) -> None:
        """Give up the ticket, or the devices."""
        path = self._own_path()
        if path is not None:
            path.unlink(missing_ok=True)
        self._lock.release()
        self._release()

    def _before(self, tickets: list[Ticket]) -> list[Ticket] | None:
        """The tickets before ours; None where ours is gone."""
        path = self._own_path()
        if path is None:
            return None
        if path.name.startswith(_CANCELLED):
            raise Cancelled
        match = _TICKET.fullmatch(path.name)
        number = int(match[1]) if match else 0
        return [one for one in tickets if (one.number, one.job) < (number, self._job)]

    def _take(self, options: list[Keys]) -> bool:
        """Take the first choice that is free as a whole."""
        free = [one for one in options if all(holder(_device_lock(key)) is None for key in one)]
        if len(free) > 1:  # the best choice is computed only now: it may have changed
            free = [one for one in self._choices() if one in free]
        return any(self._acquire(option) for option in free)

    def _acquire(self, option: Keys) -> bool:
        for key in sorted(option):  # in one order for all, so that no two wait for each other
            lock = Lock(_device_lock(key))
            if not lock.acquire():
                self._release()
                return False
            lock.write(json.dumps({**self._note, "key": key, "since": time.time()}))
            self._devices.append(lock)
        self.taken = option
        return True

    def _release(self) -> None:
        for lock in self._devices:
            lock.release()
        self._devices, self.taken = [], ()

    def _give_back_ticket(self) -> None:
        while (path := self._own_path()) is not None:
            if path.name.startswith(_CANCELLED):
                self._release()
                raise Cancelled
            try:
                path.unlink()
            except FileNotFoundError:
                continue  # it was moved or cancelled at this very moment
        self._lock.release()

    def _own_path(self) -> Path | None:
        """Where our ticket lies now: others may rename it."""
        while self._lock.linked:  # a folder that is renamed in may be listed without it
            for path in _folder("queue").iterdir():
                if self._lock.is_on(path):
                    return path
        return None

    def _draw(self) -> Lock:
        """A ticket behind all others: it has its name only once it is locked and written."""
        folder = _folder("queue")
        lock = Lock(folder / f".{self._job}-{os.getpid()}")
        if not lock.acquire():
            raise EngineError("Another process holds this queue ticket.", str(lock.path))
        lock.write(json.dumps({**self._note, "options": self._options, "since": self._since}))
        last = max((ticket.number for ticket in _tickets(folder, own=self._job)), default=0)
        lock.path.rename(folder / f"{last + _GAP:012d}-{self._job}")
        return lock


def _folder(name: str) -> Path:
    folder = lock_folder() / name
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unusable_locks(error) from error
    return folder


def _device_lock(key: str) -> Path:
    return _folder("devices") / f"{re.sub(r'[^A-Za-z0-9-]', '-', key)}.lock"


def _tickets(folder: Path, own: str = "") -> list[Ticket]:
    """The live tickets in order; those of dead workers are removed, those of `own` left out.

    By the job's name: a ticket may be renamed at any moment, and looking at one's own frees it.
    """
    live = []
    for path in folder.iterdir():
        match = _TICKET.fullmatch(path.name.removeprefix(_CANCELLED))
        if match is None or match[2] == own:
            continue
        if holder(path) is None:
            remove_dead(path)
        elif not path.name.startswith(_CANCELLED):
            live.append(_read(path, int(match[1]), match[2]))
    return sorted(live, key=lambda ticket: (ticket.number, ticket.job))


def _read(path: Path, number: int, job: str) -> Ticket:
    table = read_json(path) or {}
    rows = table.get("options")
    options = tuple(tuple(map(str, one)) for one in rows) if isinstance(rows, list) else ()
    return Ticket(
        path,
        number,
        job,
        _text(table, "directory"),
        _text(table, "wanted"),
        options,
        _number(table, "since"),
    )


def _renumber(ticket: Ticket, before: list[Ticket], after: list[Ticket]) -> None:
    """Give a ticket a number between its new neighbours; the order of the others is never lost."""
    low = before[-1].number if before else 0
    high = after[0].number if after else low + 2 * _GAP
    if high - low < 2:  # no room: spread all out above the highest, the last first
        top = max(one.number for one in (*before, *after))
        line = [*before, ticket, *after]
        for index in range(len(line) - 1, -1, -1):
            _rename(line[index], top + (index + 1) * _GAP)
    else:
        _rename(ticket, (low + high) // 2)


def _rename(ticket: Ticket, number: int) -> None:
    try:
        ticket.path.rename(ticket.path.with_name(f"{number:012d}-{ticket.job}"))
    except FileNotFoundError as error:
        raise _not_waiting(ticket.job) from error


def _find(job: str, tickets: list[Ticket]) -> Ticket:
    for ticket in tickets:
        if ticket.job == job:
            return ticket
    raise _not_waiting(job)


def _not_waiting(job: str) -> EngineError:
    return EngineError(
        f"{job} is not in this machine's queue.",
        "It has started, has ended, or is queued on another host.",
        "See finetop queue; use finetop stop for a running job.",
    )


def _text(table: Mapping[str, object], name: str) -> str:
    return str(table.get(name) or "")


def _number(table: Mapping[str, object], name: str) -> float:
    value = table.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
