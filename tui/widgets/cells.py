"""A widget that is painted as lines of text, and draws again only the lines that changed."""

from abc import abstractmethod
from itertools import groupby, zip_longest
from operator import itemgetter

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.glyphs import UNICODE, Glyphs
from tui.styled_text import Line, Piece, width_of
from tui.terminal_abilities import PLAIN


class Cells(Widget):
    """Subclasses say in `paint` what they show, and call `repaint` when that may be another."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[list[Piece]] = []
        self._strips: list[Strip] | None = None
        """None where they must be painted anew."""
        self._styles: dict[str, Style] = {}

    @property
    def glyphs(self) -> Glyphs:
        """The characters to draw with: the dashboard's."""
        glyphs: Glyphs = getattr(self.app, "glyphs", UNICODE)
        return glyphs

    @abstractmethod
    def paint(self, width: int, height: int) -> list[Line]:
        """The lines to show in `width` by `height` cells. Must not touch a disk."""

    def repaint(self) -> None:
        """Paint again; lines that are the same are not drawn again."""
        width, height = self.content_size
        if not self.is_mounted or width <= 0 or height <= 0:
            return
        before, strips = self._lines, self._strips or []
        lines = [list(line) for line in self.paint(width, height)[:height]]
        changed = [y for y, (old, new) in enumerate(zip_longest(before, lines)) if old != new]
        if changed:
            unchanged = {
                y: strip
                for y, strip in enumerate(strips)
                if y < len(lines) and strip.cell_length == width and lines[y] == before[y]
            }
            self._lines = lines
            self._strips = [
                unchanged[y] if y in unchanged else self._strip(line, width)
                for y, line in enumerate(lines)
            ]
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def redraw(self) -> None:
        """Draw all of it again, as after a change of glyphs."""
        self._strips = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        if self._strips is None:
            self._strips = self._paint_all(width)
        if y < len(self._strips) and self._strips[y].cell_length == width:
            return self._strips[y]
        return Strip.blank(width, self._style(""))

    def on_resize(self) -> None:
        self.redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self._strips = None

    def _paint_all(self, width: int) -> list[Strip]:
        height = self.content_size.height
        self._lines = [list(line) for line in self.paint(width, height)[:height]]
        return [self._strip(line, width) for line in self._lines]

    def _strip(self, line: Line, width: int) -> Strip:
        """A line, cut or filled to `width`; a row's `cursor` role lies under all its pieces."""
        under = next((role for _, role in line if role in ("cursor", "blurred")), "")
        segments, room = [], width
        plain = self.glyphs.is_ascii
        for text, role in [("".join(text for text, _ in line), under)] if under else _joined(line):
            text = text.translate(PLAIN) if plain else text
            size = width_of(text)
            if size > room:
                text, size = set_cell_size(text, room), room
            segments.append(Segment(text, self._style(role)))
            room -= size
            if room <= 0:
                break
        segments.append(Segment(" " * room, self._style(under)))
        return Strip(segments, width)

    def _style(self, role: str) -> Style:
        if role not in self._styles:
            style = self.rich_style
            if role:
                style += self.screen.get_component_rich_style(f"cells--{role}", partial=True)
            self._styles[role] = style
        return self._styles[role]


def _joined(line: Line) -> Line:
    """The same line in as few pieces as it has roles in turn: each costs time when it is drawn."""
    joined: list[Piece] = []
    for role, pieces in groupby(line, key=itemgetter(1)):
        joined.append(("".join(text for text, _ in pieces), role))
    return joined
