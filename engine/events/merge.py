"""One curve out of several files: the newest write wins from the step it rewinds to.

A pure function of what the files hold: however the polls fell, the curve is the same. Every point
is held once: after a merge the files' columns are windows into what was merged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engine.events.scalars import Points
from engine.events.series import Branch, Floats, Ints, Series

Number = TypeVar("Number", bound=np.generic)
Arrays = tuple[Ints, Floats, Floats]
"""Steps, wall times, values: of one length."""
_GROWTH = 1.25  # with three 8-byte arrays: at most 30 bytes a point
_NEVER = (1 << 63) - 1
_MOST_WINDOWS = 64
"""A file whose points lie in more pieces than this keeps them to itself."""


class _Store:
    """Points that grow at the end. Views taken earlier stay the same."""

    __slots__ = ("_arrays", "used")

    def __init__(self, arrays: Arrays | None = None) -> None:
        self._arrays = arrays or (np.empty(0, np.int64), np.empty(0), np.empty(0))
        self.used = len(self._arrays[0])

    def append(self, points: Arrays) -> None:
        stop = self.used + len(points[0])
        if stop > len(self._arrays[0]):
            room = max(stop, min(int(stop * _GROWTH), stop + (1 << 20)), 16)
            steps, wall_times, values = self._arrays
            self._arrays = (
                _grown(steps, self.used, room),
                _grown(wall_times, self.used, room),
                _grown(values, self.used, room),
            )
        for array, new in zip(self._arrays, points, strict=True):
            array[self.used : stop] = new
        self.used = stop

    def view(self, start: int, stop: int) -> Arrays:
        steps, wall_times, values = self._arrays
        return _view(steps, start, stop), _view(wall_times, start, stop), _view(values, start, stop)


@dataclass(slots=True, eq=False)
class _Window:
    """Points of a store that lie side by side."""

    store: _Store
    start: int = 0
    stop: int = 0

    @property
    def arrays(self) -> Arrays:
        return self.store.view(self.start, self.stop)

    def is_last(self) -> bool:
        return self.stop == self.store.used


class Column:
    """One tag's points of one file, in order of writing."""

    def __init__(self) -> None:
        self._windows: list[_Window] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, points: Arrays) -> None:
        if not self._windows or not self._windows[-1].is_last():
            store = _Store()
            self._windows.append(_Window(store))
        last = self._windows[-1]
        last.store.append(points)
        last.stop = last.store.used
        self._size += len(points[0])

    @property
    def arrays(self) -> Arrays:
        return _joined([window.arrays for window in self._windows])

    @property
    def newest(self) -> _Window:
        """The window that the last points lie in."""
        return self._windows[-1]

    def since(self, count: int) -> Arrays:
        """All but the first `count` points."""
        last = self.newest
        before = self._size - (last.stop - last.start)
        if count >= before:
            return last.store.view(last.start + count - before, last.stop)
        steps, wall_times, values = self.arrays
        return steps[count:], wall_times[count:], values[count:]

    def move(self, windows: list[_Window]) -> None:
        """Hold the same points there."""
        self._windows = windows

    def unite(self) -> Arrays:
        """`arrays`, of a column that shares them with no other."""
        only = self.newest
        if len(self._windows) > 1 or only.start or not only.is_last():
            steps, wall_times, values = self.arrays
            store = _Store((steps.copy(), wall_times.copy(), values.copy()))
            self._windows = [_Window(store, 0, store.used)]
        return self.newest.arrays


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
            column.extend((points.steps[rows], points.wall_times[rows], points.values[rows]))
            changed.add(tag)


_State = tuple[FilePoints, int, int]  # a file, its points of the tag, its purges


class Curve:
    """One tag over all files in order of attempt; remembers its last merge to append cheaply."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._state: list[_State] = []
        self._merged: _Window | None = None
        self._ceiling = -1
        self._abandoned: tuple[Branch, ...] = ()
        self._restarts: tuple[int, ...] = ()

    def series(self, files: list[FilePoints]) -> Series:
        """The curve as it stands; files in order of attempt."""
        columns = [file.columns.get(self._tag) for file in files]
        holders = [column for column in columns if column]
        if len(holders) == 1 and not any(file.purges for file in files):
            self._merged, self._state = None, []
            return Series(self._tag, *holders[0].unite())
        state = [
            (file, len(column) if column else 0, len(file.purges))
            for file, column in zip(files, columns, strict=True)
        ]
        merged = self._append(columns, state) or self._merge(files, columns)
        self._merged, self._state = merged, state
        return Series(self._tag, *merged.arrays, self._abandoned, self._restarts)

    def _append(self, columns: list[Column | None], state: list[_State]) -> _Window | None:
        """Take over what the newest file appended; None where that would not be the truth."""
        merged = self._merged
        if len(state) != len(self._state) or merged is None:
            return None
        pairs = zip(state, self._state, strict=True)
        grown = [at for at, (new, old) in enumerate(pairs) if new != old]
        if not grown:
            return merged
        at, column = grown[0], columns[grown[0]]
        (file, count, purges), (old_file, before, old_purges) = state[at], self._state[at]
        later = any(count or purges for _, count, purges in state[at + 1 :])
        same = file is old_file and purges == old_purges and 0 < before <= count
        if len(grown) > 1 or later or not same or column is None:
            return None
        points = column.since(before)
        if int(points[0].min()) <= self._ceiling:
            return None
        if column.newest.store is not merged.store and merged.is_last():
            merged.store.append(points)
        if merged.stop + len(points[0]) != merged.store.used:
            return None
        return _Window(merged.store, merged.start, merged.store.used)

    def _merge(self, files: list[FilePoints], columns: list[Column | None]) -> _Window:
        found = _joined([column.arrays for column in columns if column])
        steps = found[0]
        kept, left = np.empty(0, np.intp), list[npt.NDArray[np.intp]]()  # places in `found`
        rewound: list[int] = []
        restarts: list[int] = []
        self._ceiling, start = -1, 0

        def cut(step: int) -> None:
            nonlocal kept
            gone = steps[kept] >= step
            if gone.any():
                left.append(kept[gone])
                rewound.append(step)
                kept = kept[~gone]

        for file, column in zip(files, columns, strict=True):
            stop = start + (len(column) if column else 0)
            if start == stop and not file.purges:
                continue
            if start < stop and (len(kept) or left):
                restarts.append(int(steps[start]))
            lowest, branches = int(steps[start:stop].min(initial=_NEVER)), len(left)
            if start < stop:
                cut(lowest)
            self._ceiling = int(steps[kept].max(initial=-_NEVER))
            if len(left) > branches:  # it says where it rewound to: a lower step, lower
                self._ceiling = max(self._ceiling, lowest - 1)
            first = start
            for step, held in file.purges:
                here = first + held.get(self._tag, 0)
                kept = np.concatenate([kept, np.arange(start, here)])
                cut(step)
                start = here
            kept = np.concatenate([kept, np.arange(start, stop)])
            start = stop
        ends = np.cumsum([len(one) for one in left]).tolist()
        order = np.concatenate([*left, kept])
        aside = _Store(_taken(found, order[: len(order) - len(kept)]))
        merged = _Store(_taken(found, kept) if left else found)
        self._abandoned = tuple(
            Branch(*aside.view(end - len(one), end), step)
            for one, end, step in zip(left, ends, rewound, strict=True)
        )
        self._restarts = tuple(restarts)
        _hand_over(columns, order, aside, merged)
        return _Window(merged, 0, merged.used)


def _hand_over(
    columns: Sequence[Column | None], order: npt.NDArray[np.intp], aside: _Store, merged: _Store
) -> None:
    """Let the columns be windows into both stores, which hold their points in this order."""
    places = np.empty(len(order), np.intp)
    places[order] = np.arange(len(order))
    start = 0
    for column in columns:
        if not column:
            continue
        mine = places[start : start + len(column)]
        start += len(column)
        apart = np.diff(mine) != 1
        apart |= mine[1:] == aside.used  # where the other store begins
        bounds = [0, *(np.flatnonzero(apart) + 1).tolist(), len(mine)]
        if len(bounds) <= _MOST_WINDOWS:
            column.move(
                [
                    _Window(merged, first - aside.used, last - aside.used)
                    if first >= aside.used
                    else _Window(aside, first, last)
                    for first, last in _runs(mine, bounds)
                ]
            )


def _runs(places: npt.NDArray[np.intp], bounds: list[int]) -> Iterator[tuple[int, int]]:
    for start, stop in pairwise(bounds):
        yield int(places[start]), int(places[stop - 1]) + 1


def _joined(parts: Sequence[Arrays]) -> Arrays:
    """One after the other; a single one as it is."""
    if len(parts) == 1:
        return parts[0]
    steps, wall_times, values = zip(*parts, strict=True) if parts else ((), (), ())
    return (
        np.concatenate([np.empty(0, np.int64), *steps]),
        np.concatenate([np.empty(0), *wall_times]),
        np.concatenate([np.empty(0), *values]),
    )


def _taken(arrays: Arrays, places: npt.NDArray[np.intp]) -> Arrays:
    return arrays[0][places], arrays[1][places], arrays[2][places]


def _grown(array: npt.NDArray[Number], used: int, room: int) -> npt.NDArray[Number]:
    grown = np.empty(room, array.dtype)
    grown[:used] = array[:used]
    return grown


def _view(array: npt.NDArray[Number], start: int, stop: int) -> npt.NDArray[Number]:
    view = array[start:stop]
    view.flags.writeable = False
    return view
