"""Values with their intervals as shapes on a page: one below the other along a common axis, or
over named places from left to right. Writes no format itself.

A value has a mark beside its colour, so that neither print nor colour blindness loses it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.charts.figure import COLOURS, GRID, INK, Mark, Shape, Sketch, Stroke, Words
from engine.charts.run_colors import MARKS
from engine.text import one_line

GOOD, BAD, NEUTRAL = COLOURS[2], COLOURS[1], "#666666"
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 960, 250, 200, 48, 26
_LONGEST_NAME = 30


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One value, with the words at its side."""

    name: str
    value: float
    low: float
    high: float
    colour: str = NEUTRAL
    mark: str = "circle"
    words: str = ""
    """At the right, as its number."""


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """Values of one name over the places; NaN where there is none."""

    name: str
    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


def sketch_rows(title: str, rows: Sequence[IntervalRow], unit: str, band: float = 0.0) -> Sketch:
    """A forest plot: a row a value, 0 marked, and dashed lines at ± `band`. Values that are not
    finite have a name and no mark."""
    finite = [one for row in rows for one in (row.value, row.low, row.high) if math.isfinite(one)]
    low, high = _widen(min([0.0, -band, *finite]), max([0.0, band, *finite]))
    bottom = _TOP + len(rows) * _ROW + 8

    def place(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    shapes: list[Shape] = [Words(16, 26, one_line(title), title=True)]
    for tick in list_ticks(low, high, 6):
        shapes.append(_line((place(tick), _TOP - 6), (place(tick), bottom), GRID))
        shapes.append(Words(place(tick), bottom + 18, f"{tick:g}", "middle"))
    shapes.append(_line((place(0), _TOP - 6), (place(0), bottom), INK))
    for edge in (-band, band) if band else ():
        shapes += _dash(place(edge), _TOP - 6, bottom)
    shapes.append(Words((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 38, one_line(unit), "middle"))
    for at, row in enumerate(rows):
        y = _TOP + at * _ROW + _ROW / 2
        shapes.append(Words(_LEFT - 14, y + 4, _clip(row.name), "end"))
        if all(map(math.isfinite, (row.low, row.high))):
            shapes.append(_line((place(row.low), y), (place(row.high), y), row.colour, 2.0))
        if math.isfinite(row.value):
            shapes.append(Mark(row.mark, place(row.value), y, row.colour))
        shapes.append(Words(_WIDTH - _RIGHT + 14, y + 4, one_line(row.words)))
    return Sketch(one_line(title), _WIDTH, bottom + 52, tuple(shapes))


def sketch_places(
    title: str, places: Sequence[str], lines: Sequence[PlacedLine], *, is_joined: bool = True
) -> Sketch:
    """Lines over named places, each value with its interval; names of lines below. `is_joined`
    where each place follows from the one before."""
    left, right, top, bottom = 60, 40, 48, 380
    finite = [
        one for line in lines for one in (*line.values, *line.lows, *line.highs)
        if math.isfinite(one)
    ]  # fmt: skip
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else _widen(low, high)
    step = (_WIDTH - left - right) / max(1, len(places))

    def up(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    shapes: list[Shape] = [Words(16, 26, one_line(title), title=True)]
    for tick in list_ticks(low, high, 5):
        shapes.append(_line((left, up(tick)), (_WIDTH - right, up(tick)), GRID))
        shapes.append(Words(left - 8, up(tick) + 4, f"{tick:g}", "end"))
    for at, place in enumerate(places):
        shapes.append(Words(left + (at + 0.5) * step, bottom + 22, _clip(place), "middle"))
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        mark = MARKS[(number + number // len(COLOURS)) % len(MARKS)]
        away = (number - (len(lines) - 1) / 2) * min(9.0, 0.6 * step / max(1, len(lines)))
        xs = [left + (at + 0.5) * step + away for at in range(len(places))]
        shapes += _place_line(line, xs, up, colour, mark, is_joined)
        y = bottom + 50 + number * 20
        shapes.append(_line((left, y), (left + 26, y), colour, 1.8))
        shapes.append(Mark(mark, left + 13, y, colour))
        shapes.append(Words(left + 36, y + 4, one_line(line.name)[:120]))
    return Sketch(one_line(title), _WIDTH, bottom + 58 + len(lines) * 20, tuple(shapes))


def list_ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers between two ends, about so many."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(at * step, 10) + 0.0 for at in range(first, last + 1)]


def _place_line(
    line: PlacedLine,
    xs: Sequence[float],
    up: Callable[[float], float],
    colour: str,
    mark: str,
    is_joined: bool,
) -> Iterator[Shape]:
    points = [(x, up(y)) for x, y in zip(xs, line.values, strict=True) if math.isfinite(y)]
    if is_joined and len(points) > 1:
        yield Stroke((np.array(points, float),), colour, 1.5, 0.7)
    for x, low, high in zip(xs, line.lows, line.highs, strict=True):
        if math.isfinite(low) and math.isfinite(high):
            yield _line((x, up(low)), (x, up(high)), colour, 1.2)
    for x, y in points:
        yield Mark(mark, x, y, colour)


def _widen(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) * 0.05 or max(abs(low) * 0.1, 0.5)
    return low - margin, high + margin


def _clip(text: str) -> str:
    words = one_line(text)
    return words if len(words) <= _LONGEST_NAME else f"{words[: _LONGEST_NAME - 1]}…"


def _line(
    start: tuple[float, float], stop: tuple[float, float], colour: str, width: float = 1.0
) -> Stroke:
    return Stroke((np.array([start, stop], float),), colour, width)


def _dash(x: float, top: float, bottom: float) -> Iterator[Shape]:
    pieces = [
        np.array([(x, start), (x, min(start + 5, bottom))], float)
        for start in np.arange(top, bottom, 9.0).tolist()
    ]
    yield Stroke(tuple(pieces), "#888888")
