"""One event file of a directory: its read position, its points, and its errors.

Ours by design: TensorBoard's EventAccumulator takes 45 times as long (400,000 points: 14 s and
0.3 s, `tests/benchmarks/RESULTS.md`), needs a library that the light install lacks, and does not
report what is damaged or rewound."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from engine.events.columns import FilePoints
from engine.events.growing_file import Replaced
from engine.events.scalars import Decoder
from engine.events.tfrecord import RecordFile
from engine.events.watched_folder import Signature

RETRY_SECONDS = 1.0
"""Delay before a damaged or unreadable file is read again."""
_PRINTABLE = bytes([9, 10, 13, *range(32, 127)])
_NUMBER = re.compile(r"(\d+)")
_TIME = re.compile(r"tfevents\.(\d+)")
_ATTEMPT = re.compile(r"tfevents\.\d+\..+\.\d+\.0\.(\d+)\Z")
"""What our own workers write, with the attempt's number last. The 0 before it counts the writers of
a process: no other name, be its host an address, has one there."""
_LOOKED_THROUGH = 1 << 26
"""Bytes without a scalar after which a file is taken for one of scalars."""
_SAME_SECONDS = 60.0
"""Times this near contradict nothing: clocks are corrected by seconds."""
_LOOKS = (
    (b"version https://git-lfs", "git-LFS pointer: run git lfs pull"),
    (b"\x00\x05\x16\x07", "AppleDouble file: macOS metadata, no events"),
    (b"\x1f\x8b", "gzip file: decompress it first"),
    (b"PK\x03\x04", "zip file: extract it first"),
    (bytes(64), "zeros: not written yet, or a damaged disk block"),
)


def in_order(files: Iterable["EventFile"]) -> list["EventFile"]:
    """Files in order of attempt: by the attempts' numbers where all have one, else by time.

    Clocks are set back; numbers are not.
    """
    by_time = sorted(files, key=EventFile.rank)
    if any(file.attempt is None for file in by_time):
        return by_time
    return sorted(by_time, key=lambda file: file.attempt or 0)


def find_contradiction(files: Sequence["EventFile"]) -> "Problem | None":
    """Where files ordered by time have names and records that order them differently.

    None where the attempts' numbers order them.
    """
    if all(file.attempt is not None for file in files):
        return None
    dated = [
        (float(named[1]), file.decoder.first_wall_time, file.path.name)
        for file in files
        for named in _TIME.finditer(file.path.name)
    ]
    for (named, first, _), (later_named, later_first, name) in pairwise(dated):
        if first is None or later_first is None:
            continue
        if later_named - named > _SAME_SECONDS and first - later_first > _SAME_SECONDS:
            reason = "its records are older than those of the file before it by name: the order of "
            return Problem(name, f"{reason}the curves may be wrong")
    return None


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that could not be read completely, and why."""

    name: str
    reason: str
    is_error: bool = True
    """False where nothing is wrong: there is nothing to read, or not yet."""


class EventFile:
    """One event file: its read position and its points."""

    def __init__(self, path: Path, signature: Signature) -> None:
        self.path = path
        self.signature = signature
        """As the last scan saw it."""
        self._begin()

    def _begin(self) -> None:
        self.reader = RecordFile(self.path)
        self.decoder = Decoder()
        self.points = FilePoints()
        self._head = b""
        self._read: Signature | None = None  # what was read to its end
        self._refused: str | None = None
        self.retry_at = float("inf")
        """When to try again what could not be read, by the clock of `advance`."""

    @property
    def attempt(self) -> int | None:
        """The number of the attempt that wrote the file; None of files that are not ours."""
        numbered = _ATTEMPT.search(self.path.name)
        return int(numbered[1]) if numbered else None

    def rank(self) -> tuple[float, float, list[tuple[int, str]]]:
        """Order of attempts: time in the name, then of the first record, then the name itself."""
        first = self.decoder.first_wall_time
        first = float("inf") if first is None or first != first else first
        named = _TIME.search(self.path.name)
        parts = [
            (int(part), "") if part.isdecimal() else (0, part)
            for part in _NUMBER.split(self.path.name)
        ]
        return (float(named[1]) if named else first, first, parts)

    def waits(self, now: float) -> bool:
        """Whether there may be something to read."""
        return self._read != self.signature or now >= self.retry_at

    def advance(self, now: float) -> set[str]:
        """Read the next stretch; returns the tags whose curves may have changed."""
        self.retry_at = float("inf")
        self._refused = None
        empty = not self.signature[2] and not self.reader.offset
        if empty or self._is_apple_double():
            self._read = self.signature
            return set()
        target = self.signature
        try:
            records, more = self.reader.read()
        except Replaced:
            changed = set(self.points.columns)
            self._begin()
            return changed
        except FileNotFoundError:  # the next scan will not list it
            self._read = target
            return set()
        except OSError as error:
            self._read, self.retry_at = target, now + RETRY_SECONDS
            self._refused = f"cannot be read: {error.strerror}"
            return set()
        if not self.reader.offset:
            self._head = records.data[:64]
        if not more:
            self._read = target
        if records.fault:
            self.retry_at = now + RETRY_SECONDS
        return self.points.add(self.decoder.tags, self.decoder.decode(records))

    def problem(self) -> Problem | None:
        reason = self._reason()
        if reason:
            return Problem(self.path.name, reason)
        note = self._note()
        return Problem(self.path.name, note, is_error=False) if note else None

    def _is_apple_double(self) -> bool:
        return self.path.name.startswith("._")

    def _reason(self) -> str | None:
        if self._refused:
            return self._refused
        if self._is_apple_double():
            return "AppleDouble file: macOS metadata, no events"
        if self._read is None:
            return None
        if not self.reader.offset and self.signature[2]:
            return _recognise(self._head, self.reader.fault)
        if self.reader.fault:
            at = f"{self.reader.fault} at byte {self.reader.offset:,}"
            return f"{at}: points before it are shown; reading is retried"
        if self.decoder.unreadable:
            one = self.decoder.unreadable == 1
            what = (
                "record is not a TensorBoard event" if one else "records are not TensorBoard events"
            )
            return f"{self.decoder.unreadable} {what}"
        return None

    def _note(self) -> str | None:
        """Why a file that can be read has no scalars."""
        if self._read is None or self.points.columns:
            return None
        if not self.signature[2]:
            return "empty so far"
        if self.reader.is_cut:
            return f"no scalars: its last record is cut off at byte {self.reader.offset:,}"
        if self.reader.offset:
            kinds = {kind: n for kind, n in self.decoder.others.items() if kind != "version"}
            held = ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))
            return f"no scalars: {held}" if held else "no events yet, only the header"
        return None


def holds_scalars(path: Path) -> bool:
    """Whether an event file has a scalar; True too where its beginning is too long to tell."""
    reader, decoder = RecordFile(path), Decoder()
    try:
        while reader.offset < _LOOKED_THROUGH:
            records, more = reader.read()
            if len(decoder.decode(records).tags):
                return True
            if not more:
                return False
    except (OSError, Replaced):
        return False
    return True


def _recognise(head: bytes, fault: str | None) -> str:
    """What a file is whose first record cannot be read."""
    for beginning, name in _LOOKS:
        if head.startswith(beginning):
            return name
    if fault is None:
        return "no complete record yet"
    if head.isascii() and not head.translate(None, _PRINTABLE):
        return "text, not events"
    return "not an event file: the checksum of its first record is wrong"
