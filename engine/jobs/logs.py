"""The logs of a run: whole, piece by piece, or as one text that grows, attempt after attempt.

Reads only what was appended, in bounded memory, and gives text that is safe to show. What a
`Journal` keeps is the end; what was dropped before it is counted.
"""

import codecs
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from engine.jobs.directory import JobDirectory
from engine.safe_open import open_file, open_regular
from engine.text import clean

MOST_LINES = 5_000
MOST_BYTES = 2 << 20
"""Read of a log that is there already: its end."""
LONGEST_LINE = 4_000
_SLICE = 1 << 20
_PIECE = 1 << 18


class LogText:
    """One log file as text, all of it, however long its lines are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""
        """A carriage return at the end: with the next newline it ends a line, alone it is none."""

    def pieces(self) -> Iterator[str]:
        """What came since the last call, cleaned; nothing where there is no file yet.

        Raises EngineError where it cannot be read.
        """
        if not self._path.exists():  # of a worker that has just begun
            return
        with open_regular(self._path) as file:
            file.seek(self._offset)
            while data := file.read(_PIECE):
                self._offset += len(data)
                text = self._held + self._decode(data)
                self._held = "\r" if text.endswith("\r") else ""
                yield clean(text.removesuffix(self._held))

    def rest(self) -> str:
        """What waits for more text, once there is none."""
        return clean(self._held + self._decode(b"", final=True))


class Journal:
    """Follows a run's logs; `lines` is what was read so far."""

    def __init__(self, job: JobDirectory) -> None:
        self.lines: deque[str] = deque(maxlen=MOST_LINES)
        """Cleaned. The last one may still be growing."""
        self.dropped = 0
        """Lines that are not kept; skipped bytes are not counted."""
        self.passed = 0
        """Bytes that were not read: more was there at once than is read."""
        self._job = job
        self._path: Path | None = None
        self._number = 0
        self._inode = 0
        self._offset = 0
        self._open = b""
        """The text after the last newline."""
        self._shows_open = False

    def poll(self) -> bool:
        """Read new text; return whether there was any."""
        changed = False
        while True:
            changed |= self._read()
            following = self._following()
            if following is None:
                return changed
            self._begin(*following)
            changed = True

    def _following(self) -> tuple[int, Path] | None:
        """The log after the one that was read last, once there is one."""
        latest = self._job.latest_attempt()
        for number in range(self._number + 1, latest + 1):
            if (path := self._job.attempt(number).log).exists():
                return number, path
        if self._path is None and self._job.launch_log.exists():
            return 0, self._job.launch_log
        return None

    def _begin(self, number: int, path: Path) -> None:
        self._end_line()
        if number > 1:
            self._add(f"--- attempt {number} ---")
        self._path, self._number, self._inode, self._offset = path, number, 0, 0

    def _read(self) -> bool:
        if self._path is None:
            return False
        try:
            with open_file(self._path) as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._offset:
                    self._inode, self._offset, self._open = status.st_ino, 0, b""
                if (more := status.st_size - self._offset - MOST_BYTES) > 0:
                    # Lines that would be dropped at once are not read.
                    self._end_line()
                    self._offset += more
                    self.passed += more
                if status.st_size == self._offset:
                    return False
                file.seek(self._offset)
                while data := file.read(_SLICE):
                    self._offset += len(data)
                    self._take(data)
        except OSError:
            return False
        return True

    def _take(self, data: bytes) -> None:
        if self._shows_open:
            self.lines.pop()
        *whole, self._open = (self._open + data).split(b"\n")
        for line in whole:
            self._add(_said(line))
        # A line without an end must not grow without limit.
        self._open = self._open[-4 * LONGEST_LINE :]
        self._shows_open = bool(self._open)
        if self._shows_open:
            self._add(_said(self._open))

    def _end_line(self) -> None:
        self._open, self._shows_open = b"", False

    def _add(self, line: str) -> None:
        self.dropped += len(self.lines) == MOST_LINES
        self.lines.append(line)


def _said(line: bytes) -> str:
    """A line as a terminal shows it: after carriage returns, the last text."""
    text = line[: 16 * LONGEST_LINE].decode("utf-8", "replace").rstrip("\r")
    return clean(text.rpartition("\r")[2])[:LONGEST_LINE].replace("\n", " ")
