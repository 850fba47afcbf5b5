"""Merging files by a plain model, whatever their steps; and no point is held twice."""

import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events.columns import FilePoints
from engine.events.log_dir import LogDir
from engine.events.merge import MergedSeries
from engine.events.scalars import Points, Purge
from tests.events.encoding import event, event_file, record, session_start, simple, version

Item = tuple[int, int | None]
"""Step and value of a point; a session start has no value."""
Plain = list[tuple[int, float]]


def batch(items: list[Item]) -> Points:
    points = [item for item in items if item[1] is not None]
    purges, before = [], 0
    for step, value in items:
        if value is None:
            purges.append(Purge(step, before))
        before += value is not None
    steps = np.array([step for step, _ in points], np.int64)
    values = np.array([value for _, value in points], np.float64)
    tags, rows = np.zeros(len(points), np.int32), np.arange(len(points))
    return Points(tags, steps, values + 0.5, values, tuple(purges), rows)


def model(files: list[list[Item]]) -> tuple[Plain, list[tuple[int, Plain]], list[int]]:
    """The curve, what was rewound over with where to, and the restarts."""
    curve: Plain = []
    branches: list[tuple[int, Plain]] = []
    restarts: list[int] = []

    def cut(step: int) -> None:
        gone = [point for point in curve if point[0] >= step]
        if gone:
            branches.append((step, gone))
            curve[:] = [point for point in curve if point[0] < step]

    for items in files:
        steps = [step for step, value in items if value is not None]
        if steps and curve:
            cut(min(steps))
        part: list[int] = []
        session: int | None = None
        for at, (step, value) in enumerate(items):
            if value is None:
                cut(step)
                part, session = [], step
                continue
            if not part and (curve or branches):
                restarts.append(step if session is None else min(step, session))
            following = items[at + 1] if at + 1 < len(items) else (0, None)
            goes_back = bool(part) and step < part[-1]
            if goes_back and following[1] is not None and following[0] <= max(part):
                restarts.append(step)
                cut(step)
                part = []
            part.append(step)
            curve.append((step, value))
    return curve, branches, [*dict.fromkeys(restarts)]


APPENDS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(
            st.tuples(st.integers(0, 30), st.integers(1, 12)).map(
                lambda run: list(range(run[0], run[0] + run[1]))
            ),
            st.lists(st.integers(0, 30), min_size=1, max_size=5),
            st.integers(0, 30),
        ),
    ),
    max_size=14,
)


@settings(max_examples=100, deadline=None)
@given(APPENDS)
def test_any_appends_to_any_files(appends: list[tuple[int, list[int] | int]]) -> None:
    files, plain = [FilePoints() for _ in range(3)], [list[Item]() for _ in range(3)]
    curve, value = MergedSeries("a"), 0
    for number, given_ in appends:
        items: list[Item] = []
        for step in given_ if isinstance(given_, list) else []:
            value += 1
            items.append((step, value))
        if not isinstance(given_, list):
            items = [(given_, None)]
        plain[number] += items
        files[number].add(["a"], batch(items))
        if not any("a" in file.columns for file in files):
            continue
        series = curve.series(files)
        found = list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
        branches = [
            (one.rewound_to, list(zip(one.steps.tolist(), one.values.tolist(), strict=True)))
            for one in series.abandoned
        ]
        assert (found, branches, list(series.restarts)) == model(plain)
        assert (series.wall_times == series.values + 0.5).all()
        for file, items in zip(files, plain, strict=True):
            mine = [value for _, value in items if value is not None]
            assert not mine or file.columns["a"].arrays[2].tolist() == mine


@pytest.mark.parametrize("within", [False, True], ids=["two files", "one file"])
def test_a_resumed_run_holds_each_point_once(tmp_path: Path, within: bool) -> None:
    size, tags = 8000, ("a", "b")

    def rows(start: int, stop: int) -> list[bytes]:
        return [event(at, at, *(simple(tag, at) for tag in tags)) for at in range(start, stop)]

    first, start = rows(0, size), session_start(9, size // 2)
    last = event_file(tmp_path, version(0), *first, *([start] if within else []))
    if not within:
        last = event_file(tmp_path, version(0), start, time=1_700_000_500)
    LogDir(tmp_path).poll()  # so that only points are counted
    tracemalloc.start()
    logs, held = LogDir(tmp_path), list[float]()
    bounds = [size // 2, size // 2, 2 * size, 2 * size + 50]
    for begin, end in pairwise(bounds):
        with last.open("ab") as file:
            file.write(b"".join(map(record, rows(begin, end))))
        logs.poll()
        points = len(tags) * (size + end - size // 2)
        held.append(tracemalloc.get_traced_memory()[0] / points)
    tracemalloc.stop()
    assert logs.series["a"].steps.tolist() == list(range(2 * size + 50))
    assert len(logs.series["a"].abandoned[0].steps) == size // 2
    assert max(held) < 32, "bytes a point"
