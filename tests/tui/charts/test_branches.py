"""What resumes left behind, on charts: of every curve, faint, and of points as points."""

import numpy as np

from engine.charts.axes import Axis
from engine.charts.derived import perplexities
from engine.events.series import Branch
from tests.charts.curves import series
from tui.charts.chart_data import build_chart_data
from tui.charts.draw import FAINT, STRONG, ChartOptions, draw
from tui.charts.run_curves import RunCurves
from tui.charts.run_lines import ChartSpec, Trace
from tui.glyphs import UNICODE


def left(tag: str) -> Branch:
    return Branch(np.array([60, 80]), np.array([60.0, 80.0]), np.array([1.5, 2.5]), 60)


def test_of_evaluations_and_derived_curves_too() -> None:
    run = {
        tag: series(tag, [3, 2, 1], [40, 60, 80], abandoned=(left(tag),))
        for tag in ("train/loss", "eval/loss")
    }
    derived = {tag: one.series for tag, one in perplexities(run).items()}
    traces = (Trace("train/loss", "train", 0), Trace("eval/loss", "eval", 1, as_points=True),
              Trace("eval/perplexity", "perplexity", 2, as_points=True))  # fmt: skip
    spec = ChartSpec("loss", traces)
    made = build_chart_data(spec, [RunCurves("a", run | derived)], Axis.STEP, branches=True)
    faint = {one.branch_of: one for one in made.curves if one.faint}
    assert set(faint) == {"train", "eval", "perplexity"}
    assert [one.as_points for one in faint.values()] == [False, True, True]
    assert faint["perplexity"].values.tolist() == np.exp([1.5, 2.5]).tolist()
    evaluations = tuple(one for one in made.curves if one.label.startswith("eval"))
    picture = draw(evaluations, ChartOptions(), 60, 16)
    cells = [
        (character, role)
        for text, roles in zip(picture.texts, picture.roles, strict=True)
        for character, role in zip(text, roles, strict=True)
    ]
    assert (UNICODE.point, FAINT + 1) in cells
    assert (UNICODE.point, STRONG + 1) in cells
    plain = build_chart_data(spec, [RunCurves("a", run)], Axis.STEP)
    assert not any(one.faint for one in plain.curves)
