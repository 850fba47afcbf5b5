"""One curve out of several files: the newest write wins from the step it rewinds to.

A pure function of the files' contents: the curve does not depend on the timing of polls. Every
point is held once: after a merge the files' columns are windows into what was merged.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engine.events.columns import Arrays, ColumnStore, FilePoints, PointRange, TagColumn, joined
from engine.events.resumes import Continuation, ResumeSteps, find_restarts
from engine.events.series import Branch, Series

_NEVER = (1 << 63) - 1
_MOST_WINDOWS = 64
"""A file whose points are in more pieces than this keeps its own arrays."""
_State = tuple[FilePoints, int, int]  # a file, its points of the tag, its purges


class MergedSeries:
    """One tag over all files in order of attempt; remembers its last merge to append cheaply."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._state: list[_State] = []
        self._merged: PointRange | None = None
        self._ceiling = -1
        self._highest = -_NEVER
        self._abandoned: tuple[Branch, ...] = ()
        self._continuations: tuple[Continuation, ...] = ()

    def series(self, files: list[FilePoints], resumes: ResumeSteps | None = None) -> Series:
        """The curve as it stands; files in order of attempt, `resumes` those of all its tags."""
        columns = [file.columns.get(self._tag) for file in files]
        holders = [column for column in columns if column]
        whole = len(holders) == 1 and not holders[0].goes_back
        if whole and not any(file.purges for file in files):
            self._merged, self._state = None, []
            return Series(self._tag, *holders[0].unite())
        state = [
            (file, len(column) if column else 0, len(file.purges))
            for file, column in zip(files, columns, strict=True)
        ]
        merged = self._append(columns, state) or self._merge(files, columns)
        self._merged, self._state = merged, state
        restarts = (resumes or ResumeSteps(files)).steps(self._continuations)
        return Series(self._tag, *merged.arrays, self._abandoned, restarts)

    def _append(self, columns: list[TagColumn | None], state: list[_State]) -> PointRange | None:
        """Append the new points of the newest file; None where a full merge is needed."""
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
        if file.purges and file.purges[-1][1].get(self._tag, 0) == before:
            return None  # the first point since a session start
        points = column.since(before)
        lowest = int(points[0].min())
        # A step below the highest may be one with which the file's curve begins again.
        if lowest <= self._ceiling or lowest <= self._highest or (np.diff(points[0]) < 0).any():
            return None
        if column.newest.store is not merged.store and merged.is_last():
            merged.store.append(points)
        if merged.stop + len(points[0]) != merged.store.used:
            return None
        self._highest = int(points[0].max())
        return PointRange(merged.store, merged.start, merged.store.used)

    def _merge(self, files: list[FilePoints], columns: list[TagColumn | None]) -> PointRange:
        points = joined([column.arrays for column in columns if column])
        steps = points[0]
        kept, left = np.empty(0, np.intp), list[npt.NDArray[np.intp]]()  # places in `points`
        rewound: list[int] = []
        continuations: list[Continuation] = []
        self._ceiling, start = -1, 0
        reached = -_NEVER
        """The highest step that is kept of earlier files."""

        def cut(step: int) -> None:
            nonlocal kept
            gone = steps[kept] >= step
            if gone.any():
                left.append(kept[gone])
                rewound.append(step)
                kept = kept[~gone]

        def keep(number: int, first: int, last: int, session: int | None) -> None:
            """Take on points of one file, and cut what they go back over."""
            nonlocal kept
            if first == last:
                return
            if len(kept) or left:
                continuations.append(Continuation(number, int(steps[first]), reached, session))
            begin = first
            rewinds = sum(one.file == number and one.rewind is not None for one in continuations)
            for again, place in enumerate(find_restarts(steps[first:last]), rewinds):
                kept = np.concatenate([kept, np.arange(begin, first + place)])
                begin = first + place
                cut(int(steps[begin]))
                highest = int(steps[kept].max(initial=-_NEVER))
                continuations.append(Continuation(number, int(steps[begin]), highest, rewind=again))
            kept = np.concatenate([kept, np.arange(begin, last)])

        for number, (file, column) in enumerate(zip(files, columns, strict=True)):
            stop = start + (len(column) if column else 0)
            if start == stop and not file.purges:
                continue
            lowest, branches = int(steps[start:stop].min(initial=_NEVER)), len(left)
            if start < stop:
                cut(lowest)
            self._ceiling = reached = int(steps[kept].max(initial=-_NEVER))
            if len(left) > branches:  # a lower step rewinds further
                self._ceiling = max(self._ceiling, lowest - 1)
            first, session = start, None
            for step, held in file.purges:
                here = first + held.get(self._tag, 0)
                keep(number, start, here, session)
                cut(step)
                start, session = here, step
            keep(number, start, stop, session)
            start = stop
        self._highest = int(steps[kept].max(initial=-_NEVER))
        ends = np.cumsum([len(one) for one in left]).tolist()
        order = np.concatenate([*left, kept])
        aside = ColumnStore(_taken(points, order[: len(order) - len(kept)]))
        merged = ColumnStore(_taken(points, kept) if left else points)
        self._abandoned = tuple(
            Branch(*aside.view(end - len(one), end), step)
            for one, end, step in zip(left, ends, rewound, strict=True)
        )
        self._continuations = tuple(continuations)
        _hand_over(columns, order, aside, merged)
        return PointRange(merged, 0, merged.used)


def _hand_over(
    columns: Sequence[TagColumn | None],
    order: npt.NDArray[np.intp],
    aside: ColumnStore,
    merged: ColumnStore,
) -> None:
    """Let the columns be windows into both stores, which hold their points in this order."""
    places = np.empty(len(order), np.intp)
    places[order] = np.arange(len(order))
    start = 0
    holders = [column for column in columns if column]
    for column in holders:
        mine = places[start : start + len(column)]
        start += len(column)
        apart = np.diff(mine) != 1
        apart |= mine[1:] == aside.used  # where the other store begins
        bounds = [0, *(np.flatnonzero(apart) + 1).tolist(), len(mine)]
        if len(bounds) > _MOST_WINDOWS:
            continue
        windows = [
            PointRange(merged, first - aside.used, last - aside.used)
            if first >= aside.used
            else PointRange(aside, first, last)
            for first, last in _runs(mine, bounds)
        ]
        if column is holders[-1] and windows[-1].store is not merged:
            windows.append(PointRange(merged, merged.used, merged.used))  # where it continues
        column.move(windows)


def _runs(places: npt.NDArray[np.intp], bounds: list[int]) -> Iterator[tuple[int, int]]:
    for start, stop in pairwise(bounds):
        yield int(places[start]), int(places[stop - 1]) + 1


def _taken(arrays: Arrays, places: npt.NDArray[np.intp]) -> Arrays:
    return arrays[0][places], arrays[1][places], arrays[2][places]
