"""Values in two directions as shapes on a page: points with the intervals of both, and the front
that they form. Writes no format itself.

Each point has a number beside it, and its name below; points that lie on each other share a label.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.charts.figure import COLOURS, GRID, INK, Mark, Shape, Sketch, Stroke, Words
from engine.charts.intervals import list_ticks
from engine.charts.run_colors import MARKS
from engine.text import one_line

MOST_POINTS = 60
"""That are drawn, and named below."""
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 84, 60, 64, 480
_NEAR = 12.0
"""On the page: labels of points that are closer would cover each other."""
_FRONT = "#888888"


@dataclass(frozen=True, slots=True)
class ScatterMark:
    """One value in two directions; ends that are not finite have no line."""

    name: str
    x: float
    y: float
    x_ends: tuple[float, float] = (math.nan, math.nan)
    y_ends: tuple[float, float] = (math.nan, math.nan)
    is_on_front: bool = False


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    start: float
    stop: float

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)


def sketch_scatter(title: str, points: Sequence[ScatterMark], x_label: str, y_label: str) -> Sketch:
    """Points in their order, larger being better in both directions, 0 marked in both; the first
    `MOST_POINTS` of them. The front is drawn as the edge of what its points are at least as good
    as in both. Raises ValueError where a value is not finite."""
    drawn = points[:MOST_POINTS]
    if not all(math.isfinite(value) for one in drawn for value in (one.x, one.y)):
        raise ValueError("a point of a scatter plot is not finite")
    across = _fit([value for one in drawn for value in (one.x, *one.x_ends)],
                  _LEFT, _WIDTH - _RIGHT)  # fmt: skip
    up = _fit([value for one in drawn for value in (one.y, *one.y_ends)], _BOTTOM, _TOP)
    shapes: list[Shape] = [Words(16, 26, one_line(title), title=True)]
    shapes += _draw_frame(across, up, x_label, y_label)
    places = [(across.place(one.x), up.place(one.y)) for one in drawn]
    front = [place for one, place in zip(drawn, places, strict=True) if one.is_on_front]
    if front:
        shapes.append(_draw_front(front))
    for at, one in enumerate(drawn):
        shapes += _draw_point(one, places[at], COLOURS[at % len(COLOURS)], _mark_of(at), across, up)
    shapes += _draw_labels(places)
    bottom = _BOTTOM + 66
    for at, one in enumerate(drawn):
        y = bottom + at * 20
        shapes.append(Mark(_mark_of(at), _LEFT + 8, y, COLOURS[at % len(COLOURS)]))
        tail = ", on the front" if one.is_on_front else ""
        shapes.append(Words(_LEFT + 22, y + 4, f"{at + 1}  {one_line(one.name)[:110]}{tail}"))
    if len(points) > len(drawn):
        more = f"and {len(points) - len(drawn):,} more, which are not drawn"
        shapes.append(Words(_LEFT + 22, bottom + len(drawn) * 20 + 4, more))
    rows = len(drawn) + (len(points) > len(drawn))
    return Sketch(one_line(title), _WIDTH, bottom + rows * 20 + 8, tuple(shapes))


def _mark_of(at: int) -> str:
    return MARKS[(at + at // len(COLOURS)) % len(MARKS)]


def _fit(values: Sequence[float], start: float, stop: float) -> _Axis:
    """All that is finite, and 0, with a margin."""
    finite = [0.0, *(value for value in values if math.isfinite(value))]
    low, high = min(finite), max(finite)
    margin = (high - low) * 0.06 or 1.0
    return _Axis(low - margin, high + margin, start, stop)


def _draw_frame(across: _Axis, up: _Axis, x_label: str, y_label: str) -> Iterator[Shape]:
    right = _WIDTH - _RIGHT
    for tick in list_ticks(across.low, across.high, 8):
        x = across.place(tick)
        yield _line((x, _TOP), (x, _BOTTOM), INK if tick == 0 else GRID)
        yield Words(x, _BOTTOM + 18, f"{tick:g}", "middle")
    for tick in list_ticks(up.low, up.high, 6):
        y = up.place(tick)
        yield _line((_LEFT, y), (right, y), INK if tick == 0 else GRID)
        yield Words(_LEFT - 8, y + 4, f"{tick:g}", "end")
    yield Words((_LEFT + right) / 2, _BOTTOM + 40, one_line(x_label), "middle")
    yield Words(16, _TOP - 6, one_line(y_label))


def _draw_front(places: Sequence[tuple[float, float]]) -> Stroke:
    """From the point that gained least to the one that gained most, in steps."""
    ordered = sorted(set(places))
    path = [ordered[0]]
    for place in ordered[1:]:
        path += [(path[-1][0], place[1]), place]
    return Stroke((np.array(path, float),), _FRONT, 1.5)


def _draw_point(
    point: ScatterMark,
    place: tuple[float, float],
    colour: str,
    mark: str,
    across: _Axis,
    up: _Axis,
) -> Iterator[Shape]:
    x, y = place
    ways: tuple[tuple[tuple[float, float], Callable[[float], tuple[float, float]]], ...] = (
        (point.x_ends, lambda end: (across.place(end), y)),
        (point.y_ends, lambda end: (x, up.place(end))),
    )
    for ends, place_end in ways:
        if all(map(math.isfinite, ends)):
            yield Stroke(_pieces(place_end(ends[0]), place_end(ends[1])), colour, 1.2, 0.7)
    yield Mark(mark, x, y, colour)


def _draw_labels(places: Sequence[tuple[float, float]]) -> Iterator[Words]:
    """Numbers of points, from 1 on; those of points that are near each other as one label."""
    left = list(range(len(places)))
    while left:
        x, y = places[left[0]]
        near = [at for at in left if math.dist(places[at], (x, y)) < _NEAR]
        left = [at for at in left if at not in near]
        yield Words(x + 8, y - 8, ", ".join(str(at + 1) for at in near))


def _line(start: tuple[float, float], stop: tuple[float, float], colour: str) -> Stroke:
    return Stroke(_pieces(start, stop), colour)


def _pieces(start: tuple[float, float], stop: tuple[float, float]) -> tuple[np.ndarray, ...]:
    return (np.array([start, stop], float),)
