"""Curves drawn into cells: on which axes, in which order, with which points.

Refuses screens and disks. A curve of a million points takes some hundredths of a second, so
drawing belongs on a thread. A cell is a character and a role; what colour a role has is the
widget's affair. Kept by design: plotext, which draws the frame (`plotext_frame`), takes about 80 ms
for one noisy curve at 160x48.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from engine.charts.axes import cut
from engine.events.series import Floats, Ints, smooth, thin
from engine.text import one_line
from tui.charts.axes import AxisRange, fit_x, fit_y
from tui.charts.canvas import Canvas
from tui.charts.curve import Curve, Level
from tui.charts.curve_letters import Named, letters_of, put_letters
from tui.charts.plotext_frame import MARGIN, frame, is_framed, scaled
from tui.glyphs import UNICODE, Glyphs

AXIS, ALERT, RESTART, LEVEL, FAINT, STRONG = 1, 2, 3, 7, 16, 32
"""Roles of cells; curves add their accent (0 to 15) to FAINT and STRONG."""
_LARGEST, _SMALLEST = 1e100, 1e-100
"""Beyond that, plotext's arithmetic overflows; below, it is drawn as 0."""


@dataclass(frozen=True, slots=True)
class ChartOptions:
    """How the curves of a chart are drawn, apart from their values."""

    smoothing: float = 0.0
    log: bool = False
    by_time: bool = False
    total: float = 0.0
    """The last step of the run; 0 where it is not known."""
    levels: tuple[Level, ...] = ()
    begin: float = 0.0
    """Wall time at which time begins; 0: with the first point."""
    glyphs: Glyphs = UNICODE
    wall: bool = False
    """Whether time is that of the clock."""
    window: tuple[float, float] | None = None
    """The part of x that is drawn; None: all of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A drawn chart: lines of equal length, and the role of every cell."""

    texts: tuple[str, ...]
    roles: tuple[tuple[int, ...], ...]
    x: AxisRange
    y: AxisRange
    left: int
    """First column of the canvas; `columns` and `rows` are its size."""
    columns: int
    rows: int
    letters: dict[str, str] = field(default_factory=dict)
    """The letter at the end of each joined curve, by label, where there are several."""
    unplaced: int = 0
    """How many values in sight have no place on a logarithmic scale, being 0 or less."""
    stops: Floats = field(default_factory=lambda: np.empty(0))
    """Where a cursor may stand: the first x that a curve has in each column, rising."""

    def column_of(self, x: float) -> int:
        """The column of the picture in which `x` falls."""
        return self.left + round(self.x.place(x, self.columns))


def across(curves: tuple[Curve, ...], options: ChartOptions) -> list[Floats]:
    """The x of each curve: its places, else steps, or seconds since `begin`."""
    begins = [float(curve.wall_times[0]) for curve in curves if len(curve.wall_times)]
    begin = options.begin or min(begins, default=0.0)
    xs = []
    for curve in curves:
        own = curve.wall_times - begin if options.by_time else curve.steps.astype(np.float64)
        xs.append(own if curve.places is None else curve.places)
    return xs


def draw(
    curves: tuple[Curve, ...],
    options: ChartOptions,
    width: int,
    height: int,
    previous: Picture | None = None,
) -> Picture:
    """`curves` in `width` by `height` cells, on the axes of `previous` where they still do."""
    xs = across(curves, options)
    framed = is_framed(width, height)
    left, rows = (MARGIN + 1, height - 2) if framed else (0, height)
    columns = width - left
    x_axis = _fit_x(xs, options, previous)
    strokes, unplaced = _strokes(curves, xs, options, x_axis, columns)
    levels = tuple(level for level in options.levels if level.value > 0 or not options.log)
    y_axis = _fit_y(strokes, levels, options, previous)
    letters = letters_of(curves)
    cells = frame(x_axis, y_axis, width, height, plain=options.glyphs.is_ascii).copy()
    roles = np.full(cells.shape, AXIS)
    canvas = Canvas(cells[:rows, left:], roles[:rows, left:])
    for curve in curves:
        if not options.by_time or curve.places is not None:
            for place in curve.restarts:
                canvas.down(float(_share(place, x_axis)), RESTART, options.glyphs.restart)
    for level in levels:
        canvas.across(float(_height(level.value, y_axis)), LEVEL, options.glyphs.level)
    for stroke in strokes:
        _put(stroke, x_axis, y_axis, canvas, options.glyphs, letters.get(stroke.label, ""))
    put_letters([_named(stroke, letters[stroke.label], x_axis, y_axis) for stroke in strokes
                 if stroke.label in letters and not stroke.as_points], canvas)  # fmt: skip
    texts = tuple(line.tobytes().decode("utf-32-le") for line in cells)
    owners = tuple(tuple(line) for line in roles.tolist())
    if framed:
        texts = _labelled(texts, owners, levels, left)
    return Picture(texts, owners, x_axis, y_axis, left, columns, rows, letters, unplaced,
                   _stops(xs, x_axis, columns))  # fmt: skip


def _stops(xs: list[Floats], axis: AxisRange, columns: int) -> Floats:
    ends = axis.low + (np.arange(columns) - 0.5) / max(columns - 1, 1) * (axis.high - axis.low)
    ends[0] = axis.low
    firsts = np.full(columns, np.inf)
    for x in xs:
        x = x if (x[1:] >= x[:-1]).all() else np.sort(x)
        at = np.searchsorted(x, ends)
        within = at < len(x)
        firsts[within] = np.minimum(firsts[within], x[at[within]])
    nexts = np.append(ends[1:], np.nextafter(axis.high, np.inf))
    return firsts[firsts < nexts]


@dataclass(frozen=True, slots=True, eq=False)
class _Stroke:
    """One curve, thinned to the columns there are; NaN parts it."""

    x: Floats
    y: Floats
    role: int
    as_points: bool = False
    label: str = ""
    gaps: Floats | None = None
    """Where along x its values were not finite."""


def _strokes(
    curves: tuple[Curve, ...],
    xs: list[Floats],
    options: ChartOptions,
    axis: AxisRange,
    columns: int,
) -> tuple[list[_Stroke], int]:
    """Faint curves first, then strong ones, then points: later ones are drawn over earlier.

    And how many values have no place on a logarithmic scale.
    """
    faint, strong, of_points = list[_Stroke](), list[_Stroke](), list[_Stroke]()
    span = (axis.low, axis.high)
    unplaced = 0
    for curve, x in zip(curves, xs, strict=True):
        values, undrawable = _drawable(curve.values)
        gaps = x[undrawable]
        if options.log:
            below = values < _SMALLEST
            unplaced += 0 if curve.faint else len(_inside(x[below], x[below], options)[0])
            values = np.where(below, np.nan, values)
        accent = curve.accent % 16
        if curve.as_points:
            points = _inside(x, values, options)
            among, role = (faint, FAINT) if curve.faint else (of_points, STRONG)
            among.append(_Stroke(*points, role + accent, True, curve.label, gaps))
            continue
        raw = thin(*_within(x, values, options), columns, span)
        if curve.faint:
            faint.append(_Stroke(*raw, FAINT + accent, gaps=gaps))
            continue
        if options.smoothing > 0:
            faint.append(_Stroke(*raw, FAINT + accent))
            raw = thin(*_within(x, smooth(values, options.smoothing), options), columns, span)
        strong.append(_Stroke(*raw, STRONG + accent, label=curve.label, gaps=gaps))
    strokes = [*faint, *strong, *of_points]
    return [replace(stroke, y=_upright(stroke.y)) for stroke in strokes], unplaced


def _within(x: Floats, values: Floats, options: ChartOptions) -> tuple[Floats, Floats]:
    """The line in the window. Smoothing comes before, so that it does not begin anew there."""
    return (
        (x, values) if options.window is None else cut(x, values, options.window, log=options.log)
    )


def _inside(x: Floats, values: Floats, options: ChartOptions) -> tuple[Floats, Floats]:
    """The points in the window."""
    if options.window is None:
        return x, values
    inside = (x >= options.window[0]) & (x <= options.window[1])
    return x[inside], values[inside]


def _drawable(values: Floats) -> tuple[Floats, Ints]:
    """The values, NaN where they are not finite or too large to be drawn; and where that is."""
    if not len(values) or (values.min() >= -_LARGEST and values.max() <= _LARGEST):
        return values, np.empty(0, np.int64)
    undrawable = ~(np.abs(values) <= _LARGEST)
    return np.where(undrawable, np.nan, values), np.flatnonzero(undrawable)


def _upright(values: Floats) -> Floats:
    return np.where(np.abs(values) < _SMALLEST, 0.0, values)


def _fit_x(xs: list[Floats], options: ChartOptions, previous: Picture | None) -> AxisRange:
    if options.window is not None:
        return AxisRange(*options.window, time=options.by_time, wall=options.wall)
    ends = [(float(x.min()), float(x.max())) for x in xs if len(x)]
    low = min((end[0] for end in ends), default=0.0)
    high = max((end[1] for end in ends), default=1.0)
    total = 0.0 if options.by_time else options.total
    before = previous.x if previous and previous.x.wall == options.wall else None
    return replace(fit_x(low, high, before, time=options.by_time, total=total), wall=options.wall)


def _fit_y(
    strokes: list[_Stroke],
    levels: tuple[Level, ...],
    options: ChartOptions,
    previous: Picture | None,
) -> AxisRange:
    finite = [stroke.y[np.isfinite(stroke.y)] for stroke in strokes]
    finite.append(np.array([level.value for level in levels]))
    values = np.concatenate([*finite, np.empty(0)])
    if not len(values):
        return AxisRange(0.1, 10.0, log=True) if options.log else AxisRange(0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    return fit_y(low, high, previous.y if previous else None, log=options.log)


def _put(
    stroke: _Stroke,
    x_axis: AxisRange,
    y_axis: AxisRange,
    canvas: Canvas,
    glyphs: Glyphs,
    letter: str,
) -> None:
    finite = np.isfinite(stroke.y)
    x, height = _share(stroke.x, x_axis), _height(stroke.y, y_axis)
    if stroke.as_points:
        canvas.scatter(x[finite], height[finite], stroke.role, letter or glyphs.point)
    else:
        character = "" if glyphs.dots else (".", "*")[stroke.role >= STRONG]
        canvas.line(x, height, stroke.role, character)
    if stroke.gaps is not None:
        gaps = _share(stroke.gaps, x_axis)
        canvas.scatter(gaps, np.zeros(len(gaps)), ALERT, glyphs.missing)


def _named(stroke: _Stroke, letter: str, x_axis: AxisRange, y_axis: AxisRange) -> Named:
    finite = np.isfinite(stroke.y)
    x, height = _share(stroke.x[finite], x_axis), _height(stroke.y[finite], y_axis)
    return Named(letter, stroke.role, x, height)


def _share(x: Floats | float, axis: AxisRange) -> Floats:
    """How far along the axis: 0 at its beginning, 1 at its end."""
    return (np.asarray(x) - axis.low) / (axis.high - axis.low)


def _height(y: Floats | float, axis: AxisRange) -> Floats:
    low, high = scaled(np.array([axis.low, axis.high]), axis).tolist()
    share: Floats = (scaled(np.asarray(y), axis) - low) / (high - low)
    return share


def _labelled(
    texts: tuple[str, ...], roles: tuple[tuple[int, ...], ...], levels: tuple[Level, ...], left: int
) -> tuple[str, ...]:
    """The pictures' lines, each level's label upon it where that hides no curve."""
    lines = list(texts)
    rows = [at for at, row in enumerate(roles) if LEVEL in row]
    for level, at in zip(sorted(levels, key=lambda level: -level.value), rows, strict=False):
        label = f" {one_line(level.label)} "
        for start in range(left + 2, len(lines[at]) - len(label)):
            span = slice(start, start + len(label))
            if set(roles[at][span]) == {LEVEL}:
                lines[at] = lines[at][:start] + label + lines[at][span.stop :]
                break
    return tuple(lines)
