"""A scatter chart as a widget: it shows the points that it was last given. Owns no cursor: which
point is chosen is that of a list beside it."""

from collections.abc import Sequence

from tui.charts.scatter import ScatterPoint, draw_scatter
from tui.styled_text import Line
from tui.widgets.cells import Cells


class ScatterView(Cells):
    def __init__(self, names: tuple[str, str], *, id: str | None = None) -> None:
        """`names` of the axes x and y, clean."""
        super().__init__(id=id)
        self._names = names
        self._points: tuple[ScatterPoint, ...] = ()
        self._chosen: int | None = None

    def show(self, points: Sequence[ScatterPoint], chosen: int | None) -> None:
        """Replace the points; `chosen` is the place of the one whose intervals are drawn."""
        self._points, self._chosen = tuple(points), chosen
        self.repaint()

    def paint(self, width: int, height: int) -> list[Line]:
        if not self._points:
            return []
        return draw_scatter(self._points, self._chosen, self._names, width, height, self.glyphs)
