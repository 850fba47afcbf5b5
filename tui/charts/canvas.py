"""Cells of a picture, and how curves are set into them as dots. Knows no axes and no screen.

A cell is a character and a role. Lines are set by arrays, not point by point: a noisy curve on a
large screen has fifty thousand dots.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.events.series import Floats, Ints

_BRAILLE = 0x2800
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
"""Of a braille character: the bit of each dot, by its row from above and its column."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Cells that are drawn into, the highest row first.

    Points are shares of the canvas: 0 is the middle of its first cell from the left or from below,
    1 of its last. What lies outside is left out.
    """

    cells: npt.NDArray[np.uint32]
    """Characters, as code points."""
    roles: npt.NDArray[np.int64]

    def line(self, x: Floats, y: Floats, role: int, character: str = "") -> None:
        """Join neighbours with braille dots, or with `character`; NaN in `y` parts the line."""
        rows, columns = self.cells.shape
        across, up = (1, 1) if character else (2, 4)
        finite = np.isfinite(y)
        right = _places(x, columns * across)
        high = _places(np.where(finite, y, 0.0), rows * up)
        pairs = finite[:-1] & finite[1:]
        places, heights = _joined(right, high, np.flatnonzero(pairs))
        places = np.concatenate([places, right[finite]])
        heights = np.concatenate([heights, high[finite]])
        dots = np.zeros((rows * up, columns * across), np.bool_)
        inside = (places >= 0) & (places < dots.shape[1])
        inside &= (heights >= 0) & (heights < dots.shape[0])
        dots[dots.shape[0] - 1 - heights[inside], places[inside]] = True
        if character:
            self.cells[dots] = ord(character)
            self.roles[dots] = role
            return
        bits = np.zeros((rows, columns), np.uint32)
        for (down, over), bit in np.ndenumerate(_BITS):
            bits |= dots[down::4, over::2] * bit
        found = bits > 0
        self.cells[found] = _BRAILLE + bits[found]
        self.roles[found] = role

    def scatter(self, x: Floats, y: Floats, role: int, text: str) -> None:
        """Points of their own, each a character or a few side by side; `y` is finite."""
        rows, columns = self.cells.shape
        right, high = _places(x, columns), _places(y, rows)
        inside = (right >= 0) & (right < columns) & (high >= 0) & (high < rows)
        down, first = rows - 1 - high[inside], np.minimum(right[inside], columns - len(text))
        for over, character in enumerate(text[:columns]):
            at = down, np.maximum(first, 0) + over
            self.cells[at] = ord(character)
            self.roles[at] = role

    def rows_at(self, y: Floats) -> Ints:
        """The rows, from above, in which heights lie; what lies outside is moved to the edge."""
        rows = self.cells.shape[0]
        found: Ints = np.clip(rows - 1 - _places(y, rows), 0, rows - 1)
        return found

    def write(self, column: int, row: int, role: int, text: str) -> None:
        """A text from a cell to the right, as far as there are cells."""
        for at, character in enumerate(text[: self.cells.shape[1] - column], column):
            self.cells[row, at] = ord(character)
            self.roles[row, at] = role

    def across(self, y: float, role: int, character: str) -> None:
        """A line through all columns."""
        columns = self.cells.shape[1]
        x = np.linspace(0.0, 1.0, columns)
        self.scatter(x, np.full(columns, y), role, character)

    def down(self, x: float, role: int, character: str) -> None:
        """A line through all rows."""
        rows = self.cells.shape[0]
        self.scatter(np.full(rows, x), np.linspace(0.0, 1.0, rows), role, character)


def _places(shares: Floats, count: int) -> Ints:
    """The nearest of `count` places; a point far outside stays outside, and near enough to join."""
    shares = np.clip(shares, -1.0, 2.0)
    return np.floor(np.round(0.5 + shares * (count - 1), 8)).astype(np.int64)


def _joined(x: Ints, y: Ints, first: Ints) -> tuple[Ints, Ints]:
    """The dots between each point of `first` and the one after it."""
    dx, dy = x[first + 1] - x[first], y[first + 1] - y[first]
    counts = np.maximum(np.abs(dx), np.abs(dy))
    pair = np.repeat(np.arange(len(first)), counts)
    steps = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = steps / counts[pair]
    start = first[pair]
    over = np.rint(dx[pair] * share).astype(np.int64)
    up = np.rint(dy[pair] * share).astype(np.int64)
    return x[start] + over, y[start] + up
