"""Points in a plane drawn into cells: axes, lines of 0, a front that joins some, intervals of one.

Refuses screens and disks; units are the caller's, both axes have the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from engine.events.series import Floats
from tui.charts.axes import AxisRange, nice_step
from tui.charts.canvas import Canvas
from tui.charts.plotext_frame import MARGIN, frame, is_framed
from tui.glyphs import Glyphs
from tui.styled_text import Line

Interval = tuple[float, float]
_STEPS = 10
"""Of an axis at most, by which its ends are rounded."""
_NO_SPAN = 1e-9
_ROLES = ("", "dim", "base", "dim", "tuned", "pick", "key")
_AXIS, _ZERO, _FRONT, _POINT, _CHOSEN, _CROSS = 1, 2, 3, 4, 5, 6
"""Places in _ROLES."""


@dataclass(frozen=True, slots=True)
class ScatterPoint:
    x: float
    y: float
    letter: str
    """A character or two that it is known by; empty: it is drawn as a dot."""
    x_interval: Interval | None = None
    y_interval: Interval | None = None
    is_on_front: bool = False


def draw_scatter(
    points: Sequence[ScatterPoint],
    chosen: int | None,
    names: tuple[str, str],
    width: int,
    height: int,
    glyphs: Glyphs,
) -> list[Line]:
    """Lines of `width` by `height` cells; `chosen` is the place of the point whose intervals are
    shown, `names` those of the axes x and y, clean.

    The axes hold 0 and the intervals of all points, so that they stay while another is chosen.
    Letters that fall on one another stand side by side.
    """
    x_axis, y_axis = (
        _fit([(one.x, one.x_interval) for one in points]),
        _fit([(one.y, one.y_interval) for one in points]),
    )
    framed = is_framed(width, height)
    left, rows = (MARGIN + 1, height - 2) if framed else (0, height)
    cells = frame(x_axis, y_axis, width, height, plain=glyphs.is_ascii).copy()
    roles = np.full(cells.shape, _AXIS)
    canvas = Canvas(cells[:rows, left:], roles[:rows, left:])
    canvas.down(_share(0, x_axis), _ZERO, glyphs.restart)
    canvas.across(_share(0, y_axis), _ZERO, glyphs.level)
    _write_names(canvas, names, glyphs)
    _draw_front(canvas, points, x_axis, y_axis, glyphs)
    if chosen is not None:
        _draw_cross(canvas, points[chosen], x_axis, y_axis, glyphs)
    _put_points(canvas, points, chosen, x_axis, y_axis)
    texts = [line.tobytes().decode("utf-32-le") for line in cells]
    return [_pieces(text, line.tolist()) for text, line in zip(texts, roles, strict=True)]


def _fit(values: Sequence[tuple[float, Interval | None]]) -> AxisRange:
    ends = [0.0]
    for value, interval in values:
        ends += [value, *(interval or ())]
    low, high = min(ends), max(ends)
    if high - low <= _NO_SPAN:
        return AxisRange(low - 1, high + 1)
    step = nice_step((high - low) / _STEPS)
    return AxisRange(math.floor(low / step) * step, math.ceil(high / step) * step)


def _share(value: float, axis: AxisRange) -> float:
    return axis.place(value, 2)


def _shares(values: Sequence[float], axis: AxisRange) -> Floats:
    return np.array([_share(value, axis) for value in values])


def _write_names(canvas: Canvas, names: tuple[str, str], glyphs: Glyphs) -> None:
    """In the lower corners, where more of one is less of the other and points are rare."""
    rows, columns = canvas.cells.shape
    across, up = f"{names[0]} {glyphs.arrow}", f"{glyphs.rising} {names[1]}"
    if len(across) + len(up) + 4 <= columns:
        canvas.write(1, rows - 1, _AXIS, up)
        canvas.write(columns - len(across) - 1, rows - 1, _AXIS, across)


def _draw_front(
    canvas: Canvas,
    points: Sequence[ScatterPoint],
    x_axis: AxisRange,
    y_axis: AxisRange,
    glyphs: Glyphs,
) -> None:
    front = sorted({(one.x, one.y) for one in points if one.is_on_front})
    if len(front) > 1:
        x, y = zip(*front, strict=True)
        character = "" if glyphs.dots else "."
        canvas.line(_shares(x, x_axis), _shares(y, y_axis), _FRONT, character)


def _draw_cross(
    canvas: Canvas, point: ScatterPoint, x_axis: AxisRange, y_axis: AxisRange, glyphs: Glyphs
) -> None:
    rows, columns = canvas.cells.shape
    if point.x_interval is not None:
        low, high = _shares(point.x_interval, x_axis).tolist()
        x = np.linspace(low, high, 2 * columns)
        canvas.scatter(x, np.full(len(x), _share(point.y, y_axis)), _CROSS, glyphs.line)
    if point.y_interval is not None:
        low, high = _shares(point.y_interval, y_axis).tolist()
        y = np.linspace(low, high, 2 * rows)
        canvas.scatter(np.full(len(y), _share(point.x, x_axis)), y, _CROSS, glyphs.pipe)


def _put_points(
    canvas: Canvas,
    points: Sequence[ScatterPoint],
    chosen: int | None,
    x_axis: AxisRange,
    y_axis: AxisRange,
) -> None:
    """The letters, the chosen one first so that it has its own place."""
    columns = canvas.cells.shape[1]
    taken: set[tuple[int, int]] = set()
    order = sorted(range(len(points)), key=lambda at: (at != chosen, not points[at].letter))
    for at in order:
        point = points[at]
        text = point.letter or "."
        (row,) = canvas.rows_at(_shares([point.y], y_axis)).tolist()
        column = round(x_axis.place(point.x, columns))
        near = sorted(range(columns - len(text) + 1), key=lambda one: abs(one - column))
        # A dot gives way to a letter, a letter stands beside another one.
        for place in near if point.letter else near[:1]:
            if not _covers(taken, row, place, text):
                role = _CHOSEN if at == chosen else _POINT if point.letter else _FRONT
                canvas.write(place, row, role, text)
                taken |= {(row, one) for one in range(place, place + len(text))}
                break


def _covers(taken: set[tuple[int, int]], row: int, column: int, text: str) -> bool:
    return any((row, one) in taken for one in range(column, column + len(text)))


def _pieces(text: str, roles: Sequence[int]) -> Line:
    """A line in pieces of one role each."""
    pieces, at = [], 0
    for role, group in groupby(roles):
        size = len(list(group))
        pieces.append((text[at : at + size], _ROLES[role]))
        at += size
    return pieces
