"""A sketch of a chart as a PNG file, by numpy and zlib alone: the light install has no rasteriser.

Lines and marks are smoothed by how much of a pixel they cover; words are in letters of our own.
"""

import struct
import zlib
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engine.charts import bitmap_font
from engine.charts.figure import INK, Mark, Sketch, Stroke, Words

SCALE = 2
"""Pixels to a unit of the sketch."""
_LETTER = 3  # pixels to one of a letter's
_SUPER = 4  # by which letters are drawn larger, to round their corners

_Points = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.float64]


def paint(sketch: Sketch) -> bytes:
    """The file: eight bits for each of three colours."""
    canvas = _Canvas(sketch.width * SCALE, sketch.height * SCALE)
    for shape in sketch.shapes:
        if isinstance(shape, Words):
            canvas.write(shape)
        elif isinstance(shape, Stroke):
            points = [piece * SCALE for piece in shape.pieces]
            canvas.line(points, shape.width * SCALE, shape.colour, shape.opacity)
        else:
            canvas.mark(shape)
    return _file(canvas.pixels)


class _Canvas:
    """White pixels, and how shapes come onto them."""

    def __init__(self, width: int, height: int) -> None:
        self.pixels = np.full((height, width, 3), 255.0)
        self._mask = np.zeros((height, width))
        self._touched: list[int] | None = None
        """Top, bottom, left and right of what the mask covers."""

    def line(self, pieces: list[_Points], width: float, colour: str, opacity: float = 1.0) -> None:
        half = width / 2
        for piece in pieces:
            for start, stop in pairwise(piece) if len(piece) > 1 else [(piece[0], piece[0])]:
                self._cover(start, stop, half)
        self._blend(colour, opacity)

    def mark(self, mark: Mark) -> None:
        x, y = mark.x * SCALE, mark.y * SCALE
        outline = {
            "square": [(-4, -4), (4, -4), (4, 4), (-4, 4), (-4, -4)],
            "diamond": [(0, -5), (5, 0), (0, 5), (-5, 0), (0, -5)],
            "triangle": [(0, -5), (5, 4), (-5, 4), (0, -5)],
        }.get(mark.shape)
        if outline is not None:
            corners = np.array(outline, float) * SCALE + (x, y)
            self._fill(corners)
            self.line([corners], 1.8 * SCALE, mark.colour)
        elif mark.shape == "circle":
            centre = np.array([(x, y)])
            self.line([centre], 2 * 4 * SCALE, mark.colour)
        else:
            arms = [(-4, -4, 4, 4), (4, -4, -4, 4)]
            arms = arms if mark.shape == "cross" else [(-5, 0, 5, 0), (0, -5, 0, 5)]
            lines = [np.array(one, float).reshape(2, 2) * SCALE + (x, y) for one in arms]
            self.line(lines, 1.8 * SCALE, mark.colour)

    def write(self, words: Words) -> None:
        text = bitmap_font.spelled(words.text)
        room = self.pixels.shape[1] - round(words.x * SCALE)
        most = max(room // (bitmap_font.ADVANCE * _LETTER), 1)
        if words.anchor == "start" and len(text) > most:
            text = text[: max(most - 3, 0)] + "..."
        drawn = _rounded(bitmap_font.bitmap(text))
        if words.title:  # bold: once more, a little to the right
            drawn = np.maximum(drawn, np.roll(drawn, 1, axis=1))
        share = {"start": 0.0, "middle": 0.5, "end": 1.0}[words.anchor]
        x = round(words.x * SCALE - share * drawn.shape[1])
        y = round(words.y * SCALE) - bitmap_font.HEIGHT * _LETTER
        box = self._mask[max(y, 0) : y + drawn.shape[0], max(x, 0) : x + drawn.shape[1]]
        part = drawn[max(-y, 0) :, max(-x, 0) :][: box.shape[0], : box.shape[1]]
        np.maximum(box, part, out=box)
        self._touch(max(y, 0), max(y, 0) + box.shape[0], max(x, 0), max(x, 0) + box.shape[1])
        self._blend(INK, 1.0)

    def _cover(self, start: _Points, stop: _Points, half: float) -> None:
        """How much of each pixel lies within `half` of a straight line."""
        height, width = self._mask.shape
        reach = half + 1
        left, right = _between(start[0], stop[0], reach, width)
        top, bottom = _between(start[1], stop[1], reach, height)
        if left >= right or top >= bottom:
            return
        x = np.arange(left, right) + 0.5 - start[0]
        y = (np.arange(top, bottom) + 0.5 - start[1])[:, None]
        along = stop - start
        size = float(along @ along)
        share = np.clip((x * along[0] + y * along[1]) / size, 0, 1) if size else 0.0
        distance = np.hypot(x - share * along[0], y - share * along[1])
        box = self._mask[top:bottom, left:right]
        np.maximum(box, np.clip(half + 0.5 - distance, 0, 1), out=box)
        self._touch(top, bottom, left, right)

    def _fill(self, corners: _Points) -> None:
        """The inside of a convex outline whose corners go round clockwise on the page."""
        low, high = corners.min(axis=0), corners.max(axis=0)
        height, width = self._mask.shape
        left, right = _between(low[0], high[0], 1, width)
        top, bottom = _between(low[1], high[1], 1, height)
        x = np.arange(left, right) + 0.5
        y = (np.arange(top, bottom) + 0.5)[:, None]
        inside = np.ones((max(bottom - top, 0), max(right - left, 0)))
        for start, stop in pairwise(corners):
            along = (stop - start) / np.hypot(*(stop - start))
            depth = along[0] * (y - start[1]) - along[1] * (x - start[0])
            np.minimum(inside, np.clip(depth + 0.5, 0, 1), out=inside)
        box = self._mask[top:bottom, left:right]
        np.maximum(box, inside, out=box)
        self._touch(top, bottom, left, right)

    def _touch(self, top: int, bottom: int, left: int, right: int) -> None:
        known = self._touched or [top, bottom, left, right]
        self._touched = [min(known[0], top), max(known[1], bottom),
                         min(known[2], left), max(known[3], right)]  # fmt: skip

    def _blend(self, colour: str, opacity: float) -> None:
        """What the mask covers takes on the colour; the mask is empty again."""
        if self._touched is None:
            return
        top, bottom, left, right = self._touched
        box = np.s_[top:bottom, left:right]
        cover = self._mask[box][..., None] * opacity
        ink = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], float)
        self.pixels[box] += (ink - self.pixels[box]) * cover
        self._mask[box] = 0
        self._touched = None


def _between(one: float, other: float, reach: float, most: int) -> tuple[int, int]:
    low, high = min(one, other) - reach, max(one, other) + reach
    return max(int(low), 0), min(int(high) + 1, most)


def _rounded(bitmap: _Mask) -> _Mask:
    """Letters in pixels, their corners rounded: blurred while large, made sharp, then smaller."""
    large = np.kron(bitmap, np.ones((_LETTER * _SUPER, _LETTER * _SUPER)))
    reach = _LETTER * _SUPER // 3
    for axis in (0, 1):
        large = sum(
            (np.roll(large, away, axis=axis) for away in range(-reach, reach + 1)),
            np.zeros_like(large),
        ) / (2 * reach + 1)
    sharp = np.clip((large - 0.5) * 6 + 0.5, 0, 1)
    rows, columns = sharp.shape
    parts = sharp.reshape(rows // _SUPER, _SUPER, columns // _SUPER, _SUPER)
    return np.asarray(parts.mean(axis=(1, 3)), float)


def _file(pixels: npt.NDArray[np.float64]) -> bytes:
    """PNG of the W3C's recommendation: header, one compressed block of rows, end."""
    height, width, _ = pixels.shape
    bytes_ = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), bytes_.reshape(height, -1)], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 6)
    chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
