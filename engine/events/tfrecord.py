"""TFRecord framing: which bytes of a growing file are whole, undamaged records.

Every length and every payload is checked against its CRC-32C; a record that is cut or damaged ends
the reading there and is tried again later. Does not interpret payloads.

Framing (tensorflow/core/lib/io/record_writer.h): u64 length, u32 masked CRC of the length,
payload, u32 masked CRC of the payload; all little-endian.
"""

from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
import numpy.typing as npt

from engine.events.growing_file import CHUNK, GrowingFile
from engine.events.record_scan import FOOTER, HEADER, MASK_DELTA, walk


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


class RecordFile:
    """Reads one growing file, each whole record once."""

    def __init__(self, path: Path) -> None:
        self.fault: str | None = None
        """What is wrong with the record at `offset`, when it was last tried."""
        self._file = GrowingFile(path)

    @property
    def offset(self) -> int:
        """Bytes read so far: always the end of a good record."""
        return self._file.offset

    @property
    def is_cut(self) -> bool:
        """Whether the file, as it was last read, ends within a record."""
        return self.fault is None and self._file.offset < self._file.size

    def read(self, limit: int = CHUNK) -> tuple[Records, bool]:
        """The next records, of about `limit` bytes (one record at least), and whether more waits.

        Raises Replaced where the bytes already read have changed, OSError where it cannot be read.
        """
        data = self._file.read(limit)
        records = split(data)
        if not records.consumed and limit < records.needed <= self._file.size - self.offset:
            data = self._file.read(records.needed)
            records = split(data)
        self.fault = records.fault
        self._file.take(data[: records.consumed])
        more = bool(records.consumed) and not records.fault and self.offset < self._file.size
        return records, more and len(data) >= limit
