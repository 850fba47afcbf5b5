"""Event records decoded to scalar points, thousands at a time.

Records of one length that differ only in time, step and value are read together by numpy; all
others go through `event.read_event`, one by one, with the same result. What is no scalar is
counted by its plugin and left alone.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.events import hparams_and_text
from engine.events.event import SCALARS, Event, Spot, Value, read_event
from engine.events.hparams_and_text import Facts
from engine.events.tfrecord import Records
from engine.protowire import Malformed

_FEW = 8  # below this many records of one length, numpy costs more than it saves
_LONG = 4096  # bytes: longer records are read one by one
# Powers of an odd number (Knuth's for MMIX): numpy's own random numbers take long to be imported.
_WEIGHTS = np.multiply.accumulate(np.full(_LONG // 8, 6364136223846793005, np.uint64))


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
    rows: npt.NDArray[np.int64]
    """Which record of the batch each was written in."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the numbers of an event lie, relative to its payload."""

    tags: tuple[int, ...]
    """One for each value of the event."""
    spots: tuple[Spot, ...]
    """Where the values lie."""
    mask: bytes
    """0xff where like events are equal, 0x80 in the step (its length), 0 in time and values."""
    wall_at: int
    step_at: int
    step_stop: int

    def fits(self, other: "_Layout") -> bool:
        """Whether both have their numbers in the same places, whatever their tags."""
        mine = self.mask, self.spots, self.wall_at, self.step_at, self.step_stop
        return mine == (other.mask, other.spots, other.wall_at, other.step_at, other.step_stop)


class Decoder:
    """Decodes the records of one file; remembers tags and layouts from batch to batch.

    `from_start` is False where a file is entered in its middle: tensors whose plugin was named
    earlier are then left out, because they may be anything.
    """

    def __init__(self, *, from_start: bool = True) -> None:
        self._default = SCALARS if from_start else ""
        self.tags: list[str] = []
        self.others: Counter[str] = Counter()
        """Values and events that are no scalars, by plugin or kind."""
        self.facts = Facts()
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
            like = [self._tags_like(records, int(rows[i]), sample) for i in first]
            known = np.array([tags is not None for tags in like])
            # A hash may collide: only rows that equal their group's first count.
            fits = known[group] & (words == words[first[group]]).all(axis=1)
            tags = np.array([tags or sample.tags for tags in like], np.int32)[group[fits]]
            batch.add(rows[fits], tags, matrix[fits], sample)
            left.append(rows[:0] if fits[0] else rows[:1])
            fits[0] = True
            rows, matrix = rows[~fits], matrix[~fits]
        return np.concatenate([*left, rows])

    def _tags_like(self, records: Records, row: int, sample: _Layout) -> tuple[int, ...] | None:
        """The tags of a record that is laid out as `sample`; None where it is not."""
        layout = self._layout(records, row, sample.mask)
        return layout.tags if layout is not None and layout.fits(sample) else None

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
        if not event.regular or event.kind or event.wall_at < 0 or not event.values:
            return None
        wall_at, (step_at, step_stop) = event.wall_at - start, event.step_at or (start, start)
        mask = bytearray(b"\xff" * (stop - start))
        mask[wall_at : wall_at + 8] = bytes(8)
        for at in range(step_at - start, step_stop - start):
            mask[at] = 0x80
        spots = []
        for value in event.values:
            if value.spot is None or not self._is_scalar(value):
                return None
            if value.kind and not value.plugin and value.tag not in self._plugins:
                return None  # what it is must be settled in order of writing
            spots.append(Spot(value.spot.at - start, value.spot.width))
            mask[spots[-1].at : spots[-1].at + value.spot.width] = bytes(value.spot.width)
        tags = tuple(self._id(value.tag) for value in event.values)
        return _Layout(tags, tuple(spots), bytes(mask), wall_at, step_at - start, step_stop - start)

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
                self._note(records.data, event, value, plugin)
            if self._default:
                self._plugins.setdefault(value.tag, value.plugin or "")

    def _note(self, data: bytes, event: Event, value: Value, plugin: str | None) -> None:
        try:
            if plugin == hparams_and_text.TEXT and value.tensor:
                self.facts.add_text(value.tag, event.step, event.wall_time, data, value.tensor)
            elif plugin == hparams_and_text.HPARAMS and value.content:
                self.facts.add_hparams(data, value.content)
        except (Malformed, RecursionError):  # nesting may be unlimited
            self.unreadable += 1

    def _is_scalar(self, value: Value) -> bool:
        """Whether a value is a point of a curve.

        TF1's FileWriter names the plugin in a tag's first value only, so it is remembered.
        """
        if value.plugin and self._default:
            self._plugins.setdefault(value.tag, value.plugin)
        plugin = value.plugin or self._plugins.get(value.tag) or self._default
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
        tags: npt.NDArray[np.int32],
        matrix: npt.NDArray[np.uint8],
        layout: _Layout,
    ) -> None:
        """Rows of one layout; `matrix` holds their payloads, `tags` a column for each value."""
        wall = layout.wall_at
        steps = np.zeros(len(rows), np.uint64)
        for place, at in enumerate(range(layout.step_at, layout.step_stop)):
            steps |= (matrix[:, at] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * place)
        walls = matrix[:, wall : wall + 8].copy().view("<f8").ravel()
        for column, spot in enumerate(layout.spots):
            numbers = matrix[:, spot.at : spot.at + spot.width].copy().view(f"<f{spot.width}")
            self._rows.append(rows.astype(np.int64))
            self._tags.append(tags[:, column])
            self._steps.append(steps.view(np.int64))
            self._walls.append(walls)
            with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
                self._values.append(numbers.ravel().astype(np.float64))

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
            row,
        )


def _masked_words(matrix: npt.NDArray[np.uint8], mask: bytes) -> npt.NDArray[np.uint64]:
    """Each row with its varying bytes blanked, as 64-bit words."""
    rows, length = matrix.shape
    words = np.zeros((rows, -(-length // 8)), np.uint64)
    np.bitwise_and(matrix, np.frombuffer(mask, np.uint8), out=words.view(np.uint8)[:, :length])
    return words
