"""Event records decoded to scalar points, thousands at a time.

Records of one length that differ only in time, step and value are read together by numpy; all
others go through `event.read_event`, one by one, with the same result. What is no scalar is
counted by its plugin and left alone.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.events.event import SCALARS, Event, Value, read_event
from engine.events.tfrecord import Records
from engine.events.wire import Malformed

_FEW = 8  # below this many records of one length, numpy costs more than it saves
_LONG = 4096  # bytes: longer records are read one by one
_WEIGHTS = np.random.default_rng(7).integers(1, 1 << 63, _LONG // 8, np.uint64) | np.uint64(1)


@dataclass(frozen=True, slots=True)
class Purge:
    """A session began at `step`: what was written before, from that step on, no longer counts."""

    step: int
    before: int
    """How many points of the batch were written before it."""


@dataclass(frozen=True, slots=True)
class Points:
    """A batch of points in order of writing; all arrays have one length."""

    tags: npt.NDArray[np.int32]
    """Index into `Decoder.tags`."""
    steps: npt.NDArray[np.int64]
    wall_times: npt.NDArray[np.float64]
    """Seconds since the epoch."""
    values: npt.NDArray[np.float64]
    purges: tuple[Purge, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the numbers of an event lie, relative to its payload."""

    tag: int
    mask: bytes
    """0xff where like events are equal, 0x80 in the step (its length), 0 in time and value."""
    wall_at: int
    step_at: int
    step_stop: int
    value_at: int
    width: int


class Decoder:
    """Decodes the records of one file; remembers tags and layouts from batch to batch."""

    def __init__(self) -> None:
        self.tags: list[str] = []
        self.others: Counter[str] = Counter()
        """Values and events that are no scalars, by plugin or kind."""
        self.unreadable = 0
        """Records with a right CRC that are no Event."""
        self.first_wall_time: float | None = None
        """Seconds since the epoch, of the first record that is an event."""
        self._ids: dict[str, int] = {}
        self._plugins: dict[str, str] = {}
        self._layouts: dict[tuple[bytes, bytes], _Layout] = {}

    def decode(self, records: Records) -> Points:
        """The scalar points of `records`."""
        if self.first_wall_time is None and records.starts.size:
            self.first_wall_time = self._first_wall_time(records)
        batch = _Batch()
        payload = np.frombuffer(records.data, np.uint8)
        left: list[int] = []
        for length in np.unique(records.lengths).tolist():
            rows = np.flatnonzero(records.lengths == length)
            if rows.size >= _FEW and 0 < length <= _LONG:
                shape = (payload.size - length + 1, length)
                windows = np.ndarray(shape, np.uint8, payload, strides=(1, 1))
                rows = self._decode_alike(records, rows, windows[records.starts[rows]], batch)
            left += rows.tolist()
        for row in sorted(left):
            self._decode_one(records, row, batch)
        return batch.gather()

    def _first_wall_time(self, records: Records) -> float | None:
        start = int(records.starts[0])
        try:
            return read_event(records.data, start, start + int(records.lengths[0])).wall_time
        except Malformed:
            return None

    def _decode_alike(
        self,
        records: Records,
        rows: npt.NDArray[np.intp],
        matrix: npt.NDArray[np.uint8],
        batch: "_Batch",
    ) -> npt.NDArray[np.intp]:
        """Decode the rows that share a layout; returns those that are left for `_decode_one`."""
        left: list[npt.NDArray[np.intp]] = []
        while rows.size >= _FEW:
            sample = self._layout(records, int(rows[0]))
            if sample is None:
                left.append(rows[:1])
                rows, matrix = rows[1:], matrix[1:]
                continue
            words = _masked_words(matrix, sample.mask)
            hashes = (words * _WEIGHTS[: words.shape[1]]).sum(axis=1, dtype=np.uint64)
            _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
            tags = np.array([self._tag_like(records, int(rows[i]), sample) for i in first])[group]
            # A hash may collide: only rows that equal their group's first count.
            fits = (tags >= 0) & (words == words[first[group]]).all(axis=1)
            batch.add(rows[fits], tags[fits], matrix[fits], sample)
            left.append(rows[:0] if fits[0] else rows[:1])
            fits[0] = True
            rows, matrix = rows[~fits], matrix[~fits]
        return np.concatenate([*left, rows])

    def _tag_like(self, records: Records, row: int, sample: _Layout) -> int:
        """The tag of a record that is laid out as `sample`; -1 where it is laid out otherwise."""
        layout = self._layout(records, row, sample.mask)
        return layout.tag if layout is not None and layout.mask == sample.mask else -1

    def _layout(self, records: Records, row: int, mask: bytes | None = None) -> _Layout | None:
        start = int(records.starts[row])
        stop = start + int(records.lengths[row])
        if mask is None:
            return self._find_layout(records.data, start, stop)
        masked = int.from_bytes(records.data[start:stop]) & int.from_bytes(mask)
        key = (mask, masked.to_bytes(len(mask)))
        layout = self._layouts.get(key) or self._find_layout(records.data, start, stop)
        if layout is not None and layout.mask == mask:
            self._layouts[key] = layout
        return layout

    def _find_layout(self, data: bytes, start: int, stop: int) -> _Layout | None:
        try:
            event = read_event(data, start, stop)
        except Malformed:
            return None
        if not event.regular or event.kind or event.wall_at < 0 or len(event.values) != 1:
            return None
        value = event.values[0]
        if value.spot is None or not self._is_scalar(value):
            return None
        if value.kind and not value.plugin and value.tag not in self._plugins:
            return None  # what it is must be settled in order of writing
        mask = bytearray(b"\xff" * (stop - start))
        wall_at, value_at = event.wall_at - start, value.spot.at - start
        step_at, step_stop = event.step_at or (start, start)
        mask[wall_at : wall_at + 8] = bytes(8)
        mask[value_at : value_at + value.spot.width] = bytes(value.spot.width)
        for at in range(step_at - start, step_stop - start):
            mask[at] = 0x80
        return _Layout(
            self._id(value.tag),
            bytes(mask),
            wall_at,
            step_at - start,
            step_stop - start,
            value_at,
            value.spot.width,
        )

    def _decode_one(self, records: Records, row: int, batch: "_Batch") -> None:
        start = int(records.starts[row])
        try:
            event = read_event(records.data, start, start + int(records.lengths[row]))
        except Malformed:
            self.unreadable += 1
            return
        if event.kind:
            self.others[event.kind] += 1
        if event.starts_session:
            batch.purges.append((row, event.step))
        for value in event.values:
            if self._is_scalar(value):
                batch.add_one(row, self._id(value.tag), event, value)
            else:
                plugin = value.plugin or self._plugins.get(value.tag)
                self.others[plugin or value.kind or "unknown"] += 1
            self._plugins.setdefault(value.tag, value.plugin or "")

    def _is_scalar(self, value: Value) -> bool:
        """Whether a value is a point of a curve.

        TF1's FileWriter names the plugin in a tag's first value only, so it is remembered.
        """
        if value.plugin:
            self._plugins.setdefault(value.tag, value.plugin)
        plugin = value.plugin or self._plugins.get(value.tag) or SCALARS
        return value.number is not None and (not value.kind or plugin == SCALARS)

    def _id(self, tag: str) -> int:
        if tag not in self._ids:
            self._ids[tag] = len(self.tags)
            self.tags.append(tag)
        return self._ids[tag]


class _Batch:
    """Gathers decoded rows in any order, and gives them back in order of writing."""

    def __init__(self) -> None:
        self.purges: list[tuple[int, int]] = []
        self._rows: list[npt.NDArray[np.int64]] = []
        self._tags: list[npt.NDArray[np.int32]] = []
        self._steps: list[npt.NDArray[np.int64]] = []
        self._walls: list[npt.NDArray[np.float64]] = []
        self._values: list[npt.NDArray[np.float64]] = []
        self._single: list[tuple[int, int, int, float, float]] = []

    def add(
        self,
        rows: npt.NDArray[np.intp],
        tags: npt.NDArray[np.intp],
        matrix: npt.NDArray[np.uint8],
        layout: _Layout,
    ) -> None:
        """Rows of one layout; `matrix` holds their payloads."""
        wall, value, width = layout.wall_at, layout.value_at, layout.width
        steps = np.zeros(len(rows), np.uint64)
        for place, at in enumerate(range(layout.step_at, layout.step_stop)):
            steps |= (matrix[:, at] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * place)
        self._rows.append(rows.astype(np.int64))
        self._tags.append(tags.astype(np.int32))
        self._steps.append(steps.view(np.int64))
        self._walls.append(matrix[:, wall : wall + 8].copy().view("<f8").ravel())
        numbers = matrix[:, value : value + width].copy().view(f"<f{width}").ravel()
        self._values.append(numbers.astype(np.float64))

    def add_one(self, row: int, tag: int, event: Event, value: Value) -> None:
        assert value.number is not None
        self._single.append((row, tag, event.step, event.wall_time, value.number))

    def gather(self) -> Points:
        rows, tags, steps, walls, values = (
            zip(*self._single, strict=True) if self._single else [()] * 5
        )
        row = np.concatenate([*self._rows, np.array(rows, np.int64)])
        order = np.argsort(row, kind="stable")
        row = row[order]
        purges = tuple(
            Purge(step, int(np.searchsorted(row, at))) for at, step in sorted(self.purges)
        )
        return Points(
            np.concatenate([*self._tags, np.array(tags, np.int32)])[order],
            np.concatenate([*self._steps, np.array(steps, np.int64)])[order],
            np.concatenate([*self._walls, np.array(walls, np.float64)])[order],
            np.concatenate([*self._values, np.array(values, np.float64)])[order],
            purges,
        )


def _masked_words(matrix: npt.NDArray[np.uint8], mask: bytes) -> npt.NDArray[np.uint64]:
    """Each row with its varying bytes blanked, as 64-bit words."""
    rows, length = matrix.shape
    words = np.zeros((rows, -(-length // 8)), np.uint64)
    np.bitwise_and(matrix, np.frombuffer(mask, np.uint8), out=words.view(np.uint8)[:, :length])
    return words
