"""The newest values of an event file from its last bytes, long before all of it is read.

A record's length carries a checksum of its own, so the chain of records can be entered in the
middle: wherever a length checks, and the payloads after it check too, up to the very end of the
file. A record that is cut there may hold what looks like records: then the chain is walked from
the file's start. What is found is true; what is not (a rare tag, the newest values of a large file
that ends in a cut record) comes with the rest.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from engine.events.record_scan import FOOTER, HEADER, masked_crc, walk
from engine.events.scalars import Decoder, Points
from engine.events.tfrecord import Records, split

TAIL = 1 << 12
"""Bytes looked at: the last 70 records of one value."""
_WALKED = 1 << 20
"""Bytes before the last records that are walked where the file ends in a cut record."""
_ZEROS = bytes(5)  # the upper bytes of every length below 16 MiB


@dataclass(frozen=True, slots=True)
class Last:
    """The newest point of a tag."""

    step: int
    wall_time: float
    value: float


Newest = Mapping[str, Last]
"""Of a file, by tag."""


class Glimpser:
    """Reads the ends of many files and decodes similar records together."""

    def __init__(self) -> None:
        self._decoder = Decoder(from_start=False)

    def look(self, path: Path, size: int = TAIL) -> Newest:
        """The newest value of each tag among the last records; empty where there is none."""
        return self.newest([tail(path, size)])[0]

    def newest(self, tails: Sequence[Records | None]) -> list[Newest]:
        """The newest values of several files, from the result of `tail` for each."""
        known = [one for one in tails if one is not None]
        points = self._decoder.decode(_joined(known))
        if points.purges:  # which values still count, only all of the run can tell
            return [self.newest([one])[0] for one in tails] if len(tails) > 1 else [{}]
        counts = np.cumsum([0 if one is None else len(one.starts) for one in tails])
        bounds = [0, *np.searchsorted(points.rows, counts).tolist()]
        return [self._last(points, start, stop) for start, stop in pairwise(bounds)]

    def _last(self, points: Points, start: int, stop: int) -> Newest:
        # The last position of each tag, searched from the end.
        tags, backwards = np.unique(points.tags[start:stop][::-1], return_index=True)
        places = (stop - 1 - backwards).tolist()
        return {
            self._decoder.tags[tag]: Last(
                int(points.steps[at]), float(points.wall_times[at]), float(points.values[at])
            )
            for tag, at in zip(tags.tolist(), places, strict=True)
        }


def tail(path: Path, size: int = TAIL) -> Records | None:
    """The last records of a file, as far as they lie in its last bytes; None where there are none.

    Raises nothing for a file that cannot be read.
    """
    try:
        records = _last_records(path, size)
    except OSError:
        return None
    return records if records is not None and len(records.starts) else None


def _joined(parts: Sequence[Records]) -> Records:
    """Records of several files as those of one."""
    if len(parts) == 1:
        return parts[0]
    begins = np.cumsum([0, *(len(one.data) for one in parts)]).tolist()
    starts = [one.starts + begin for one, begin in zip(parts, begins, strict=False)]
    nothing = np.empty(0, np.int64)
    return Records(
        b"".join(one.data for one in parts),
        np.concatenate([nothing, *starts]),
        np.concatenate([nothing, *(one.lengths for one in parts)]),
        begins[-1],
        None,
        0,
    )


def _last_records(path: Path, size: int) -> Records | None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        start = max(0, os.fstat(descriptor).st_size - size)
        data = os.pread(descriptor, size, start)
        for head in _heads(data):
            records = split(data[head:])
            if not len(records.starts) or records.fault is not None:
                continue
            is_whole = records.consumed == len(data) - head
            if is_whole or _is_record_start(descriptor, start + head):
                return records
        return None
    finally:
        os.close(descriptor)


def _heads(data: bytes) -> Iterator[int]:
    """Where a record may begin: at a length below 16 MiB that has its checksum."""
    at = data.find(_ZEROS)
    while 0 <= at <= len(data) - 5 - FOOTER:
        for head in range(max(0, at - 3), at + 1):
            header = data[head : head + HEADER]
            if len(header) < HEADER or header[3:8] != _ZEROS:
                continue
            if masked_crc(header[:8]) == int.from_bytes(header[8:], "little"):
                yield head
        at = data.find(_ZEROS, at + 1)


def _is_record_start(descriptor: int, place: int) -> bool:
    """Whether the records from the file's start on lead to `place`; False where that is far."""
    if place > _WALKED:
        return False
    lengths, _, _ = walk(os.pread(descriptor, place, 0))
    return int((lengths + HEADER + FOOTER).sum()) == place
