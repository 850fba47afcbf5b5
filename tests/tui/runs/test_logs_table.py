"""The list of watched logs as rows: values, orders, and how little is worked out again."""

import math
from pathlib import Path

import numpy as np
import pytest

from engine.events.discover import Kind
from engine.events.log_set import RunLog
from engine.events.series import smooth
from tests.charts.curves import series
from tui.feeds.log_rows import row_of
from tui.glyphs import ASCII, UNICODE
from tui.runs.logs_table import LogsTable
from tui.screens.sort_order import CHANGED, SortOrder
from tui.snapshots import RunRow

NOISE = np.random.default_rng(0).normal(size=2000)


def run(name: str, values: list[float], *, loaded: bool = True, modified: float = 0.0) -> RunRow:
    curves = {"loss": series("loss", values), "accuracy": series("accuracy", values)}
    log = RunLog(name, Path(name), Kind.EVENTS, curves, loaded, modified, tags=("accuracy", "loss"))
    return row_of(log)


RUNS = [
    run("falls", [3, 2, 1], modified=5),
    run("rises", [1, 2, 3], modified=9),
    run("diverged", [0.5, math.nan], modified=7),
    run("empty", []),
    run("unread", [0.1], loaded=False, modified=1),
]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (SortOrder(), ["falls", "rises", "diverged", "empty", "unread"]),
        (SortOrder(descending=True), ["unread", "empty", "diverged", "rises", "falls"]),
        (SortOrder(CHANGED, True), ["rises", "diverged", "falls", "unread", "empty"]),
        (SortOrder(tag="loss"), ["unread", "falls", "rises", "diverged", "empty"]),
        (
            SortOrder("", True, tag="loss"),
            ["rises", "falls", "unread", "diverged", "empty"],
        ),
        (SortOrder(value="best", tag="loss"), ["diverged", "falls", "rises", "empty", "unread"]),
        (
            SortOrder("", True, "best", tag="accuracy"),
            ["falls", "rises", "diverged", "empty", "unread"],
        ),
        (
            SortOrder(value="smoothed", tag="loss"),
            ["diverged", "falls", "rises", "empty", "unread"],
        ),
        (SortOrder(tag="none"), ["falls", "rises", "diverged", "empty", "unread"]),
    ],
    ids=str,
)
def test_what_has_no_number_comes_last_either_way(order: SortOrder, names: list[str]) -> None:
    table = LogsTable(UNICODE)
    table.order = order
    assert [row.view.record.name for row in table.sort(RUNS)] == names


@pytest.mark.parametrize("values", [[2.0], [1, math.nan, 3], NOISE.tolist(), [5, math.inf, 1]])
def test_smoothed_is_the_newest_value_of_the_smoothed_curve(values: list[float]) -> None:
    table = LogsTable(UNICODE)
    table.order = SortOrder(value="smoothed", tag="loss")
    log = run("one", values).log
    assert log is not None
    expected = [one for one in smooth(values, 0.9).tolist() if math.isfinite(one)][-1]
    assert table.value(log, "loss") == pytest.approx(expected)


def test_rows_are_made_when_they_come_in_sight_and_once() -> None:
    table = LogsTable(UNICODE)
    table.tags = ["loss"]
    made: list[str] = []
    whole = table._row

    def count(row: RunRow) -> object:
        made.append(row.key)
        return whole(row)

    table._row = count  # type: ignore[method-assign, assignment]
    make = table.row_maker(RUNS, frozenset({"rises"}))
    assert made == []
    assert make(1).marked
    assert not make(0).marked
    assert not table.row_maker(RUNS, frozenset())(1).marked
    assert made == ["rises", "falls"]
    again = run("rises", [1, 2, 4])
    assert "4" in table.row_maker([RUNS[0], again], frozenset())(1).text
    assert made == ["rises", "falls", "rises"]
    table.glyphs = ASCII
    assert table.row_maker(RUNS, frozenset())(0).text.isascii()


def test_the_curve_in_small_is_of_what_it_is_sorted_by() -> None:
    table = LogsTable(UNICODE)
    table.tags = ["accuracy", "loss"]
    assert table.curved == "accuracy"
    table.order = SortOrder(tag="loss")
    assert table.curved == "loss"
    assert "█▅▁" in table.row_maker(RUNS, frozenset())(0).text
    assert "unread" in table.row_maker(RUNS, frozenset())(4).text
    assert not set(UNICODE.spark) & set(table.row_maker(RUNS, frozenset())(4).text)
