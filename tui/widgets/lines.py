"""A few lines of text that a screen sets, and a rule."""

from tui.styled_text import Line, Piece, fit, length
from tui.widgets.cells import Cells


class Lines(Cells):
    """Shows the lines it was last given. Where one is too long, whole facts fall away."""

    def __init__(self, *, id: str | None = None, classes: str | None = "line") -> None:
        super().__init__(id=id, classes=classes)
        self._shown: list[Line] = []

    def show(self, *lines: Line) -> None:
        self._shown = list(lines)
        self.repaint()

    def paint(self, width: int, height: int) -> list[Line]:
        return [shorten(line, width, self.glyphs.ellipsis) for line in self._shown]


def shorten(line: Line, width: int, ellipsis: str) -> Line:
    """`line` in `width` cells: pieces fall away from the right, a label goes with its value.

    A long last piece is cut between words instead, where enough of it fits to be worth reading.
    """
    if length(line) <= width:
        return line
    kept: list[Piece] = []
    room = width
    for text, role in line:
        if length([(text, role)]) > room:
            head = fit(text, room, "").rsplit(" ", 1)[0] if room > 24 and " " in text else ""
            return [*kept, (head + ellipsis, role)] if head.strip() else _without_label(kept)
        kept.append((text, role))
        room -= length([(text, role)])
    return kept


def _without_label(kept: list[Piece]) -> list[Piece]:
    while len(kept) > 1 and kept[-1][0].endswith(" ") and kept[-1][1] == "dim":
        kept.pop()
    return kept


class Rule(Cells):
    """A line across."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="rule")

    def paint(self, width: int, height: int) -> list[Line]:
        return [[(self.glyphs.line * width, "dim")]]
