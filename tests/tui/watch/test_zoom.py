"""The part of x that is drawn: never outside of what there is, never too little, back to all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.charts.axes import Axis
from tests.charts.curves import series
from tui.charts.chart_data import ChartData, build_chart_data
from tui.charts.run_curves import RunCurves
from tui.charts.run_lines import ChartSpec, Trace
from tui.watch.zoom import (
    MIN_SHARE,
    Span,
    extent_of,
    nearest_in,
    panned,
    points_of,
    remembered,
    zoomed,
)


def chart(*steps: int) -> ChartData:
    spec = ChartSpec("loss", (Trace("loss", "loss"),))
    curve = series("loss", [1.0] * len(steps), list(steps))
    return build_chart_data(spec, [RunCurves("a", {"loss": curve})], Axis.STEP)


NOTHING = ChartData("loss", ())


def test_zooming_is_around_the_cursor_else_the_middle() -> None:
    assert zoomed((0, 100), (0, 100), 0.5, None) == (25, 75)
    assert zoomed((0, 100), (0, 100), 0.5, 60) == (35, 85)


def test_a_zoom_at_an_end_stays_within_what_there_is() -> None:
    assert zoomed((0, 100), (0, 100), 0.5, 0) == (0, 50)
    assert zoomed((0, 100), (0, 100), 0.5, 100) == (50, 100)


def test_out_again_is_all_of_it() -> None:
    assert zoomed((25, 75), (0, 100), 1.5, None) == (12.5, 87.5)
    assert zoomed((25, 75), (0, 100), 2.0, None) is None


@given(st.floats(0, 100), st.integers(1, 60))
def test_what_is_drawn_never_shrinks_to_nothing(cursor: float, times: int) -> None:
    span: Span | None = (0.0, 100.0)
    for _ in range(times):
        assert span is not None
        span = zoomed(span, (0.0, 100.0), 0.5, cursor)
    assert span is not None
    assert span[1] - span[0] >= 100 * MIN_SHARE * (1 - 1e-6)
    assert 0 <= span[0] < span[1] <= 100 + 1e-9


def test_panning_goes_by_quarters_and_stops_at_the_ends() -> None:
    assert panned((20, 40), (0, 100), 1) == (25, 45)
    assert panned((20, 40), (0, 100), -9) == (0, 20)
    assert panned((20, 40), (0, 100), 99) == (80, 100)
    assert panned((20, 40), None, -9) == (-25, -5), "of nothing, nothing is known"


def test_all_of_x_is_that_of_every_chart_and_what_was_drawn() -> None:
    assert extent_of([chart(5, 9), chart(2, 7), NOTHING], None) == (2, 9)
    assert extent_of([chart(5, 9)], (0, 20)) == (0, 20)
    assert extent_of([NOTHING], (0, 20)) is None
    assert extent_of([chart(5)], None) is None, "a single point has no room around it"


@pytest.mark.parametrize(
    ("window", "expected"),
    [([3.0, 6.0], (3.0, 6.0)), ([6.0, 8.0], None), ([], None), ([3.0], None)],
)
def test_a_remembered_window_without_a_point_is_forgotten(
    window: list[float], expected: Span | None
) -> None:
    assert remembered(window, [chart(1, 5, 9), NOTHING]) == expected


def test_the_nearest_point_in_sight() -> None:
    x = points_of(chart(1, 5, 9))
    assert nearest_in((2, 10), x, 6.9) == 5
    assert nearest_in((2, 10), x, 7.1) == 9
    assert nearest_in((2, 4), x, 3) is None
    assert nearest_in((2, 4), np.empty(0), 3) is None
