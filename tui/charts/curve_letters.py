"""By which letters curves are known without colour, and where on a chart those stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.events.series import Floats
from tui.charts.canvas import Canvas

if TYPE_CHECKING:
    from tui.charts.curve import Curve

APART = 3
"""Cells by which the letter of every next curve stands earlier than the one before."""


def letters_of(curves: "Sequence[Curve]") -> dict[str, str]:
    """By which letter each curve is known, by label; none where one is drawn. After z comes aa.

    Points have their curve's letter as a capital.
    """
    shown = [curve for curve in curves if not curve.faint]
    names = [curve.label for curve in shown if not curve.as_points]
    names += [curve.points_of for curve in shown if curve.as_points and curve.points_of]
    letters = {name: _letter(at) for at, name in enumerate(dict.fromkeys(names))}
    if len(letters) < 2:
        return {}
    found = {curve.label: letters[curve.label] for curve in shown if curve.label in letters}
    for curve in shown:
        if curve.as_points and curve.points_of in letters:
            found[curve.label] = letters[curve.points_of].upper()
    return found


def _letter(at: int) -> str:
    text, left = "", at + 1
    while left:
        left, rest = divmod(left - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A line on a canvas that has a letter; points as shares of the canvas, in order, finite."""

    letter: str
    role: int
    x: Floats
    y: Floats


def put_letters(lines: Sequence[Named], canvas: Canvas) -> None:
    """Each letter at the end of its line, or a little earlier: where it hides no other one."""
    taken: set[tuple[int, int]] = set()
    for order, line in enumerate(lines):
        if not len(line.x):
            continue
        columns, rows = _places(line, order, canvas)
        size = len(line.letter)
        for column, row in zip(columns, rows, strict=True):
            around = {(row, at) for at in range(column - 1, column + size + 1)}
            if not around & taken:
                break
        else:
            column, row = columns[0], rows[0]
        taken |= {(row, at) for at in range(column, column + size)}
        canvas.write(column, row, line.role, line.letter)


def _places(line: Named, order: int, canvas: Canvas) -> tuple[list[int], list[int]]:
    """Columns and rows where its letter may stand, the best one first."""
    count = canvas.cells.shape[1]
    most = max(count - len(line.letter), 0)
    ends = np.rint(np.array([line.x[0], line.x[-1]]) * (count - 1)).clip(0, most)
    first, last = ends.astype(np.int64).tolist()
    inside = list(range(last, first - 1, -1))
    away = APART * order % len(inside)
    outside = [at for at in range(most + 1) if not first <= at <= last]
    outside.sort(key=lambda at: max(first - at, at - last))
    columns = [*inside[away:], *inside[:away], *outside]
    heights = np.interp(np.array(columns) / max(count - 1, 1), line.x, line.y)
    return columns, canvas.rows_at(heights).tolist()
