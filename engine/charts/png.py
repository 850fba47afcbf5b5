"""A sketch of a chart as a PNG file, drawn by Pillow. Import it only where a PNG is asked for.

Lines and marks are drawn larger and made smaller, which smooths them: Pillow itself draws whole
pixels. Words are in the font that Pillow brings, so no file of a font is needed.
"""

import io
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from engine.charts.figure import INK, Mark, Sketch, Stroke, Words

SCALE = 2
"""Pixels to a unit of the sketch."""
_FINER = 4
"""Dots to a pixel, across and down, while lines and marks are drawn."""
_DOTS = SCALE * _FINER
_TEXT, _TITLE = 13, 16
"""Heights of letters in units, as in the SVG."""
_MOST_LETTERS = 300
"""Of one text; more is wider than any page."""
_SPELLED = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "“": '"', "”": '"', "’": "'", "\N{MICRO SIGN}": "u",
     "\n": " "}
)  # fmt: skip
"""What the font has no letter for, in letters that it has."""
_UNASSIGNED = "\U000effff"
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
_OUTLINES = {
    "square": ((-4, -4), (4, -4), (4, 4), (-4, 4), (-4, -4)),
    "diamond": ((0, -5), (5, 0), (0, 5), (-5, 0), (0, -5)),
    "triangle": ((0, -5), (5, 4), (-5, 4), (0, -5)),
}
_ARMS = {
    "cross": (((-4, -4), (4, 4)), ((4, -4), (-4, 4))),
    "plus": (((-5, 0), (5, 0)), ((0, -5), (0, 5))),
}

_Points = npt.NDArray[np.float64]
_Draw = Callable[[ImageDraw.ImageDraw, tuple[float, float]], None]
"""Draws in dots, on a part of the page whose corner is at the given dot."""


def paint(sketch: Sketch) -> bytes:
    """The file: eight bits for each of three colours, on white."""
    canvas = _Canvas(sketch.width * SCALE, sketch.height * SCALE)
    for shape in sketch.shapes:
        if isinstance(shape, Words):
            canvas.write(shape)
        elif isinstance(shape, Stroke):
            canvas.line(shape.pieces, shape.width, shape.colour, shape.opacity)
        else:
            canvas.mark(shape)
    file = io.BytesIO()
    canvas.image.save(file, "PNG")
    return file.getvalue()


class _Canvas:
    """White pixels, and how shapes come onto them."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), "white")
        self._draw = ImageDraw.Draw(self.image)

    def line(
        self, pieces: Sequence[_Points], width: float, colour: str, opacity: float = 1.0
    ) -> None:
        """Round at its ends and bends, as in the SVG."""

        def draw(page: ImageDraw.ImageDraw, corner: tuple[float, float]) -> None:
            for piece in pieces:
                _draw_line(page, piece * _DOTS - corner, width * _DOTS)

        self._cover(np.concatenate([*pieces, np.empty((0, 2))]), width, draw, colour, opacity)

    def mark(self, mark: Mark) -> None:
        centre = np.array([(mark.x, mark.y)])
        if mark.shape == "circle":
            self.line([centre], 8, mark.colour)
        elif mark.shape in _OUTLINES:
            corners = np.array(_OUTLINES[mark.shape], float) + centre

            def fill(page: ImageDraw.ImageDraw, corner: tuple[float, float]) -> None:
                page.polygon(_flat(corners * _DOTS - corner), fill=255)

            self._cover(corners, 0, fill, mark.colour)
            self.line([corners], 1.8, mark.colour)
        else:
            self.line(
                [np.array(arm, float) + centre for arm in _ARMS[mark.shape]], 1.8, mark.colour
            )

    def write(self, words: Words) -> None:
        font = _font(_TITLE if words.title else _TEXT)
        text = _spelled(words.text)
        if words.anchor == "start":
            text = _shortened(text, font, self.image.width - words.x * SCALE)
        self._draw.text(
            (words.x * SCALE, words.y * SCALE),
            text,
            fill=INK,
            font=font,
            anchor=_ANCHORS[words.anchor],
            stroke_width=0.6 if words.title else 0,  # bold
        )

    def _cover(
        self, points: _Points, width: float, draw: _Draw, colour: str, opacity: float = 1.0
    ) -> None:
        """Give the colour to what `draw` covers, no farther than `width` from `points`."""
        if not len(points):
            return
        reach = width / 2 * SCALE + 1
        low = np.maximum(np.floor(points.min(axis=0) * SCALE - reach), 0).astype(int)
        high = np.ceil(points.max(axis=0) * SCALE + reach).astype(int)
        left, top = low.tolist()
        right, bottom = np.minimum(high, self.image.size).tolist()
        if left >= right or top >= bottom:
            return
        mask = Image.new("L", ((right - left) * _FINER, (bottom - top) * _FINER))
        draw(ImageDraw.Draw(mask), (left * _FINER, top * _FINER))
        mask = mask.reduce(_FINER)
        if opacity < 1:
            mask = mask.point(lambda cover: cover * opacity)
        self.image.paste(colour, (left, top), mask)


def _draw_line(page: ImageDraw.ImageDraw, points: _Points, width: float) -> None:
    for start, stop in pairwise(points):
        page.line(_flat((start, stop)), fill=255, width=round(width))
    for x, y in points:
        page.circle((float(x), float(y)), width / 2, fill=255)


def _flat(points: Iterable[_Points]) -> list[float]:
    return [float(number) for point in points for number in point]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * SCALE)


def _spelled(text: str) -> str:
    """Accents fall away; what the font still has no letter for is written as its code point.

    The font draws all such letters as the same box: two names would look alike.
    """
    plain = unicodedata.normalize("NFKD", text[:_MOST_LETTERS].translate(_SPELLED))
    letters = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(
        letter if letter.isascii() or _has_letter(letter) else f"<U+{ord(letter):04X}>"
        for letter in letters
    )


@cache
def _has_letter(letter: str) -> bool:
    """Whether the font has it: what it lacks it draws as it draws an unassigned code point."""
    font = _font(_TEXT)
    return bytes(font.getmask(letter)) != bytes(font.getmask(_UNASSIGNED))


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}...") > room:
        text = text[:-1]
    return f"{text}..."
