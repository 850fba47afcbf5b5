"""The list of watched logs as rows: values, orders, and how little is worked out again."""

import math
from pathlib import Path

import numpy as np
import pytest

from engine.charts.filters import parse
from engine.events.discover import Kind
from engine.events.log_set import RunLog
from engine.events.series import smooth
from engine.events.summary import find_placeholders
from tests.charts.curves import series
from tui.feeds.log_rows import row_of
from tui.feeds.log_summary import common_tags
from tui.glyphs import ASCII, UNICODE
from tui.runs.logs_table import LogsTable
from tui.screens.sort_order import CHANGED, SortOrder
from tui.snapshots import RunRow
from tui.widgets.sparkline import sparkline

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


def log_of(name: str, **curves: list[float]) -> RunRow:
    found = {tag: series(tag, values) for tag, values in curves.items()}
    log = RunLog(name, Path(name), Kind.EVENTS, found, True, 1.0, tags=tuple(sorted(found)),
                 placeholders=find_placeholders(found))  # fmt: skip
    return row_of(log)


def test_a_log_without_the_first_tag_draws_its_own_curve() -> None:
    table = LogsTable(UNICODE)
    rows = [log_of(name, loss=[3, 2, 1], hp_metric=[-1]) for name in ("a", "b")]
    rows.append(log_of("c", hp_metric=[-1], reward=[1, 2, 3], zzz=[1, 1]))
    table.tags = common_tags([row.log for row in rows if row.log], parse(""), 9)
    assert table.tags == ["loss", "reward", "hp_metric", "zzz"]
    own = table.row_maker(rows, frozenset())(2).cells[3]
    assert own == ((f"{sparkline([1.0, 2.0, 3.0], UNICODE):<7} ", "dim"), ("—".rjust(10), ""))
    assert "curve of reward" in "".join(text for text, _ in table.about(rows[2]))
    assert "curve of" not in "".join(text for text, _ in table.about(rows[0]))


def test_a_tag_without_a_direction_has_no_best_value() -> None:
    table = LogsTable(UNICODE)
    table.order = SortOrder(value="best")
    row = log_of("a", kl=[1, 2], reward=[1, 3], loss=[2, 1])
    assert row.log is not None
    assert table.value(row.log, "kl") is None
    assert table.value(row.log, "reward") == 3
    assert table.value(row.log, "loss") is None  # it is trained on rewards
