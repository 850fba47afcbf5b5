"""One curve out of several files: the newest write wins from the step it rewinds to.

A pure function of what the files hold: however the polls fell, the curve is the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engine.events.scalars import Points
from engine.events.series import Branch, Floats, Ints, Series

Number = TypeVar("Number", bound=np.generic)
_GROWTH = 1.25  # with three 8-byte arrays: at most 30 bytes a point


class Column:
    """One tag's points of one file: three arrays that grow. Views taken earlier stay the same."""

    def __init__(self) -> None:
        self._size = 0
        self._steps = np.empty(0, np.int64)
        self._wall_times = np.empty(0, np.float64)
        self._values = np.empty(0, np.float64)

    def __len__(self) -> int:
        return self._size

    def extend(self, steps: Ints, wall_times: Floats, values: Floats) -> None:
        stop = self._size + len(steps)
        if stop > len(self._steps):
            room = max(stop, min(int(stop * _GROWTH), stop + (1 << 20)), 16)
            self._steps = _grown(self._steps, self._size, room)
            self._wall_times = _grown(self._wall_times, self._size, room)
            self._values = _grown(self._values, self._size, room)
        self._steps[self._size : stop] = steps
        self._wall_times[self._size : stop] = wall_times
        self._values[self._size : stop] = values
        self._size = stop

    @property
    def steps(self) -> Ints:
        return _view(self._steps, self._size)

    @property
    def wall_times(self) -> Floats:
        return _view(self._wall_times, self._size)

    @property
    def values(self) -> Floats:
        return _view(self._values, self._size)


@dataclass(slots=True, eq=False)
class FilePoints:
    """What one event file holds: its points by tag, and where its sessions began."""

    columns: dict[str, Column] = field(default_factory=dict)
    purges: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    """Step of each session start, and how many points of each tag the file held before it."""

    def add(self, tags: list[str], points: Points) -> set[str]:
        """Append a batch; returns the tags whose curves may have changed."""
        changed: set[str] = set()
        start = 0
        for purge in points.purges:
            self._extend(tags, points, start, purge.before, changed)
            start = purge.before
            held = {tag: len(column) for tag, column in self.columns.items()}
            self.purges.append((purge.step, held))
        self._extend(tags, points, start, len(points.tags), changed)
        return changed

    def _extend(
        self, names: list[str], points: Points, start: int, stop: int, changed: set[str]
    ) -> None:
        if start == stop:
            return
        tags = points.tags[start:stop]
        order = np.argsort(tags, kind="stable")
        for rows in np.split(order + start, np.flatnonzero(np.diff(tags[order])) + 1):
            tag = names[points.tags[rows[0]]]
            column = self.columns.setdefault(tag, Column())
            column.extend(points.steps[rows], points.wall_times[rows], points.values[rows])
            changed.add(tag)


_State = tuple[FilePoints, int, int]  # a file, its points of the tag, its purges


class Curve:
    """One tag over all files in order of attempt; remembers its last merge to append cheaply."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._state: list[_State] = []
        self._merged: Column | None = None
        self._ceiling = -1
        self._abandoned: tuple[Branch, ...] = ()
        self._restarts: tuple[int, ...] = ()

    def series(self, files: list[FilePoints]) -> Series:
        """The curve as it stands; files in order of attempt."""
        columns = [file.columns.get(self._tag) for file in files]
        holders = [column for column in columns if column]
        if len(holders) == 1 and not any(file.purges for file in files):
            self._merged, self._state = None, []
            only = holders[0]
            return Series(self._tag, only.steps, only.wall_times, only.values)
        state = [
            (file, len(column) if column else 0, len(file.purges))
            for file, column in zip(files, columns, strict=True)
        ]
        if self._merged is None or not self._append(columns, state):
            self._merge(files, columns)
        self._state = state
        merged = self._merged
        assert merged is not None
        return Series(
            self._tag,
            merged.steps,
            merged.wall_times,
            merged.values,
            self._abandoned,
            self._restarts,
        )

    def _append(self, columns: list[Column | None], state: list[_State]) -> bool:
        """Take over what the newest file appended; False where that would not be the truth."""
        if len(state) != len(self._state) or self._merged is None:
            return False
        pairs = zip(state, self._state, strict=True)
        grown = [at for at, (new, old) in enumerate(pairs) if new != old]
        if not grown:
            return True
        at, column = grown[0], columns[grown[0]]
        (file, count, purges), (old_file, before, old_purges) = state[at], self._state[at]
        later = any(count or purges for _, count, purges in state[at + 1 :])
        same = file is old_file and purges == old_purges and 0 < before <= count
        if len(grown) > 1 or later or not same or column is None:
            return False
        steps = column.steps[before:]
        if int(steps.min()) <= self._ceiling:
            return False
        self._merged.extend(steps, column.wall_times[before:], column.values[before:])
        return True

    def _merge(self, files: list[FilePoints], columns: list[Column | None]) -> None:
        pieces: list[Column] = []
        abandoned: list[Branch] = []
        restarts: list[int] = []
        ceiling = -1
        for file, column in zip(files, columns, strict=True):
            if not column and not file.purges:
                continue
            if column and (pieces or abandoned):
                restarts.append(int(column.steps[0]))
            if column and pieces:
                abandoned += _cut(pieces, int(column.steps.min()))
            ceiling = max((int(piece.steps.max()) for piece in pieces), default=-(1 << 63))
            start = 0
            for step, held in file.purges:
                stop = held.get(self._tag, 0)
                pieces += _slice(column, start, stop)
                abandoned += _cut(pieces, step)
                start = stop
            pieces += _slice(column, start, len(column) if column else 0)
        self._merged = Column()
        for piece in pieces:
            self._merged.extend(piece.steps, piece.wall_times, piece.values)
        self._ceiling = ceiling
        self._abandoned, self._restarts = tuple(abandoned), tuple(restarts)


def _slice(column: Column | None, start: int, stop: int) -> Iterator[Column]:
    if column is not None and start < stop:
        piece = Column()
        piece.extend(
            column.steps[start:stop], column.wall_times[start:stop], column.values[start:stop]
        )
        yield piece


def _cut(pieces: list[Column], step: int) -> Iterator[Branch]:
    """Take the points from `step` on out of `pieces`; they come back as one branch, if any."""
    whole = Column()
    for piece in pieces:
        whole.extend(piece.steps, piece.wall_times, piece.values)
    gone = whole.steps >= step
    if not gone.any():
        return
    kept = Column()
    kept.extend(whole.steps[~gone], whole.wall_times[~gone], whole.values[~gone])
    pieces[:] = [kept] if len(kept) else []
    yield Branch(whole.steps[gone], whole.wall_times[gone], whole.values[gone], step)


def _grown(array: npt.NDArray[Number], used: int, room: int) -> npt.NDArray[Number]:
    grown = np.empty(room, array.dtype)
    grown[:used] = array[:used]
    return grown


def _view(array: npt.NDArray[Number], size: int) -> npt.NDArray[Number]:
    view = array[:size]
    view.flags.writeable = False
    return view
