"""What is drawn of curves: in any size, with any values, and how little moves as they grow."""

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.charts.curves import curve, first
from tui.charts.axes import AxisRange, duration, fit_x, fit_y
from tui.charts.curve import Curve, Level
from tui.charts.draw import (
    ALERT,
    FAINT,
    LEVEL,
    RESTART,
    STRONG,
    ChartOptions,
    Picture,
    across,
    draw,
)
from tui.glyphs import ASCII, UNICODE, Glyphs


def having(picture: Picture, role: int) -> list[tuple[int, int]]:
    """The cells, as row and column, of a role."""
    return [(y, x) for y, row in enumerate(picture.roles) for x, r in enumerate(row) if r == role]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=lambda glyphs: glyphs.name)
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("by_time", [False, True])
def test_any_size(glyphs: Glyphs, log: bool, by_time: bool) -> None:
    options = ChartOptions(0.6, log, by_time, glyphs=glyphs)
    curves = (curve(), curve(label="eval", accent=1, as_points=True))
    for width, height in [(1, 1), (3, 1), (10, 3), (16, 4), (17, 4), (20, 5), (60, 12), (300, 100)]:
        picture = draw(curves, options, width, height)
        assert [len(text) for text in picture.texts] == [width] * height
        assert [len(roles) for roles in picture.roles] == [width] * height
        if glyphs is ASCII:
            assert "".join(picture.texts).isascii()


ODD = st.lists(
    st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0]), max_size=60
)


@settings(deadline=None, max_examples=60)
@given(ODD, st.booleans(), st.booleans(), st.sampled_from([0.0, 0.9]))
def test_any_values(values: list[float], log: bool, by_time: bool, smoothing: float) -> None:
    steps = np.arange(len(values), dtype=np.int64)
    odd = Curve("odd", steps, steps.astype(np.float64), np.array(values, dtype=np.float64))
    picture = draw((odd,), ChartOptions(smoothing, log, by_time), 50, 10)
    assert [len(text) for text in picture.texts] == [50] * 10


def test_raw_is_faint_and_smoothed_is_strong() -> None:
    picture = draw((curve(),), ChartOptions(0.9), 80, 16)
    assert len(having(picture, FAINT)) > 20
    assert len(having(picture, STRONG)) > 60
    assert not having(draw((curve(),), ChartOptions(0.0), 80, 16), FAINT)


def test_a_spike_of_one_point_is_seen() -> None:
    whole = curve(5000)
    whole.values[2500] = 50.0
    picture = draw((whole,), ChartOptions(), 80, 16)
    assert picture.y.high >= 50
    top = [cell for cell in having(picture, STRONG) if cell[0] <= 2]
    assert {x for _, x in top} <= {picture.column_of(2500) + shift for shift in (-1, 0, 1)}
    assert top


def test_gaps_are_gaps_and_are_marked() -> None:
    broken = curve(500)
    broken.values[200:260] = np.nan
    picture = draw((broken,), ChartOptions(), 80, 16)
    drawn = {x for _, x in having(picture, STRONG)}
    gap = {picture.column_of(step) for step in range(210, 250)}
    assert not drawn & gap
    assert gap <= {x for _, x in having(picture, ALERT)}
    assert picture.column_of(190) in drawn
    assert picture.column_of(270) in drawn


def test_several_curves_are_told_apart_without_colour() -> None:
    curves = (curve(), curve(400, label="other", accent=3), curve(label="eval", as_points=True))
    picture = draw(curves, ChartOptions(), 80, 16)
    assert picture.letters == {"train": "a", "other": "b"}
    text = "".join(picture.texts)
    assert text.count("a") == text.count("b") == 1
    assert text.count(UNICODE.point) == 5


def test_points_have_the_capital_of_their_run() -> None:
    one, other = curve(label="one"), curve(400, label="other", accent=3)
    evals = [
        dataclasses.replace(curve(label=f"{name} eval", as_points=True), points_of=name)
        for name in ("other", "third")
    ]
    picture = draw((one, other, *evals), ChartOptions(), 80, 16)
    assert picture.letters == {
        "one": "a", "other": "b", "other eval": "B", "third eval": "C",
    }  # fmt: skip
    text = "".join(picture.texts)
    assert UNICODE.point not in text
    assert text.count("C") == 5, "drawn over B, which lies in the same places"
    alone = draw((one, dataclasses.replace(evals[0], points_of="one")), ChartOptions(), 80, 16)
    assert alone.letters == {}
    assert "".join(alone.texts).count(UNICODE.point) == 5


@pytest.mark.parametrize("same", [False, True], ids=["apart", "over each other"])
def test_forty_curves_all_have_letters(same: bool) -> None:
    whole = curve()
    runs = [
        dataclasses.replace(whole, label=f"run {at}", values=whole.values + at * (not same))
        for at in range(40)
    ]
    points = dataclasses.replace(
        curve(label="eval", as_points=True), points_of="run 39", values=whole.values[::100] - 1
    )
    picture = draw((*runs, points), ChartOptions(), 160, 46)
    assert picture.letters["run 25"] == "z"
    assert picture.letters["run 26"] == "aa"
    assert picture.letters["run 39"] == "an"
    assert picture.letters["eval"] == "AN"
    canvas = "\n".join(text[picture.left :] for text in picture.texts[: picture.rows])
    found = re.findall("[a-z]+", canvas)
    assert sorted(found) == sorted(picture.letters[one.label] for one in runs)
    assert canvas.count("AN") == 5
    for width in (1, 2, 9, 20):
        small = draw((*runs, points), ChartOptions(glyphs=ASCII), width, 4)
        assert [len(text) for text in small.texts] == [width] * 4


def test_what_has_no_place_on_a_logarithmic_scale_is_a_gap_and_counted() -> None:
    whole = curve()
    whole.values[100:200] = -1.0
    whole.values[300:320] = 0.0
    whole.values[400:450] = np.nan
    plain, log = (
        draw((whole,), ChartOptions(), 80, 16),
        draw((whole,), ChartOptions(log=True), 80, 16),
    )
    alerts = having(log, ALERT)
    assert alerts == having(plain, ALERT), "only what is no number alarms"
    assert {x for _, x in alerts} == set(range(log.column_of(400), log.column_of(449) + 1))
    assert (plain.unplaced, log.unplaced) == (0, 120)
    gap = {log.column_of(step) for step in range(110, 190)}
    assert not gap & {x for _, x in having(log, STRONG)}
    assert draw((whole,), ChartOptions(log=True, window=(0.0, 150.0)), 80, 16).unplaced == 51
    none = Curve("none", whole.steps, whole.wall_times, np.full(500, -3.0))
    assert draw((none,), ChartOptions(log=True), 80, 16).unplaced == 500


def test_letters_stay_apart_where_points_are_few() -> None:
    few = [first(curve(400, label=name), 2) for name in ("one", "other", "third")]
    text = "".join(draw(tuple(few), ChartOptions(), 80, 16).texts)
    assert [text.count(letter) for letter in "abc"] == [1, 1, 1]


def test_restarts_are_lines_down() -> None:
    resumed = curve()
    resumed = Curve(
        resumed.label, resumed.steps, resumed.wall_times, resumed.values, restarts=(250,)
    )
    picture = draw((resumed,), ChartOptions(), 80, 16)
    columns = {x for _, x in having(picture, RESTART)}
    assert columns == {picture.column_of(250)}


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=lambda glyphs: glyphs.name)
@pytest.mark.parametrize("log", [False, True])
def test_a_level_is_a_line_across_with_its_label_under_the_curves(
    glyphs: Glyphs, log: bool
) -> None:
    options = ChartOptions(log=log, levels=(Level(6.0, "budget +6"),), glyphs=glyphs)
    picture = draw((curve(),), options, 80, 16)
    assert picture.y.low < 6 <= picture.y.high  # far above the curve, and in sight
    rows = {y for y, _ in having(picture, LEVEL)}
    assert len(rows) == 1
    line = picture.texts[rows.pop()]
    assert "budget +6" in line
    assert line.count(glyphs.level) > 50
    assert len(line) == 80
    alone = draw((curve(),), ChartOptions(glyphs=glyphs), 80, 16)
    crossing = draw((curve(),), ChartOptions(levels=(Level(1.0, "one"),), glyphs=glyphs), 80, 16)
    assert having(crossing, STRONG) == having(alone, STRONG)


def test_a_level_below_zero_has_no_place_on_a_logarithmic_scale() -> None:
    picture = draw((curve(),), ChartOptions(log=True, levels=(Level(0.0, "none"),)), 80, 16)
    assert having(picture, LEVEL) == []


def test_charts_that_begin_later_share_the_time_of_the_others() -> None:
    late = first(curve(), 100)
    late = Curve(late.label, late.steps, late.wall_times + 50, late.values)
    alone = draw((late,), ChartOptions(by_time=True), 80, 16)
    shared = draw((late,), ChartOptions(by_time=True, begin=1000.0), 80, 16)
    assert min(x for _, x in having(alone, STRONG)) == alone.left
    assert min(x for _, x in having(shared, STRONG)) == shared.column_of(50)


def test_a_growing_curve_leaves_most_cells_alone() -> None:
    options = ChartOptions(0.6)
    whole = curve(2000)
    picture = None
    changed = []
    for count in range(1000, 1040):
        part = first(whole, count)
        new = draw((part,), options, 112, 30, picture)
        if picture is not None and (new.x, new.y) == (picture.x, picture.y):
            changed.append(
                sum(
                    a != b
                    for old_line, new_line in zip(picture.texts, new.texts, strict=True)
                    for a, b in zip(old_line, new_line, strict=True)
                )
            )
        picture = new
    assert len(changed) >= 37, "the axes moved at most twice"
    assert max(changed) <= 12
    assert sum(changed) / len(changed) <= 5


def test_x_grows_in_leaps() -> None:
    axis = None
    leaps = set()
    for high in range(1, 10_001):
        axis = fit_x(0.0, float(high), axis, time=False)
        assert axis.low <= 0
        assert high <= axis.high <= max(2.0 * high, 2)
        leaps.add(axis.high)
    assert len(leaps) <= 30
    assert fit_x(0, 300, None, time=False, total=1000).high == 1000


def test_y_stays_until_it_must_move() -> None:
    axis = fit_y(0.41, 2.4, None)
    assert (axis.low, axis.high) == (0.0, 2.5)
    assert fit_y(0.35, 2.45, axis) is axis
    assert fit_y(0.35, 2.6, axis).high > 2.5
    assert fit_y(0.35, 0.6, axis).high < 1
    assert fit_y(5.0, 5.0, None).low < 5 < fit_y(5.0, 5.0, None).high
    log = fit_y(0.03, 7.0, None, log=True)
    assert 0 < log.low <= 0.03
    assert log.high >= 7


@given(st.floats(-1e99, 1e99), st.floats(0, 1e99), st.booleans())
def test_limits_hold_the_data(low: float, span: float, log: bool) -> None:
    high = low + span
    if log:
        low = max(abs(low), 1e-99)
        high = low + span
    axis = fit_y(low, high, None, log=log)
    room = 1e-9 * (axis.high - axis.low)
    assert axis.low - room <= low <= high <= axis.high + room
    assert axis.low < axis.high


def test_ticks_are_round() -> None:
    assert AxisRange(0, 1000).ticks(5) == [
        (0, "0"),
        (200, "200"),
        (400, "400"),
        (600, "600"),
        (800, "800"),
        (1000, "1000"),
    ]
    assert [label for _, label in AxisRange(0, 0.25).ticks(5)] == [
        "0.00",
        "0.05",
        "0.10",
        "0.15",
        "0.20",
        "0.25",
    ]
    assert [label for _, label in AxisRange(0, 60_000).ticks(3)] == ["0", "20k", "40k", "60k"]
    assert [label for _, label in AxisRange(0.01, 100, log=True).ticks(5)] == [
        "0.01",
        "0.1",
        "1",
        "10",
        "100",
    ]
    assert [label for _, label in AxisRange(0, 7200, time=True).ticks(4)] == [
        "0s",
        "30m",
        "1h",
        "1h30",
        "2h",
    ]
    assert [duration(s) for s in (0, 45, 90, 3600, 9000, 90_000)] == [
        "0s",
        "45s",
        "1m30",
        "1h",
        "2h30",
        "1d01",
    ]


def test_a_cursor_stops_once_a_column() -> None:
    few = first(curve(400, label="few"), 3)
    back = curve(300, label="back")
    back = dataclasses.replace(back, places=np.roll(back.steps, 7).astype(np.float64))
    for options in (
        ChartOptions(),
        ChartOptions(window=(100.0, 222.0)),
        ChartOptions(by_time=True),
    ):
        picture = draw((few, back), options, 80, 16)
        points = np.concatenate(across((few, back), options))
        points = points[(points >= picture.x.low) & (points <= picture.x.high)]
        places = [picture.column_of(x) for x in picture.stops.tolist()]
        assert places == sorted({picture.column_of(x) for x in points.tolist()})
        assert set(picture.stops.tolist()) <= set(points.tolist())
