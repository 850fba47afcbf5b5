"""A chart as an SVG file: what is on the screen, for a report. No library, no script, no font.

Curves are thinned as on the screen, so spikes stay and NaN is a gap; the raw curve is faint
behind the smoothed one; every curve has a mark beside its colour. There is no PNG: that would
need a rasteriser and a font, and every browser and office program reads this.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from engine.events.series import Floats, smooth, thin
from engine.text import one_line
from engine.viewing.identity import MARKS, identities

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#4d4d4d")
"""Okabe and Ito's, which most colour-blind people tell apart, on white."""
WIDTH, HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 44, 56
_ROW = 20  # of the legend
_MOST_IN_LEGEND = 24
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
    """Never smoothed, as a few measured points are not."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a chart is shown."""

    title: str = ""
    x_label: str = "step"
    x_time: str = ""
    """`relative` or `wall` where x is in seconds."""
    log: bool = False
    smoothing: float = 0.0


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


def draw(lines: Sequence[Line], look: Look = Look()) -> str:
    """The chart as an SVG document. Labels and titles are cleaned and escaped."""
    shown = [_plottable(line, look) for line in lines]
    rows = min(len(lines), _MOST_IN_LEGEND) + (len(lines) > _MOST_IN_LEGEND)
    height = HEIGHT + rows * _ROW
    across = _fit([line.x for line in shown], _LEFT, WIDTH - _RIGHT)
    up = _fit([line.y for line in shown], HEIGHT - _BOTTOM, _TOP, log=look.log)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13" fill="#222">',
        f"<title>{_words(look.title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="26" font-size="16" font-weight="bold">{_words(look.title)}</text>',
        *_frame(across, up, look),
    ]
    styles = identities([line.label for line in lines], len(COLOURS))
    for line, own, (colour, mark) in zip(shown, lines, styles, strict=True):
        smoothing = 0.0 if own.exact else look.smoothing
        parts += _curve(line, across, up, COLOURS[colour], MARKS[mark], smoothing)
    parts += _legend(lines, styles)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _plottable(line: Line, look: Look) -> Line:
    """Ordered along x, without points that have no place there; NaN where a value has none."""
    known = np.isfinite(line.x)
    x, y = line.x[known], line.y[known]
    order = np.argsort(x, kind="stable")
    y = y[order]
    return Line(line.label, x[order], np.where(y > 0, y, np.nan) if look.log else y)


def _fit(arrays: Iterable[Floats], start: float, stop: float, *, log: bool = False) -> _Scale:
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


def _frame(across: _Scale, up: _Scale, look: Look) -> Iterator[str]:
    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM
    for value in up.ticks(6):
        y = up.start + (value - up.low) / (up.high - up.low) * (up.stop - up.start)
        label = f"{10.0**value:.3g}" if up.log else f"{value:.6g}"
        yield f'<path d="M{left} {y:.1f}H{right}" stroke="#ddd"/>'
        yield f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    for value in across.ticks(8):
        x = float(across.place(np.array([value]))[0])
        label = _words(_x_label(value, look.x_time, across.high - across.low))
        yield f'<path d="M{x:.1f} {bottom}v5" stroke="#222"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{label}</text>'
    yield f'<path d="M{left} {_TOP}V{bottom}H{right}" fill="none" stroke="#222"/>'
    name = look.x_label + (" · logarithmic" if look.log else "")
    name += f" · smoothed {look.smoothing:g}" if look.smoothing else ""
    yield (
        f'<text x="{(left + right) / 2:g}" y="{bottom + 42}" text-anchor="middle">'
        f"{_words(name)}</text>"
    )


def _x_label(value: float, kind: str, span: float) -> str:
    if kind == "wall":
        form = "%Y-%m-%d" if span > 4 * _DAY else "%d. %H:%M" if span > _DAY else "%H:%M:%S"
        return time.strftime(form, time.localtime(value))
    if kind == "relative":
        hours, rest = divmod(round(value), 3600)
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:.4g}"


def _curve(
    line: Line, across: _Scale, up: _Scale, colour: str, mark: str, smoothing: float
) -> Iterator[str]:
    columns = WIDTH - _LEFT - _RIGHT
    span = (across.low, across.high)
    strong = line.y
    if smoothing:
        yield _path(*thin(line.x, line.y, columns, span), across, up, f'stroke="{colour}"', 0.25)
        strong = smooth(line.y, smoothing)
    x, y = thin(line.x, strong, columns, span)
    yield _path(x, y, across, up, f'stroke="{colour}" stroke-width="1.8"', 1.0)
    finite = np.flatnonzero(np.isfinite(y))
    if len(finite):
        chosen = finite[np.unique(np.linspace(0, len(finite) - 1, 6).astype(int))]
        places = zip(across.place(x[chosen]).tolist(), up.place(y[chosen]).tolist(), strict=True)
        yield "".join(_mark(mark, at, height, colour) for at, height in places)


def _path(x: Floats, y: Floats, across: _Scale, up: _Scale, style: str, opacity: float) -> str:
    places = zip(across.place(x).tolist(), up.place(y).tolist(), strict=True)
    words, pen = [], "M"
    for at, height in places:
        if math.isfinite(height):
            words.append(f"{pen}{at:.1f} {height:.1f}")
            # A point between two gaps would else not be seen: a line of no length, round ends.
            words += ["h0"] if pen == "M" else []
            pen = "L"
        else:
            pen = "M"
    dots = f'fill="none" {style} stroke-linecap="round" stroke-linejoin="round"'
    return f'<path d="{"".join(words)}" {dots} opacity="{opacity:g}"/>'


def _mark(shape: str, x: float, y: float, colour: str) -> str:
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    strokes = {
        "square": "m-4 -4h8v8h-8z",
        "diamond": "m0 -5l5 5l-5 5l-5 -5z",
        "triangle": "m0 -5l5 9h-10z",
        "cross": "m-4 -4l8 8m0 -8l-8 8",
        "plus": "m-5 0h10m-5 -5v10",
    }
    filled = "none" if shape in ("cross", "plus") else colour
    return (
        f'<path d="M{x:.1f} {y:.1f}{strokes[shape]}" fill="{filled}" stroke="{colour}"'
        ' stroke-width="1.8"/>'
    )


def _legend(lines: Sequence[Line], styles: Sequence[tuple[int, int]]) -> Iterator[str]:
    for row, (line, (colour, mark)) in enumerate(zip(lines, styles, strict=True)):
        y = HEIGHT + row * _ROW
        if row == _MOST_IN_LEGEND:
            yield f'<text x="{_LEFT + 36}" y="{y + 4}">and {len(lines) - row} more</text>'
            return
        label = f"{line.label} (derived: {line.derived})" if line.derived else line.label
        finite = line.y[np.isfinite(line.y)]
        value = f" · last {line.y[-1]:.5g}" if len(line.y) else ""
        value += f" · lowest {finite.min():.5g}" if len(finite) else ""
        ink = COLOURS[colour]
        yield f'<path d="M{_LEFT} {y}h26" stroke={quoteattr(ink)} stroke-width="1.8"/>'
        yield _mark(MARKS[mark], _LEFT + 13, y, ink)
        yield f'<text x="{_LEFT + 36}" y="{y + 4}">{_words(label + value)}</text>'


def _words(text: str) -> str:
    """Text that may stand in XML; what XML cannot hold at all is replaced."""
    return escape(one_line(text)).replace("\ufffe", "�").replace("\uffff", "�")
