"""Curves read at a point along an axis: steps, places, and the lines that tell all values there."""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.charts.axes import Axis, along, nearest
from engine.events.series import Series
from tui.charts.chart_data import ChartData
from tui.charts.curve import Curve
from tui.charts.curve_letters import letters_of
from tui.formatting import significant
from tui.styled_text import pad, width_of


def readings(charts: Sequence[ChartData], cursor: float | None) -> list[str]:
    """A line for each curve of the charts, also for those that this axis has no place for.

    Its value and step nearest to the cursor, or newest; its best, where it has one, and its last.
    """
    lines = []
    for one in charts:
        if not one.legend:
            continue
        letters = letters_of(one.curves)
        letter_width = max(map(len, letters.values()), default=1)
        width = max(width_of(entry.label) for entry in one.legend)
        found = [_at(entry.curve, cursor) for entry in one.legend]
        digits = max(len(value) for value, _ in found)
        lines.append(f" {one.title}")
        for entry, (value, step) in zip(one.legend, found, strict=True):
            name = f" {letters.get(entry.label, ''):{letter_width}} {pad(entry.label, width)}"
            if entry.curve is None:
                lines.append(f"{name}  not drawn: {entry.missing}")
                continue
            facts = [f"{value:>{digits}}{step}", *entry.facts]
            if entry.unplaced:
                points = f"{entry.unplaced:,} point{'s' * (entry.unplaced != 1)}"
                facts.append(f"{points} not drawn: {entry.unknown}")
            lines.append(f"{name}  {'  '.join(facts)}")
    return lines


def _at(curve: Curve | None, cursor: float | None) -> tuple[str, str]:
    """The value of a curve nearest to the cursor, and where that is."""
    if curve is None or not len(curve.values):
        return "", ""
    x = curve.steps.astype(np.float64) if curve.places is None else curve.places
    at = nearest(x, float(x[-1]) if cursor is None else cursor)
    if at is None:
        return "", ""
    return significant(curve.values[at], 6), f" at step {int(curve.steps[at]):,}"


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
