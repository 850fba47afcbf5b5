"""The last boundary before the terminal: every cell crosses it, whoever made its text.

Texts are cleaned where they come in (`engine.text`). What was forgotten there arrives here, as a
line of a widget, and no control character passes. Owns no drawing.
"""

from rich.cells import set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from engine.text import is_safe, one_line


class TextGuard(LineFilter):
    """Makes control characters of a line visible, in the cells that it has.

    Textual applies it to each line of each widget, its borders and titles too.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.control or is_safe(segment.text) for segment in segments):
            return segments
        return [_guard(segment) for segment in segments]


def _guard(segment: Segment) -> Segment:
    if segment.control or is_safe(segment.text):
        return segment
    # Marks are wider than what they stand for; a longer line would push others aside.
    return Segment(set_cell_size(one_line(segment.text), segment.cell_length), segment.style)
