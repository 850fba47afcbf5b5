"""A few lines of text that a screen sets."""

from collections.abc import Sequence

from tui.widgets.cells import Cells, Line


class Lines(Cells):
    """Shows the lines it was last given, cut at its width."""

    def __init__(self, *, id: str | None = None, classes: str | None = "line") -> None:
        super().__init__(id=id, classes=classes)
        self._shown: list[Line] = []

    def show(self, *lines: Sequence[tuple[str, str]]) -> None:
        self._shown = list(lines)
        self.repaint()

    def paint(self, width: int, height: int) -> list[Line]:
        return self._shown


class Rule(Cells):
    """A line across."""

    def __init__(self, character: str) -> None:
        super().__init__(classes="rule")
        self._character = character

    def paint(self, width: int, height: int) -> list[Line]:
        return [[(self._character * width, "dim")]]
