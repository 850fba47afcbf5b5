"""The list of jobs as rows: orders, and what a file of orders may hold that no job has."""

import math

import pytest

from tests.tui.runs.test_logs_table import run
from tui.glyphs import UNICODE
from tui.runs.runs_table import RunsTable, short_number, sort
from tui.screens.sort_order import JOB_COLUMNS, LOG_COLUMNS, SortOrder

RUNS = [run("b", [2.0]), run("a", [1.0]), run("c", [])]


@pytest.mark.parametrize("column", LOG_COLUMNS)
def test_what_only_logs_are_sorted_by_leaves_jobs_as_they_were_started(column: str) -> None:
    assert sort(RUNS, SortOrder(column)) == RUNS
    assert sort(RUNS, SortOrder(column, descending=True)) == RUNS[::-1]
    assert RunsTable(UNICODE).next_order(SortOrder(column)).column == "run"


@pytest.mark.parametrize("column", JOB_COLUMNS[1:])
@pytest.mark.parametrize("descending", [False, True])
def test_every_column_sorts_all_jobs(column: str, descending: bool) -> None:
    assert {row.key for row in sort(RUNS, SortOrder(column, descending))} == {
        row.key for row in RUNS
    }


def test_the_columns_come_in_turn_and_begin_again() -> None:
    table, order = RunsTable(UNICODE), SortOrder(tag="speed", group="lr", pinned=["x"])
    seen = []
    for _ in JOB_COLUMNS:
        order = table.next_order(order)
        seen.append(order.column)
        assert (order.tag, order.group, order.pinned) == ("", "lr", ["x"])
    assert seen == [*JOB_COLUMNS[1:], ""]


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (0.41234, "0.412"), (10.5, "10.50"), (-10.57, "-10.6"), (123.4, "123.4"), (4321.0, "4321"),
        (0.00042, "4e-4"), (5e7, "5.0e7"), (math.nan, "NaN"), (0.0, "0.000"),
    ],
)  # fmt: skip
def test_a_loss_is_whole_beside_its_curve(loss: float, text: str) -> None:
    assert short_number(loss) == text
    assert len(text) <= 5
