"""A directory of event files, followed: every file, appended bytes only, all attempts as one curve.

Never writes, never gives a file up, and raises nothing for what a file holds: what cannot be read
is told in `problems`. Tags and names are as the files have them; whoever shows them cleans them.
"""

import os
import stat
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from engine.events.eventfile import EventFile, Problem, Signature
from engine.events.merge import Curve
from engine.events.series import Series

_MARK = "tfevents"


class LogDir:
    """Follows the event files of one directory, not of those below it.

    For one thread. What it hands out is never changed afterwards, so others may keep it.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.series: dict[str, Series] = {}
        """The curve of each tag, newest write wins; replaced, never changed, by `poll`."""
        self.problems: tuple[Problem, ...] = ()
        self.others: Counter[str] = Counter()
        """What the files hold beside scalars, by plugin or kind."""
        self.pending = False
        """True while files hold more than was read so far."""
        self._clock = clock
        self._files: dict[str, EventFile] = {}
        self._order: list[EventFile] = []
        self._curves: dict[str, Curve] = {}
        self._folder_problem: Problem | None = None

    def poll(self, budget_seconds: float | None = None) -> bool:
        """Read what was appended since the last poll; True where anything shown has changed.

        Stops after about `budget_seconds` (None: when all is read) and leaves `pending` True.
        A directory that is not there yet reads as an empty one.
        """
        deadline = None if budget_seconds is None else self._clock() + budget_seconds
        sessions = self._count_sessions()
        changed = self._scan()
        touched = bool(changed)
        self.pending = False
        for file in self._order:
            while file.waits(self._clock()):
                if deadline is not None and touched and self._clock() >= deadline:
                    self.pending = True
                    break
                changed |= file.advance(self._clock())
                touched = True
        before = self.problems
        if touched:
            if self._count_sessions() != sessions:
                changed |= self.series.keys()
            self._order.sort(key=EventFile.rank)
            self._renew(changed)
            self.others = sum((file.decoder.others for file in self._order), Counter())
        if touched or self._folder_problem:
            found = [problem for file in self._order if (problem := file.problem())]
            self.problems = (*found, *filter(None, [self._folder_problem]))
        return bool(changed) or self.problems != before

    def _scan(self) -> set[str]:
        """Look at the directory; returns the tags of files that are gone."""
        self._folder_problem = None
        seen: dict[str, Signature] = {}
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    if _MARK in entry.name and (signature := _sign(entry)):
                        seen[entry.name] = signature
        except FileNotFoundError:
            pass
        except OSError as error:
            self._folder_problem = Problem(".", f"cannot be listed: {error.strerror}")
            return set()
        for name, signature in seen.items():
            if name in self._files:
                self._files[name].signature = signature
            else:
                self._files[name] = EventFile(self.path / name, signature)
        gone = [self._files.pop(name) for name in self._files.keys() - seen.keys()]
        if gone or len(self._order) != len(self._files):
            self._order = sorted(self._files.values(), key=EventFile.rank)
        return {tag for file in gone for tag in file.points.columns}

    def _count_sessions(self) -> int:
        """Session starts in all files: one more, or one less, may change any curve."""
        return sum(len(file.points.purges) for file in self._files.values())

    def _renew(self, tags: set[str]) -> None:
        files = [file.points for file in self._order]
        series = dict(self.series)
        for tag in tags:
            if any(tag in file.columns for file in files):
                series[tag] = self._curves.setdefault(tag, Curve(tag)).series(files)
            else:
                series.pop(tag, None)
                self._curves.pop(tag, None)
        self.series = series


def _sign(entry: "os.DirEntry[str]") -> Signature | None:
    try:
        status = entry.stat()
    except OSError:
        return None  # gone since it was listed, or a link that leads nowhere
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
