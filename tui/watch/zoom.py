"""Which part of x the charts draw, as arithmetic: nearer, further, along. Knows no widget."""

from collections.abc import Iterable, Sequence

import numpy as np

from engine.events.series import Floats
from tui.charts.chart_data import ChartData

Span = tuple[float, float]
"""A part of x, from and to, in the axis' unit."""
MIN_SHARE = 1e-6
"""Least share of all x that can be drawn."""


def points_of(chart: ChartData) -> Floats:
    """Where along x the points of a chart lie, those of abandoned branches left out."""
    curves = [curve for curve in chart.curves if not curve.faint]
    places = [c.steps.astype(np.float64) if c.places is None else c.places for c in curves]
    return np.concatenate([np.empty(0), *places])


def extent_of(charts: Iterable[ChartData], drawn: Span | None) -> Span | None:
    """From the first point of all charts to the last, and all of `drawn`, the x that is drawn
    without a zoom, which may go further; None where there is nothing to zoom in."""
    ends = [(float(x.min()), float(x.max())) for x in map(points_of, charts) if len(x)]
    if not ends:
        return None
    ends += [drawn] if drawn is not None else []
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    return (low, high) if high > low else None


def zoomed(span: Span, extent: Span, factor: float, center: float | None) -> Span | None:
    """`factor` times as much of x around `center`, else around the middle; None is all of it.

    Where that would be too little to draw, the span stays as it is.
    """
    size, whole = (span[1] - span[0]) * factor, extent[1] - extent[0]
    if size >= whole:
        return None
    if factor < 1 and size < whole * MIN_SHARE:
        return span
    middle = sum(span) / 2 if center is None else center
    return within((middle - size / 2, middle + size / 2), extent)


def panned(span: Span, extent: Span | None, quarters: int) -> Span:
    """As much of x, so many quarters of it further along."""
    shift = (span[1] - span[0]) / 4 * quarters
    moved = span[0] + shift, span[1] + shift
    return moved if extent is None else within(moved, extent)


def within(span: Span, extent: Span) -> Span:
    """As much of x, moved to where there are points."""
    size = span[1] - span[0]
    low = max(min(span[0], extent[1] - size), extent[0])
    return low, low + size


def remembered(window: Sequence[float], charts: Iterable[ChartData]) -> Span | None:
    """The saved window; None where there is none, or none of these curves has a point in
    it: they may be another run's."""
    if len(window) != 2:
        return None
    low, high = window
    shows = any(((x >= low) & (x <= high)).any() for x in map(points_of, charts))
    return (low, high) if shows else None


def nearest_in(span: Span, x: Floats, cursor: float) -> float | None:
    """The one of `x` in a span that is nearest to the cursor; None where none is in it."""
    inside = x[(x >= span[0]) & (x <= span[1])]
    return float(inside[np.abs(inside - cursor).argmin()]) if len(inside) else None
