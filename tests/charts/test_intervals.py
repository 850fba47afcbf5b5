"""Plots of values with their intervals: where marks stand, and what no value draws."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from engine.charts.figure import Mark, Sketch, Stroke, Words
from engine.charts.intervals import (
    IntervalRow,
    PlacedLine,
    list_ticks,
    sketch_places,
    sketch_rows,
)
from engine.charts.svg import draw

ROWS = [
    IntervalRow("lost", -40.0, -60.0, -20.0, mark="diamond"),
    IntervalRow("same", 0.0, -4.0, 4.0),
    IntervalRow("gained", 20.0, 10.0, 30.0, mark="triangle"),
]


def marks(sketch: Sketch) -> list[Mark]:
    return [shape for shape in sketch.shapes if isinstance(shape, Mark)]


def test_rows_stand_in_order_and_values_along_one_scale() -> None:
    lost, same, gained = marks(sketch_rows("t", ROWS, "points", 5.0))
    assert lost.y < same.y < gained.y
    per_point = (same.x - lost.x) / 40
    assert gained.x - same.x == pytest.approx(20 * per_point)


def test_each_interval_reaches_from_its_low_to_its_high_end() -> None:
    sketch = sketch_rows("t", ROWS, "points")
    lost, same, _ = marks(sketch)
    per_point = (same.x - lost.x) / 40
    ends = [
        shape.pieces[0][:, 0].tolist()
        for shape in sketch.shapes
        if isinstance(shape, Stroke) and shape.width == 2.0
    ]
    assert np.diff(ends, axis=1).ravel() == pytest.approx([40 * per_point, 8 * per_point,
                                                           20 * per_point])  # fmt: skip


def test_a_value_that_is_not_finite_has_a_name_and_no_mark() -> None:
    rows = [*ROWS, IntervalRow("broken", math.nan, math.nan, math.inf, words="diverged")]
    sketch = sketch_rows("t", rows, "points")
    assert len(marks(sketch)) == 3
    assert {"broken", "diverged"} <= {one.text for one in sketch.shapes if isinstance(one, Words)}
    ElementTree.fromstring(draw(sketch))


@pytest.mark.parametrize("rows", [[], [IntervalRow("a", 0.0, 0.0, 0.0)]])
def test_nothing_to_scale_draws_an_empty_plot(rows: list[IntervalRow]) -> None:
    ElementTree.fromstring(draw(sketch_rows("t", rows, "points")))


def test_lines_are_joined_only_where_a_place_follows_from_the_one_before() -> None:
    line = PlacedLine("a", (0.2, math.nan, 0.9), (0.1, math.nan, 0.8), (0.3, math.nan, 1.0))
    joined, apart = (
        sketch_places("t", ("x", "y", "z"), [line], is_joined=each) for each in (True, False)
    )
    assert len(joined.shapes) == len(apart.shapes) + 1
    high, low = (next(one for one in marks(joined) if one.y < 300), marks(joined)[0])
    assert high.y < low.y  # 0.9 above 0.2
    ElementTree.fromstring(draw(joined))


def test_hostile_names_are_clean_and_escaped() -> None:
    rows = [IntervalRow("<script>\x1b[2J]]>", 1.0, 0.0, 2.0, words="</svg>")]
    text = draw(sketch_rows("<b>\u202e", rows, "&"))
    ElementTree.fromstring(text)
    assert "<script" not in text
    assert "\x1b" not in text


def test_ticks_are_round_and_within_the_ends() -> None:
    assert list_ticks(-26.0, 31.0, 6) == [-20.0, -10.0, 0.0, 10.0, 20.0, 30.0]
    assert list_ticks(0.0, 1.0, 5) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
