"""The newest values of an event file from its last bytes, long before all of it is read.

A record's length carries a checksum of its own, so the chain of records can be entered in the
middle: wherever a length checks, and the payloads after it check too, up to the end of the file.
What is found is true; what is not found (a tag that is written rarely) comes with the rest.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.events.framing import FOOTER, HEADER, masked_crc
from engine.events.scalars import Decoder
from engine.events.tfrecord import Records, split

TAIL = 1 << 12
"""Bytes looked at: the last 70 records of one value."""
_ZEROS = bytes(5)  # the upper bytes of every length below 16 MiB


@dataclass(frozen=True, slots=True)
class Last:
    """The newest point of a tag."""

    step: int
    wall_time: float
    value: float


class Glimpser:
    """Looks at the ends of many files; like records of different files are decoded alike."""

    def __init__(self) -> None:
        self._decoder = Decoder(from_start=False)

    def look(self, path: Path, tail: int = TAIL) -> Mapping[str, Last]:
        """The newest value of each tag among the last records; empty where there is none."""
        try:
            records = _last_records(path, tail)
        except OSError:
            return {}
        if records is None or not len(records.starts):
            return {}
        points = self._decoder.decode(records)
        if points.purges:
            return {}  # which values still count, only all of the run can tell
        # The last place of each tag, by looking from behind.
        tags, backwards = np.unique(points.tags[::-1], return_index=True)
        places = (len(points.tags) - 1 - backwards).tolist()
        return {
            self._decoder.tags[tag]: Last(
                int(points.steps[at]), float(points.wall_times[at]), float(points.values[at])
            )
            for tag, at in zip(tags.tolist(), places, strict=True)
        }


def _last_records(path: Path, tail: int) -> Records | None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        start = max(0, os.fstat(descriptor).st_size - tail)
        data = os.pread(descriptor, tail, start)
    finally:
        os.close(descriptor)
    at = -1
    while True:
        found = data.find(_ZEROS, at + 1)
        if found < 0 or found + 5 + FOOTER > len(data):
            return None
        at = found
        for head in range(max(0, at - 3), at + 1):
            header = data[head : head + HEADER]
            if len(header) < HEADER or header[3:8] != _ZEROS:
                continue
            if masked_crc(header[:8]) == int.from_bytes(header[8:], "little"):
                records = split(data[head:])
                if len(records.starts) and records.fault is None:
                    return records
