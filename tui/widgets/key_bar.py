"""The line at the bottom: the keys that work right now."""

from collections.abc import Sequence

from tui.styled_text import Line
from tui.widgets.cells import Cells


class KeyBar(Cells):
    """Shows as many keys as fit, whole words only; the last two (`? help`, `q leave`) first."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[str, str]] = []

    def show(self, keys: Sequence[tuple[str, str]]) -> None:
        """Faces and labels, the most wanted first; the last two are kept longest."""
        self._keys = list(keys)
        self.repaint()

    def paint(self, width: int, height: int) -> list[Line]:
        always = self._keys[-2:]
        room = width - 1 - sum(_size(key) for key in always)
        chosen = []
        for key in self._keys[:-2]:
            if _size(key) <= room:
                chosen.append(key)
                room -= _size(key)
        line: list[tuple[str, str]] = [(" ", "")]
        for face, label in [*chosen, *always]:
            line += [(face, "key"), (" ", ""), (label, "dim"), ("  ", "")]
        return [line]


def _size(key: tuple[str, str]) -> int:
    return len(key[0]) + len(key[1]) + 3
