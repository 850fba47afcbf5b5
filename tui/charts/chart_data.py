"""What a chart draws: curves along an axis, of one run or of several. Reads no disk.

Nothing is left out silently: what has no place along an axis is told with the rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.charts.axes import Axis, along
from engine.charts.run_colors import identities
from engine.events.series import Branch, Floats, Series
from engine.events.tag_names import is_higher_better
from engine.text import one_line
from tui.charts.curve import Curve
from tui.charts.run_curves import RunCurves
from tui.charts.run_lines import ChartSpec, Trace
from tui.formatting import significant

COLOURS = 8
"""Accents that a chart has."""
AXES = tuple(Axis)
_UNKNOWN = dict.fromkeys(AXES, "no time") | {
    Axis.TOKENS: "no token count", Axis.EPOCH: "no epoch",
}  # fmt: skip
"""Of what has no place along an axis."""
_NAMED = 3
"""How many runs that are not drawn are named on one line."""


@dataclass(frozen=True, slots=True, eq=False)
class CurveLegend:
    """What there is to say of one run's curve, drawn or not."""

    label: str
    run: str
    facts: tuple[str, ...] = ()
    """Its best value, where its name says which values are better; then its last one."""
    curve: Curve | None = None
    """None where it has no place along this axis."""
    missing: str = ""
    """Why it has none."""
    unplaced: int = 0
    """Points of which it is not known where they lie along this axis."""
    unknown: str = ""
    """What is not known of them."""


@dataclass(frozen=True, slots=True)
class ChartData:
    """Of one chart: its curves, and what is said of them."""

    title: str
    curves: tuple[Curve, ...]
    legend: tuple[CurveLegend, ...] = ()
    """Of every curve of every run, in the order of the curves."""
    facts: tuple[str, ...] = ()
    """What the title says of a single run."""
    missing: str = ""
    """Why there is nothing to draw along this axis."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is not drawn where other things are, in a few words."""
        if not self.curves:
            return ()
        gone = [one for one in self.legend if one.curve is None]
        names = list(dict.fromkeys(one.run for one in gone))
        more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
        parts = [f"{', '.join(names[:_NAMED] + more)} ({gone[0].unknown})"] if gone else []
        points = [one for one in self.legend if one.unplaced]
        if points:
            count = sum(one.unplaced for one in points)
            parts.append(f"{count:,} point{'s' * (count != 1)} ({points[0].unknown})")
        return tuple(parts)


def build_chart_data(
    spec: ChartSpec, runs: Sequence[RunCurves], axis: Axis, *, branches: bool = False
) -> ChartData:
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
    legend: list[CurveLegend] = []
    alone = len(runs) == 1
    unknown = _UNKNOWN[axis]
    for run, (colour, _) in zip(runs, colours, strict=True):
        begin, placed = len(curves), list[tuple[Series, Floats]]()
        for trace in spec.traces:
            series = run.series.get(trace.tag)
            if series is None:
                continue
            label = trace.label if alone else _label(run.name, trace)
            if mixed and trace.tag in run.derived:
                label += f" (derived: {one_line(run.derived[trace.tag])})"
            accent = trace.accent if alone else colour
            name, facts = one_line(run.name), _facts(series, run.series, has_best=spec.has_best)
            places = along(axis, series, run.series)
            if places.missing:
                legend.append(
                    CurveLegend(label, name, facts, missing=places.missing, unknown=unknown)
                )
                continue
            owner = "" if alone or not trace.as_points else name
            found = _curves(series, places.x, label, accent, trace, run, axis, branches, owner)
            curves += found
            placed.append((series, places.x))
            unplaced = len(series) - len(found[0].values)
            legend.append(CurveLegend(label, name, facts, found[0], "", unplaced, unknown))
        if placed:  # once for each run, on its first curve
            curves[begin] = replace(curves[begin], restarts=_resumes(placed, axis))
    gone = next((one for one in legend if one.missing), None)
    missing = (f"{gone.run}: " * (not alone) + gone.missing) if gone and not curves else ""
    return ChartData(
        title,
        tuple(curves),
        tuple(legend),
        _title_facts(legend) if alone and spec.has_best else (),
        missing,
    )


def _curves(
    series: Series,
    x: Floats,
    label: str,
    accent: int,
    trace: Trace,
    run: RunCurves,
    axis: Axis,
    branches: bool,
    owner: str,
) -> list[Curve]:
    found = [_curve(series, x, label, accent, as_points=trace.as_points, points_of=owner)]
    if branches:
        for one in series.abandoned:
            left = _as_series(series.tag, one)
            places = along(axis, left, run.series)
            if not places.missing:
                found.append(
                    _curve(
                        left,
                        places.x,
                        f"{label} discarded",
                        accent,
                        as_points=trace.as_points,
                        branch_of=label,
                    )
                )
    return found


def _curve(
    series: Series,
    x: Floats,
    label: str,
    accent: int,
    *,
    as_points: bool = False,
    branch_of: str = "",
    points_of: str = "",
) -> Curve:
    known = np.isfinite(x)
    points = (series.steps, series.wall_times, series.values, x)
    if not known.all():
        points = (points[0][known], points[1][known], points[2][known], x[known])
    return Curve(
        label,
        *points[:3],
        accent,
        as_points,
        (),
        points[3],
        bool(branch_of),
        branch_of,
        points_of,
    )


def _resumes(curves: Sequence[tuple[Series, Floats]], axis: Axis) -> tuple[float, ...]:
    """Where along x a run was resumed, by the curves of one chart: each resume once."""
    places: list[float] = []
    for step in dict.fromkeys(step for series, _ in curves for step in series.restarts):
        later = [(series, x, series.steps >= step) for series, x in curves]
        firsts = [(series, x, int(found.argmax())) for series, x, found in later if found.any()]
        if axis in (Axis.STEP, Axis.RELATIVE_STEP):
            places += [float(step - series.steps[at] + x[at]) for series, x, at in firsts[:1]]
        else:  # known of points alone: of the first one after the resume
            places.append(min((float(x[at]) for _, x, at in firsts), default=np.nan))
    return tuple(place for place in places if np.isfinite(place))


def _as_series(tag: str, branch: Branch) -> Series:
    return Series(tag, branch.steps, branch.wall_times, branch.values)


def _label(name: str, trace: Trace) -> str:
    short = one_line(name)
    return f"{short} eval" if trace.as_points else short


def _facts(series: Series, tags: Iterable[str], *, has_best: bool) -> tuple[str, ...]:
    if not len(series):
        return ()
    higher = is_higher_better(series.tag, tags)
    best = series.best(highest=higher) if higher is not None else None
    found = (f"best {best[1]:.5g} at step {best[0]:,}",) if best and has_best else ()
    return (*found, f"last {significant(series.values[-1], 5)}")


def _title_facts(legend: Sequence[CurveLegend]) -> tuple[str, ...]:
    """Of one curve, named where there are others: of evaluations where there are any."""
    known = [one for one in legend if one.facts]
    if len(known) < 2:
        return known[0].facts if known else ()
    first, *others = known[-1].facts
    return (f"{known[-1].label} {first}", *others)
