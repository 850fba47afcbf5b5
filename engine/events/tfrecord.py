"""TFRecord framing: which bytes of a growing file are whole, undamaged records.

Owns the offset up to which a file was read. Every length and every payload is checked against its
CRC-32C; a record that is cut or damaged ends the reading there and is tried again later. Does not
interpret payloads.

Framing (tensorflow/core/lib/io/record_writer.h): u64 length, u32 masked CRC of the length,
payload, u32 masked CRC of the payload; all little-endian.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
import numpy.typing as npt

from engine.events.record_scan import FOOTER, HEADER, MASK_DELTA, walk

CHUNK = 1 << 18
"""Bytes read at a time: about 5 ms of decoding."""
_TAIL = 64  # bytes before the offset that must still read the same when the file has grown


@dataclass(frozen=True, slots=True)
class Records:
    """The whole records of a stretch of bytes, in order."""

    data: bytes
    starts: npt.NDArray[np.int64]
    """Where each payload begins in `data`."""
    lengths: npt.NDArray[np.int64]
    """Bytes of each payload."""
    consumed: int
    """Bytes of `data` taken up by these records."""
    fault: str | None
    """The error in the next record; None: it is only incomplete."""
    needed: int
    """Bytes that the next record takes; 0: not known yet."""


def split(data: bytes) -> Records:
    """The records at the beginning of `data`, up to the first that is cut or damaged."""
    sizes, fault, needed = walk(data)
    stops = np.cumsum(sizes + HEADER + FOOTER) - FOOTER
    starts = stops - sizes
    checksum = google_crc32c.value
    bounds = zip(starts.tolist(), stops.tolist(), strict=True)
    good = _verified(data, stops, [checksum(data[start:stop]) for start, stop in bounds])
    if good < len(sizes):
        starts, sizes, fault, needed = starts[:good], sizes[:good], "damaged record", 0
    at = int(stops[good - 1]) + FOOTER if good else 0
    return Records(data, starts, sizes, at, fault, needed)


def _verified(data: bytes, stops: npt.NDArray[np.int64], sums: list[int]) -> int:
    """How many records, from the first on, carry the CRC that was computed for them."""
    if not sums:
        return 0
    four_bytes = np.ndarray((len(data) - 3, 4), np.uint8, data, strides=(1, 1))
    stored = four_bytes[stops].view("<u4").ravel()
    crc = np.array(sums, dtype=np.uint32)
    masked = (crc >> np.uint32(15) | crc << np.uint32(17)) + np.uint32(MASK_DELTA)
    wrong = np.flatnonzero(masked != stored)
    return int(wrong[0]) if wrong.size else len(sums)


class Replaced(Exception):
    """The file was replaced: read it again from its start."""


class RecordFile:
    """Reads one growing file, each whole record once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        """Bytes read so far: always the end of a good record."""
        self.fault: str | None = None
        """What is wrong with the record at `offset`, when it was last tried."""
        self._identity: tuple[int, int] | None = None
        self._tail = b""

    def read(self, limit: int = CHUNK) -> tuple[Records, bool]:
        """The next records, of about `limit` bytes (one record at least), and whether more waits.

        Raises Replaced where the bytes already read have changed, OSError where it cannot be read.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = self._check(descriptor)
            data = _read(descriptor, limit, self.offset)
            records = split(data)
            if not records.consumed and limit < records.needed <= size - self.offset:
                data = _read(descriptor, records.needed, self.offset)
                records = split(data)
        finally:
            os.close(descriptor)
        self.fault = records.fault
        if records.consumed:
            self.offset += records.consumed
            self._tail = (self._tail + data[: records.consumed])[-_TAIL:]
        more = bool(records.consumed) and not records.fault and self.offset < size
        return records, more and len(data) >= limit

    def _check(self, descriptor: int) -> int:
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino)
        if self._identity not in (None, identity) or status.st_size < self.offset:
            raise Replaced
        self._identity = identity
        tail = self._tail
        if tail and _read(descriptor, len(tail), self.offset - len(tail)) != tail:
            raise Replaced
        return status.st_size


def _read(descriptor: int, count: int, offset: int) -> bytes:
    """`count` bytes from `offset` on, fewer only at the end of the file."""
    parts: list[bytes] = []
    while count > 0 and (part := os.pread(descriptor, count, offset)):
        parts.append(part)
        count -= len(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
