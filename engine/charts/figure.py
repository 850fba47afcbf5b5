"""A chart as shapes on a page: what is on the screen, for a report. Writes no format itself.

Curves are thinned as on the screen, so spikes stay and NaN is a gap; the raw curve is dimmed behind
the smoothed one; every curve has a marker beside its colour.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.charts.axes import cut
from engine.charts.run_colors import MARKS, identities
from engine.events.series import Floats, smooth, thin
from engine.text import one_line

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#4d4d4d")
"""The Okabe-Ito palette, which most colour-blind readers can distinguish on white."""
INK, GRID = "#222222", "#dddddd"
WIDTH, HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 44, 56
_ROW = 20  # of the legend
_MOST_IN_LEGEND = 24
_MOST_ALONE = 100
"""Measured points that each get a mark of their own; more are joined."""
_DAY = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One curve: its name in the legend, and its points, in order of writing."""

    label: str
    x: Floats
    y: Floats
    derived: str = ""
    """The formula of a curve that was not logged; shown in the legend."""
    exact: bool = False
    """A few measured points: never smoothed, and never joined as long as they are few."""
    faint: bool = False
    """Drawn behind the others, without marker or name: points of that curve which a resume
    discarded."""
    facts: Sequence[str] = ()
    """Its best and its last value in words, told in the legend."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a chart is shown."""

    title: str = ""
    x_label: str = "step"
    x_time: str = ""
    """`relative` or `wall` where x is in seconds."""
    log: bool = False
    smoothing: float = 0.0
    window: tuple[float, float] | None = None
    """The part of x that is shown; None: all of it."""
    levels: tuple[tuple[float, str], ...] = ()
    """Marked values, a horizontal line for each, with its name."""
    restarts: tuple[float, ...] = ()
    """Positions of resumes along x: a vertical line for each."""


@dataclass(frozen=True, slots=True)
class Words:
    """Text, cleaned, on its base line."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    """start, middle or end: which of the text is at x."""
    title: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """Lines through points; a piece of one point is a dot."""

    pieces: tuple[npt.NDArray[np.float64], ...]
    """Each of points by two: x and y on the page."""
    colour: str
    width: float = 1.0
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Mark:
    shape: str
    """One of MARKS, about ten across."""
    x: float
    y: float
    colour: str


Shape = Words | Stroke | Mark


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Shapes on a white page of so many units; later ones lie over earlier ones."""

    title: str
    width: int
    height: int
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def place(self, values: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            known = np.log10(values) if self.log else values
        share = (known - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def at(self, value: float) -> float:
        """Where a value of the scale's own unit lies: a logarithm where it is logarithmic."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    def ticks(self, count: int) -> list[float]:
        """Where labels stand, in the units of the scale."""
        if self.log and self.high - self.low < 2:
            powers = range(math.floor(self.low), math.ceil(self.high))
            places = [power + math.log10(nice) for power in powers for nice in (1, 2, 5)]
            inside = [at for at in places if self.low <= at <= self.high]
            return inside or [self.low, self.high]
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * 0.999)
        if self.log:
            step = max(1.0, round(step))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [at * step for at in range(first, last + 1)]


def sketch(lines: Sequence[Line], look: Look = Look()) -> Sketch:
    """The chart as shapes. Labels and titles are cleaned."""
    prepared = [_prepared(line, look) for line in lines]
    named = [line for line in lines if not line.faint]
    rows = min(len(named), _MOST_IN_LEGEND) + (len(named) > _MOST_IN_LEGEND)
    across = _across(prepared, look)
    levels = np.array([value for value, _ in look.levels if value > 0 or not look.log])
    up = _fit([*(one.seen(across) for one in prepared), levels], HEIGHT - _BOTTOM, _TOP, look.log)
    shapes: list[Shape] = [Words(_LEFT, 26, one_line(look.title), title=True)]
    shapes += _frame(across, up, look)
    names = [line.label for line in named]
    styles = dict(zip(names, identities(names, len(COLOURS)), strict=True))
    for faint in (True, False):
        for line, one in zip(lines, prepared, strict=True):
            if line.faint == faint:
                colour, mark = styles.get(line.label, (len(COLOURS) - 1, 0))
                shapes += _curve(one, across, up, COLOURS[colour], MARKS[mark], faint)
    for value, name in look.levels:
        if value > 0 or not look.log:
            y = up.at(math.log10(value) if look.log else value)
            shapes.append(Words(WIDTH - _RIGHT - 4, y - 5, one_line(name), "end"))
    shapes += _legend(named, styles)
    return Sketch(one_line(look.title), WIDTH, HEIGHT + rows * _ROW, tuple(shapes))


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A curve in order of x, without points of unknown position; NaN where a value is missing."""

    x: Floats
    raw: Floats
    strong: Floats
    smoothed: bool
    exact: bool

    def seen(self, across: _Scale) -> Floats:
        """Its values between the ends of the page, those at the ends as well."""
        if self.exact:
            return self.raw[(self.x >= across.low) & (self.x <= across.high)]
        return cut(self.x, self.raw, (across.low, across.high))[1]


def _prepared(line: Line, look: Look) -> _Prepared:
    known = np.isfinite(line.x)
    x, y = line.x[known], line.y[known]
    smoothed = look.smoothing > 0 and not line.exact and not line.faint
    y = np.where(y > 0, y, np.nan) if look.log else y
    strong = smooth(y, look.smoothing) if smoothed else y
    order = np.argsort(x, kind="stable")
    return _Prepared(x[order], y[order], strong[order], smoothed, line.exact)


def _across(curves: Sequence[_Prepared], look: Look) -> _Scale:
    if look.window is not None and look.window[1] > look.window[0]:
        return _Scale(*look.window, _LEFT, WIDTH - _RIGHT)
    return _fit([one.x for one in curves], _LEFT, WIDTH - _RIGHT)


def _fit(arrays: Iterable[Floats], start: float, stop: float, log: bool = False) -> _Scale:
    finite = [array[np.isfinite(array)] for array in arrays]
    whole = np.concatenate([*finite, np.empty(0)])
    low, high = (float(whole.min()), float(whole.max())) if len(whole) else (1.0, 10.0)
    if log:
        low, high = math.log10(low), math.log10(high)
    if low == high:
        pad = max(abs(low) * 0.1, 0.5)
        low, high = low - pad, high + pad
    elif start > stop:  # the curve does not touch the frame above and below
        low, high = low - (high - low) * 0.04, high + (high - low) * 0.04
    return _Scale(low, high, start, stop, log)


def _frame(across: _Scale, up: _Scale, look: Look) -> Iterator[Shape]:
    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM
    for value in up.ticks(6):
        y = up.at(value)
        label = f"{10.0**value:.3g}" if up.log else f"{value:.6g}"
        yield _straight((left, y), (right, y), GRID)
        yield Words(left - 8, y + 4, label, "end")
    for value in across.ticks(8):
        x = across.at(value)
        label = _x_label(value, look.x_time, across.high - across.low)
        yield _straight((x, bottom), (x, bottom + 5), INK)
        yield Words(x, bottom + 20, label, "middle")
    for place in look.restarts:
        if across.low <= place <= across.high:
            yield _dashes(across.at(place), _TOP, bottom, down=True)
    for height, _ in look.levels:
        if height > 0 or not up.log:
            y = up.at(math.log10(height) if up.log else height)
            yield _dashes(y, left, right, down=False)
    corners = np.array([(left, _TOP), (left, bottom), (right, bottom)], float)
    yield Stroke((corners,), INK)
    name = one_line(look.x_label) + (" · logarithmic" if look.log else "")
    name += f" · smoothed {look.smoothing:g}" if look.smoothing else ""
    name += " · zoomed" if look.window is not None else ""
    yield Words((left + right) / 2, bottom + 42, name, "middle")


def _x_label(value: float, kind: str, span: float) -> str:
    if kind == "wall":
        form = "%Y-%m-%d" if span > 4 * _DAY else "%d. %H:%M" if span > _DAY else "%H:%M:%S"
        return time.strftime(form, time.localtime(value))
    if kind == "relative":
        hours, rest = divmod(round(value), 3600)
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:.4g}"


def _straight(start: tuple[float, float], stop: tuple[float, float], colour: str) -> Stroke:
    return Stroke((np.array([start, stop], float),), colour)


def _dashes(place: float, start: float, stop: float, *, down: bool) -> Stroke:
    pieces = []
    for begin in np.arange(start, stop, 9.0).tolist():
        end = min(begin + 5, stop)
        ends = [(place, begin), (place, end)] if down else [(begin, place), (end, place)]
        pieces.append(np.array(ends, float))
    return Stroke(tuple(pieces), "#888888")


def _curve(
    curve: _Prepared, across: _Scale, up: _Scale, colour: str, mark: str, faint: bool
) -> Iterator[Shape]:
    span, columns = (across.low, across.high), WIDTH - _LEFT - _RIGHT
    raw = _pieces(*thin(*cut(curve.x, curve.raw, span, log=up.log), columns, span), across, up)
    if faint or curve.smoothed:
        yield Stroke(raw, colour, opacity=0.25)
        if faint:
            return
    if not curve.exact:
        x, y = thin(*cut(curve.x, curve.strong, span, log=up.log), columns, span)
    else:
        inside = (curve.x >= across.low) & (curve.x <= across.high)
        x, y = thin(curve.x[inside], curve.strong[inside], columns, span)
    finite = np.flatnonzero(np.isfinite(y))
    alone = curve.exact and len(finite) <= _MOST_ALONE
    if not alone:
        yield Stroke(_pieces(x, y, across, up), colour, 1.8)
    if len(finite):
        most = len(finite) if alone else 6
        chosen = finite[np.unique(np.linspace(0, len(finite) - 1, most).astype(int))]
        for at, height in zip(across.place(x[chosen]), up.place(y[chosen]), strict=True):
            yield Mark(mark, float(at), float(height), colour)


def _pieces(
    x: Floats, y: Floats, across: _Scale, up: _Scale
) -> tuple[npt.NDArray[np.float64], ...]:
    """The parts of a curve between NaN values."""
    places = np.column_stack([across.place(x), up.place(y)])
    finite = np.isfinite(places).all(axis=1)
    edges = np.flatnonzero(np.diff(finite.astype(np.int8), prepend=0, append=0))
    return tuple(places[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True))


def _legend(lines: Sequence[Line], styles: dict[str, tuple[int, int]]) -> Iterator[Shape]:
    for row, line in enumerate(lines):
        y = HEIGHT + row * _ROW
        if row == _MOST_IN_LEGEND:
            yield Words(_LEFT + 36, y + 4, f"and {len(lines) - row} more")
            return
        label = f"{line.label} (derived: {line.derived})" if line.derived else line.label
        colour, mark = styles[line.label]
        yield Stroke((np.array([(_LEFT, y), (_LEFT + 26, y)], float),), COLOURS[colour], 1.8)
        yield Mark(MARKS[mark], _LEFT + 13, y, COLOURS[colour])
        yield Words(_LEFT + 36, y + 4, one_line(" · ".join([label, *line.facts])))
