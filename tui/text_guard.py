"""The last boundary before the terminal: every cell crosses it, whoever made its text.

Texts are cleaned where they come in (`engine.text`). What was forgotten there arrives here, as a
line of a widget, and no control character passes. Nor does any character beyond ASCII, where the
terminal shows no other. Owns no drawing.
"""

from collections.abc import Callable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from engine.text import is_safe, one_line
from tui.terminal_abilities import PLAIN

_LIKE = PLAIN | str.maketrans("─━═▔▁│┃▏▎▍▕╭╮╰╯┌┐└┘█▌▐▊▋▉", "-----||||||++++++++######")
"""With what Textual draws borders and scroll bars with."""


class TextGuard(LineFilter):
    """Makes control characters of a line visible, in the cells that it has.

    Textual applies it to each line of each widget, its borders and titles too.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._passes: Callable[[str], bool] = str.isascii if ascii_only else lambda _: True

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.control or self._is_safe(segment.text) for segment in segments):
            return segments
        return [self._guard(segment) for segment in segments]

    def _is_safe(self, text: str) -> bool:
        return is_safe(text) and self._passes(text)

    def _guard(self, segment: Segment) -> Segment:
        if segment.control or self._is_safe(segment.text):
            return segment
        # Marks are wider than what they stand for; a longer line would push others aside.
        text = set_cell_size(one_line(segment.text), segment.cell_length)
        return Segment(text if self._passes(text) else _to_ascii(text), segment.style)


def _to_ascii(text: str) -> str:
    """A clean text in ASCII and in as many cells; `?` where nothing is like it."""
    return "".join(one if one.isascii() else "?" * cell_len(one) for one in text.translate(_LIKE))
