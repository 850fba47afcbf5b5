"""A thin frame around lines that are painted: its title above, and nothing touching its border."""

from collections.abc import Sequence

from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece, length
from tui.widgets.lines import shorten

EDGES = 4
"""Cells that the frame and the blank columns inside it take from the width."""


def framed(
    lines: Sequence[Line], title: Line, width: int, height: int, glyphs: Glyphs
) -> list[Line]:
    """`lines` in a frame of `width` by `height` cells; what does not fit is cut."""
    top_left, top_right, bottom_left, bottom_right = tuple(glyphs.corners)
    room = width - EDGES
    head = list(shorten(title, room - 2, glyphs.ellipsis))
    bar = glyphs.line * max(0, width - 4 - length(head) - 1)
    made: list[Line] = [
        [(f"{top_left}{glyphs.line} ", "dim"), *head, (f" {bar}{top_right}", "dim")]
    ]
    inner = [*lines[: height - 2], *([[]] * (height - 2 - len(lines)))]
    for line in inner:
        pieces: list[Piece] = list(shorten(line, room, glyphs.ellipsis))
        blank = " " * max(0, room - length(pieces))
        made.append([(f"{glyphs.pipe} ", "dim"), *pieces, (f"{blank} {glyphs.pipe}", "dim")])
    made.append([(f"{bottom_left}{glyphs.line * (width - 2)}{bottom_right}", "dim")])
    return made
