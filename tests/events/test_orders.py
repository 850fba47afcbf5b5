"""Files that grow in any order: never a wrong point, newest write wins, by a plain model."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events.log_dir import LogDir
from tests.events.encoding import event, record, session_start, simple

Point = tuple[int, float]
Attempt = tuple[int, int, bool]
"""First step, number of points, and whether the writer says where it goes on."""

ATTEMPTS = st.lists(
    st.tuples(st.integers(0, 25), st.integers(1, 25), st.booleans()), min_size=1, max_size=4
)


def content(number: int, attempt: Attempt) -> bytes:
    first, count, purge = attempt
    head = [session_start(number, first)] if purge and number else []
    points = [
        event(number, step, simple("loss", number * 1000 + step))
        for step in range(first, first + count)
    ]
    return b"".join(record(payload) for payload in (*head, *points))


def model(parts: list[tuple[int, Attempt, int]]) -> tuple[list[Point], set[Point]]:
    """The curve, and what was rewound over, of the first so many points of each attempt.

    A count of -1 is a file whose session start is not there yet.
    """
    curve: list[Point] = []
    gone: set[Point] = set()
    for number, (first, _, purge), held in parts:
        said = purge and number > 0 and held >= 0
        if said or held > 0:
            gone |= {point for point in curve if point[0] >= first}
            curve = [point for point in curve if point[0] < first]
        curve += [(step, number * 1000.0 + step) for step in range(first, first + max(held, 0))]
    return curve, gone


def held(number: int, attempt: Attempt, size: int) -> int:
    """How many whole points lie in the first `size` bytes of an attempt's file."""
    first, count, purge = attempt
    if purge and number:
        size -= len(record(session_start(number, first)))
        if size < 0:
            return -1
    for at in range(count):
        size -= len(record(event(number, first + at, simple("loss", 0))))
        if size < 0:
            return at
    return count


@settings(max_examples=60, deadline=None)
@given(ATTEMPTS, st.lists(st.tuples(st.integers(0, 3), st.integers(1, 400)), max_size=25))
def test_any_order_of_appends(attempts: list[Attempt], appends: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        logs = LogDir(Path(name))
        whole = [content(number, attempt) for number, attempt in enumerate(attempts)]
        sizes = [0] * len(attempts)
        rest = [(number, len(data)) for number, data in enumerate(whole)]
        for number, count in [*appends, *rest]:
            if number >= len(attempts):
                continue
            piece = whole[number][sizes[number] : sizes[number] + count]
            with Path(name, f"events.out.tfevents.{1000 + number}").open("ab") as file:
                file.write(piece)
            sizes[number] += len(piece)
            logs.poll()
            parts = [
                (at, attempt, held(at, attempt, sizes[at])) for at, attempt in enumerate(attempts)
            ]
            curve, gone = model(parts)
            if "loss" not in logs.series:
                assert not curve
                assert not gone
                continue
            series = logs.series["loss"]
            found = list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
            assert found == curve
            kept = {
                point
                for branch in series.abandoned
                for point in zip(branch.steps.tolist(), branch.values.tolist(), strict=True)
            }
            assert kept == gone
