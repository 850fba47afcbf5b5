"""Logs with an entry a line, followed: LLaMA-Factory's `trainer_log.jsonl`, Lightning's CSV.

What a line says is the parsers' (`line_parsers`); merging, where steps begin again, is that of
event files. Reads appended lines only, each bounded; never writes, and raises nothing for content.
The files hold no times, so wall times are NaN.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from engine.events import hparams_yaml
from engine.events.columns import FilePoints
from engine.events.event_file import RETRY_SECONDS, Problem
from engine.events.growing_file import CHUNK, GrowingFile, Replaced
from engine.events.hparams_and_text import Setting, Text
from engine.events.line_parsers import PARSERS, LineParser, LogEntry
from engine.events.merge import MergedSeries
from engine.events.resumes import ResumeSteps
from engine.events.scalars import Points
from engine.events.series import Series
from engine.events.watched_folder import HPARAMS, Folder, Signature

LONGEST_LINE = 1 << 20
"""Bytes; a longer line ends the reading: the file is no such log."""
MOST_TAGS = 4096
"""Of one file; values of further ones are left out, and counted."""
_WRITTEN_SECONDS = 2.0
"""A file that changed no longer ago may be in the middle of a line."""
_HEAD = 1 << 12  # Lightning writes the file anew, with a longer header, once there is a new column


class LineLog:
    """Follows one such file of a directory; same interface as `LogDir`. For one thread."""

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        folder: Folder | None = None,
    ) -> None:
        """`name` is the file's, one of `PARSERS`."""
        self.path = path
        self.folder = folder or Folder(path)
        self.series: dict[str, Series] = {}
        self.problems: tuple[Problem, ...] = ()
        self.others: Counter[str] = Counter()
        self.settings: dict[str, Setting] = {}
        self.texts: dict[str, Text] = {}
        self.pending = False
        self._name = name
        self._clock = clock
        self._seen: Signature | None = None
        self._notes: Signature | None = None
        self._notes_read: dict[str, Setting] = {}
        self._retry_at = float("inf")
        self._begin()

    def _begin(self) -> None:
        self._file = GrowingFile(self.path / self._name, head=_HEAD)
        self._parser: LineParser = PARSERS[self._name]()
        self._points = FilePoints()
        self._tags: dict[str, int] = {}
        self._curves: dict[str, MergedSeries] = {}
        self._line = 0
        self._skipped: Counter[str] = Counter()
        self._first_skipped = 0
        self._fault = ""
        self._is_too_long = self._cut = False

    @property
    def modified(self) -> float:
        """When the file changed last, in seconds since the epoch; 0 where it is not there."""
        signature = self.folder.known.get(self._name)
        return signature[3] / 1e9 if signature else 0.0

    def poll(self, budget_seconds: float | None = None) -> bool:
        """Read what was appended since the last poll; True where anything shown has changed."""
        self.folder.look(self._clock())
        return self.read(budget_seconds)

    def waits(self) -> bool:
        known = self.folder.known
        same = known.get(self._name) == self._seen and known.get(HPARAMS) == self._notes
        return self.pending or not same or self._clock() >= self._retry_at

    def read(self, budget_seconds: float | None = None) -> bool:
        """`poll` for a folder that was just looked at."""
        if not self.waits():
            return False
        now = self._clock()
        deadline = None if budget_seconds is None else now + budget_seconds
        before = self.problems, self.settings, self.others
        self._seen, self._retry_at = self.folder.known.get(self._name), float("inf")
        changed = self._read(deadline) if self._seen else self._forget()
        resumes = ResumeSteps([self._points])
        curves = {
            tag: self._curves.setdefault(tag, MergedSeries(tag)).series([self._points], resumes)
            for tag in sorted(changed & self._points.columns.keys())
        }
        self.series = {**self.series, **curves}
        self._read_notes()
        self.others = Counter(self._parser.others)
        self.problems = tuple(self._problems())
        return bool(changed) or (self.problems, self.settings, self.others) != before

    def _read(self, deadline: float | None) -> set[str]:
        """Read until all is read or the time is over, one stretch at least."""
        changed: set[str] = set()
        self.pending = False
        while True:
            try:
                tags, more = self._advance()
            except Replaced:
                changed |= self._forget()
                continue
            except OSError as error:
                self._fault = f"cannot be read: {error.strerror}"
                self._retry_at = self._clock() + RETRY_SECONDS
                return changed
            changed |= tags
            if not more:
                return changed
            if deadline is not None and self._clock() >= deadline:
                self.pending = True
                return changed

    def _forget(self) -> set[str]:
        """Begin anew, as if nothing had been read."""
        gone = set(self.series)
        self.series, self.pending = {}, False
        self._begin()
        return gone

    def _advance(self) -> tuple[set[str], bool]:
        """Read the next stretch: the tags that have new points, and whether more waits."""
        if self._is_too_long:
            return set(), False
        self._fault = ""
        data = self._file.read(CHUNK)
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == CHUNK:
            data = self._file.read(LONGEST_LINE + 1)
            whole = data.rfind(b"\n") + 1
            if not whole and len(data) > LONGEST_LINE:
                self._is_too_long = True
                self._fault = f"line {self._line + 1:,} is longer than {LONGEST_LINE >> 20} MiB"
                return set(), False
        at_end = self._file.offset + len(data) >= self._file.size
        if at_end and self._parser.is_whole(data[whole:]):
            whole = len(data)  # its newline may come later: a blank line is no entry
        self._cut = at_end and bool(data[whole:].strip()) and not self._is_being_written()
        entries = [
            entry for line in data[:whole].splitlines() if (entry := self._entry(line)) is not None
        ]
        self._file.take(data[:whole])
        return self._add(entries), bool(whole) and not at_end

    def _is_being_written(self) -> bool:
        """Whether the rest of a line may just be on its way; then it is looked at again."""
        if abs(time.time() - self.modified) >= _WRITTEN_SECONDS:
            return False
        self._retry_at = self._clock() + RETRY_SECONDS
        return True

    def _entry(self, line: bytes) -> LogEntry | None:
        self._line += 1
        if not line.strip():
            return None
        try:
            return self._parser.parse(line.decode("utf-8", "replace"))
        except ValueError as error:
            self._first_skipped = self._first_skipped or self._line
            self._skipped[str(error)] += 1
            return None

    def _add(self, entries: Sequence[LogEntry]) -> set[str]:
        tags: list[int] = []
        steps: list[int] = []
        values: list[float] = []
        for step, measures in entries:
            for tag, value in measures:
                place = self._tags.get(tag)
                if place is None:
                    if len(self._tags) >= MOST_TAGS:
                        self._skipped[f"more than {MOST_TAGS:,} tags"] += 1
                        continue
                    place = self._tags[tag] = len(self._tags)
                tags.append(place)
                steps.append(step)
                values.append(value)
        if not tags:
            return set()
        points = Points(
            np.array(tags, np.int32),
            np.array(steps, np.int64),
            np.full(len(tags), np.nan),
            np.array(values, np.float64),
            (),
            np.arange(len(tags)),
        )
        return self._points.add(list(self._tags), points)

    def _read_notes(self) -> None:
        noted = self.folder.known.get(HPARAMS)
        if noted != self._notes:
            self._notes = noted
            self._notes_read = hparams_yaml.read_file(self.path / HPARAMS) if noted else {}
        self.settings = {**self._notes_read, **self._parser.settings}

    def _problems(self) -> "list[Problem]":
        found = [Problem(self._name, self._fault)] if self._fault else []
        if self._skipped:
            count = sum(self._skipped.values())
            why = "; ".join(sorted(self._skipped)[:3])
            first = f"from line {self._first_skipped:,} on: " if self._first_skipped else ""
            what = "entry" if count == 1 else "entries"
            found.append(Problem(self._name, f"{count:,} {what} skipped, {first}{why}"))
        if not self._fault and self._cut:
            reason = f"line {self._line + 1:,} is cut off"
            found.append(Problem(self._name, reason, is_error=False))
        elif not self._fault and not self.series and not self._skipped and not self.pending:
            found.append(Problem(self._name, "no values yet", is_error=False))
        return found
