"""The points of event files, by file and tag: arrays that grow at the end.

Independent of attempts. A column may be windows into the merge of several files, so that no point
is held twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engine.events.scalars import Points
from engine.events.series import Floats, Ints

Number = TypeVar("Number", bound=np.generic)
Arrays = tuple[Ints, Floats, Floats]
"""Steps, wall times, values: of one length."""
_GROWTH = 1.25  # with three 8-byte arrays: at most 30 bytes a point


class ColumnStore:
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
class PointRange:
    """Points of a store that lie side by side."""

    store: ColumnStore
    start: int = 0
    stop: int = 0

    @property
    def arrays(self) -> Arrays:
        return self.store.view(self.start, self.stop)

    def is_last(self) -> bool:
        return self.stop == self.store.used


class TagColumn:
    """One tag's points of one file, in order of writing."""

    def __init__(self) -> None:
        self._windows: list[PointRange] = []
        self._size = 0
        self._last_step: np.int64 | None = None
        self.goes_back = False
        """Whether a step is lower than the one before it."""
        self.first_step: int | None = None

    def __len__(self) -> int:
        return self._size

    def extend(self, points: Arrays) -> None:
        if not self._windows or not self._windows[-1].is_last():
            store = ColumnStore()
            self._windows.append(PointRange(store))
        last = self._windows[-1]
        last.store.append(points)
        last.stop = last.store.used
        self._size += len(points[0])
        if self.first_step is None:
            self.first_step = int(points[0][0])
        steps = points[0] if self._last_step is None else np.append(self._last_step, points[0])
        self.goes_back = self.goes_back or bool((steps[1:] < steps[:-1]).any())
        self._last_step = steps[-1]

    @property
    def arrays(self) -> Arrays:
        return joined([window.arrays for window in self._windows])

    @property
    def newest(self) -> PointRange:
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

    def move(self, windows: list[PointRange]) -> None:
        """Hold the same points there."""
        self._windows = windows

    def unite(self) -> Arrays:
        """`arrays`, of a column that shares them with no other."""
        only = self.newest
        if len(self._windows) > 1 or only.start or not only.is_last():
            steps, wall_times, values = self.arrays
            store = ColumnStore((steps.copy(), wall_times.copy(), values.copy()))
            self._windows = [PointRange(store, 0, store.used)]
        return self.newest.arrays


@dataclass(slots=True, eq=False)
class FilePoints:
    """What one event file holds: its points by tag, and where its sessions began."""

    columns: dict[str, TagColumn] = field(default_factory=dict)
    purges: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    """Step of each session start, and how many points of each tag the file held before it."""
    _firsts: list[int] = field(default_factory=list)

    @property
    def first_steps(self) -> Sequence[int]:
        """The first step of each tag, in order."""
        if len(self._firsts) != len(self.columns):
            columns = self.columns.values()
            self._firsts = sorted(one.first_step for one in columns if one.first_step is not None)
        return self._firsts

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
            column = self.columns.setdefault(tag, TagColumn())
            column.extend((points.steps[rows], points.wall_times[rows], points.values[rows]))
            changed.add(tag)


def joined(parts: Sequence[Arrays]) -> Arrays:
    """One after the other; a single one as it is."""
    if len(parts) == 1:
        return parts[0]
    steps, wall_times, values = zip(*parts, strict=True) if parts else ((), (), ())
    return (
        np.concatenate([np.empty(0, np.int64), *steps]),
        np.concatenate([np.empty(0), *wall_times]),
        np.concatenate([np.empty(0), *values]),
    )


def _grown(array: npt.NDArray[Number], used: int, room: int) -> npt.NDArray[Number]:
    grown = np.empty(room, array.dtype)
    grown[:used] = array[:used]
    return grown


def _view(array: npt.NDArray[Number], start: int, stop: int) -> npt.NDArray[Number]:
    view = array[start:stop]
    view.flags.writeable = False
    return view
