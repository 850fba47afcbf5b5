"""What a board of charts draws: curves along an axis, of one run or of several. Reads no disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.events.series import Branch, Floats, Series
from engine.events.summary import is_higher_better
from engine.text import one_line
from engine.viewing.axes import Axis, along, nearest, read_at
from engine.viewing.identity import identities
from tui.curves.readings import ChartSpec, Trace
from tui.plotting.picture import Curve, letters_of

COLOURS = 8
"""Accents that a chart has."""
AXES = tuple(Axis)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One run that is drawn."""

    name: str
    series: Mapping[str, Series] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Board:
    """One chart: its curves, and what is said of them."""

    title: str
    curves: tuple[Curve, ...]
    fact: str = ""
    """Best or lowest value, of a single run."""
    missing: str = ""
    """Why there is nothing to draw along this axis."""


def board(spec: ChartSpec, runs: Sequence[Drawn], axis: Axis, *, branches: bool = False) -> Board:
    """The chart of a spec; several runs are told apart by colours that stay with their names."""
    title = one_line(spec.title)
    drawn = [(run, t.tag) for run in runs for t in spec.traces if t.tag in run.series]
    formulas = {run.derived[tag] for run, tag in drawn if tag in run.derived}
    # Where some runs logged what is derived for others, each curve says it of itself.
    mixed = any(tag not in run.derived for run, tag in drawn)
    if formulas and not mixed:
        title += f" (derived: {one_line(', '.join(sorted(formulas)))})"
    colours = identities([run.name for run in runs], COLOURS)
    curves: list[Curve] = []
    missing = ""
    for run, (colour, _) in zip(runs, colours, strict=True):
        for trace in spec.traces:
            series = run.series.get(trace.tag)
            if series is None:
                continue
            alone = len(runs) == 1
            label = trace.label if alone else _label(run.name, trace)
            if mixed and trace.tag in run.derived:
                label += f" (derived: {one_line(run.derived[trace.tag])})"
            accent = trace.accent if alone else colour
            places = along(axis, series, run.series)
            missing = missing or (f"{run.name}: " * (not alone) + places.missing)
            if places.missing:
                continue
            owner = "" if alone or not trace.marks else one_line(run.name)
            curves += _curves(series, places.x, label, accent, trace, run, axis, branches, owner)
    return Board(title, tuple(curves), _fact(spec, runs), missing if not curves else "")


def _curves(
    series: Series,
    x: Floats,
    label: str,
    accent: int,
    trace: Trace,
    run: Drawn,
    axis: Axis,
    branches: bool,
    owner: str,
) -> list[Curve]:
    found = [_curve(series, x, label, accent, marks=trace.marks, marks_of=owner)]
    if branches:
        for one in series.abandoned:
            left = _as_series(series.tag, one)
            places = along(axis, left, run.series)
            if not places.missing:
                name, marks = f"{label} left", trace.marks
                found.append(_curve(left, places.x, name, accent, marks=marks, branch_of=label))
    return found


def _curve(
    series: Series,
    x: Floats,
    label: str,
    accent: int,
    *,
    marks: bool = False,
    branch_of: str = "",
    marks_of: str = "",
) -> Curve:
    known = np.isfinite(x)
    starts = [int(np.argmax(series.steps >= step)) for step in series.restarts]
    restarts = tuple(float(x[at]) for at in starts if at < len(x) and known[at])
    points = (series.steps, series.wall_times, series.values, x)
    if not known.all():
        points = (points[0][known], points[1][known], points[2][known], x[known])
    return Curve(
        label, *points[:3], accent, marks, restarts, points[3], bool(branch_of), branch_of, marks_of
    )


def _as_series(tag: str, branch: Branch) -> Series:
    return Series(tag, branch.steps, branch.wall_times, branch.values)


def _label(name: str, trace: Trace) -> str:
    short = one_line(name)
    return f"{short} eval" if trace.marks else short


def _fact(spec: ChartSpec, runs: Sequence[Drawn]) -> str:
    """The best value, or the lowest where it is not known which is better; of one run only."""
    found = [run.series[t.tag] for run in runs for t in spec.traces if t.tag in run.series]
    if len(runs) != 1 or not found:
        return ""
    series = found[-1]  # evaluations where there are any
    higher = is_higher_better(series.tag)
    best = series.best(highest=bool(higher))
    if best is None:
        return ""
    return f"{'min' if higher is None else 'best'} {best[1]:.5g} at {best[0]:,}"


def readings(boards: Sequence[Board], cursor: float | None) -> list[str]:
    """A line for each curve of the boards: its value and step nearest to the cursor, or newest."""
    lines = []
    for one in boards:
        named = [curve for curve in one.curves if not curve.faint and len(curve.values)]
        if not named:
            continue
        width = max(len(curve.label) for curve in named)
        letters = letters_of(named)
        lines.append(f" {one.title}")
        for curve in named:
            series = Series("", curve.steps, curve.wall_times, curve.values)
            x = curve.steps.astype(np.float64) if curve.places is None else curve.places
            at = float(x[-1]) if cursor is None else cursor
            for found in read_at([(curve.label, x, series)], at):
                value = f"{found.value:.6g}".rjust(13)
                letter = letters.get(found.label, " ")
                lines.append(f" {letter} {found.label:{width}}  {value}  at step {found.step:,}")
    return lines


def reference(series: Mapping[str, Series]) -> Series | None:
    """The curve that a cursor's step is looked up in: the one with the most points."""
    if "train/loss" in series:
        return series["train/loss"]
    return max(series.values(), key=len, default=None)


def step_at(series: Mapping[str, Series], cursor: float | None, axis: Axis) -> int | None:
    """The step under the cursor; None without one."""
    if cursor is None:
        return None
    if axis is Axis.STEP:
        return round(cursor)
    main = reference(series)
    if main is None:
        return None
    places = along(axis, main, series)
    at = nearest(places.x, cursor) if not places.missing else None
    return None if at is None else int(main.steps[at])


def place_of(series: Mapping[str, Series], step: int, axis: Axis) -> float | None:
    """Where along the axis a step lies; None where that is not known."""
    if axis is Axis.STEP:
        return float(step)
    main = reference(series)
    if main is None or not len(main):
        return None
    x = along(axis, main, series).x
    place = float(x[int(np.abs(main.steps - step).argmin())]) if len(x) else np.nan
    return place if np.isfinite(place) else None
