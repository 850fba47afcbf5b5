"""What a chart says of its curves: best and last, what is read at a cursor, what is not drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from engine.charts.axes import Axis
from tests.charts.curves import series
from tui.charts.chart_data import ChartData, build_chart_data
from tui.charts.cursor import readings
from tui.charts.export import picture
from tui.charts.run_curves import RunCurves
from tui.charts.run_lines import LOSS, ChartSpec, Trace

LOSSES = ChartSpec("loss", (Trace("loss", "last"),))


def drawn(name: str, **curves: Sequence[float]) -> RunCurves:
    return RunCurves(name, {tag: series(tag, values) for tag, values in curves.items()})


def one(runs: Sequence[RunCurves], axis: Axis = Axis.STEP, spec: ChartSpec = LOSSES) -> ChartData:
    return build_chart_data(spec, runs, axis)


@pytest.mark.parametrize(
    ("curves", "facts"),
    [
        ({"train/loss": [3.0, 0.5, 1.0]}, ("best 0.5 at step 1", "last 1")),
        ({"train/loss": [3.0], "eval/loss": [2.0, 4.0]}, ("eval best 2 at step 0", "last 4")),
        ({"train/loss": [3.0, float("nan")]}, ("best 3 at step 0", "last NaN")),
        ({"train/loss": [float("nan")]}, ("last NaN",)),
        ({"train/loss": []}, ()),
        ({"eval/accuracy": [0.1, 0.9, 0.8]}, ("best 0.9 at step 1", "last 0.8")),
        ({"temperature": [5.0, 4.0, 6.0]}, ("last 6",)),
        ({"metrics/mAP_0.5": [0.1, 0.9]}, ("best 0.9 at step 1", "last 0.9")),
        ({"kl": [0.0, 0.2], "reward": [0.0, 1.0]}, ("last 0.2",)),
        ({"train/loss": [0.0, 0.2], "reward": [0.0, 1.0]}, ("last 0.2",)),
    ],
)
def test_a_title_has_best_and_last(
    curves: Mapping[str, Sequence[float]], facts: tuple[str, ...]
) -> None:
    (tag, *_) = curves
    spec = LOSS if tag == "train/loss" else ChartSpec(tag, (Trace(tag, "last"),))
    assert one([drawn("run", **curves)], spec=spec).facts == facts


def test_each_run_has_its_values_at_the_cursor_and_its_best_and_last() -> None:
    low, high = drawn("low", loss=[3.0, 0.5, 1.0]), drawn("high", loss=[9.0, 7.0])
    both = one([low, high])
    assert both.facts == ()
    assert readings([both], None) == [
        " loss",
        " a low   1 at step 2  best 0.5 at step 1  last 1",
        " b high  7 at step 1  best 7 at step 1  last 7",
    ]
    assert readings([both], 0.8)[1:] == [
        " a low   0.5 at step 1  best 0.5 at step 1  last 1",
        " b high    7 at step 1  best 7 at step 1  last 7",
    ]
    many = one([drawn(f"run {at}", loss=[float(at)]) for at in range(40)])
    told = readings([many], None)
    assert len(told) == 41
    assert told[1].startswith(" a  run 0 ")
    assert told[40].startswith(" an run 39 ")


def test_runs_and_points_without_a_place_are_named_and_counted() -> None:
    whole = {"loss": series("loss", [4.0, 3.0, 2.0, 1.0]), "tokens": series("tokens", [0, 8])}
    full, bare = RunCurves("full", whole), drawn("bare", loss=[1.0, 2.0])
    made = one([full, bare, drawn("none", reward=[1.0])], Axis.TOKENS)
    assert [curve.label for curve in made.curves] == ["full"]
    assert made.curves[0].values.tolist() == [4.0, 3.0]
    assert made.left_out == ("bare (no token count)", "2 points (no token count)")
    _, first, second = readings([made], None)
    assert "  3 at step 1  best 1 at step 3  last 1  2 points not drawn: no token count" in first
    assert "bare  not drawn: no tokens logged; searched tags" in second
    assert one([full, bare]).left_out == ()
    alone = one([bare], Axis.TOKENS)
    assert alone.left_out == ()
    assert alone.missing.startswith("no tokens logged")
    neither = one([bare, drawn("other", loss=[1.0])], Axis.TOKENS)
    assert neither.missing.startswith("bare: no tokens logged")
    assert len(readings([neither], None)) == 3
    five = one([full, *(drawn(f"r{at}", loss=[1.0]) for at in range(5))], Axis.EPOCH)
    assert five.missing
    times = {"loss": series("loss", [1.0], times=[np.nan])}
    mixed = one([drawn("timed", loss=[1.0]), RunCurves("x", times)], Axis.WALL_TIME)
    assert mixed.left_out == ("x (no time)",)
    several = one([full, *(drawn(f"r{at}", loss=[1.0]) for at in range(5))], Axis.TOKENS)
    assert several.left_out[0] == "r0, r1, r2, 2 more (no token count)"


@pytest.mark.parametrize(
    ("axis", "places"),
    [(Axis.STEP, [5.0]), (Axis.RELATIVE_STEP, [3.0]), (Axis.WALL_TIME, [1003.0])],
)
def test_a_resume_is_marked_once_in_a_chart(axis: Axis, places: list[float]) -> None:
    train = replace(series("train/loss", [4.0, 3.0, 2.0, 1.0], [2, 3, 4, 5]), restarts=(5,))
    held_out = replace(series("eval/loss", [4.0, 1.0], [4, 8], [1002.0, 1006.0]), restarts=(5, 99))
    run = RunCurves("run", {one.tag: one for one in (train, held_out)})
    chart = one([run, RunCurves("other", {"train/loss": series("train/loss", [1.0])})], axis, LOSS)
    assert [place for drawn in chart.curves for place in drawn.restarts] == places
    assert len(picture(chart, axis, log=False, smoothing=0).shapes) > 0
