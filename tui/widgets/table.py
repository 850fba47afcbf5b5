"""A list of rows in columns: one is chosen, and stays chosen by its key when rows move.

Columns fall away from the right where there is no room. Owns no data: the screen makes the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from tui.styled_text import Line, Piece, fit, length, pad
from tui.widgets.cells import Cells


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    least: int
    """Cells it needs; where they are lacking it falls away."""
    most: int = 0
    """Cells it takes where there is room; 0 is `least`."""
    right: bool = False


@dataclass(frozen=True, slots=True)
class TableRow:
    key: str
    cells: tuple[tuple[Piece, ...], ...]
    """Of each column, clean text in pieces; where they are fewer, the last takes the rest."""
    dim: bool = False
    marked: bool = False
    """Chosen beside the chosen one, to be compared with it."""
    pinned: bool = False
    """Always on top."""

    @property
    def text(self) -> str:
        """All its cells, to be searched for a word in lower case."""
        return " ".join(text for cell in self.cells for text, _ in cell).casefold()


class Table(Cells, can_focus=True):
    """Columns, rows, and one chosen row; emits RowHighlighted when that changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    class RowHighlighted(Message):
        """Another row is the chosen one."""

        def __init__(self, table: "Table", key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> "Table":
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "",
        head: bool = True,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.empty = empty
        self._head = head
        self.sorted_by = ""
        """Title of the column that the rows are sorted by, which the head marks; or none."""
        self.descending = False
        self._keys: tuple[str, ...] = ()
        self._make: Callable[[int], TableRow] = _no_row
        self._at = 0
        self._top = 0
        self._painted: dict[str, tuple[TableRow, bool, Line]] = {}
        """The lines in sight, each with its row and whether that was the chosen one."""
        self._cache_key: object = None

    @property
    def chosen(self) -> str | None:
        """The key of the chosen row."""
        return self._keys[self._at] if self._keys else None

    @property
    def place(self) -> int:
        """How many rows stand above the chosen one."""
        return self._at

    def show(self, rows: Sequence[TableRow]) -> None:
        """Replace the rows; the chosen one is kept by its key, else by its place."""
        kept = tuple(rows)
        self.show_later([row.key for row in kept], kept.__getitem__)

    def show_later(self, keys: Sequence[str], make: Callable[[int], TableRow]) -> None:
        """Replace the rows by those of these keys; each is asked for by its place when in sight."""
        before = self.chosen
        self._keys, self._make = tuple(keys), make
        found = self._keys.index(before) if before in self._keys else None
        self._at = max(0, min(self._at, len(self._keys) - 1)) if found is None else found
        self.repaint()
        if self.chosen != before:
            self.post_message(self.RowHighlighted(self, self.chosen))

    def choose(self, key: str | None) -> bool:
        """Choose the row of that key; False where there is none."""
        if key is None or key not in self._keys:
            return False
        self._go(self._keys.index(key))
        return True

    def paint(self, width: int, height: int) -> list[Line]:
        widths = self._widths(width)
        lines: list[Line] = []
        if self._head:
            lines.append(self._headline(widths))
        if not self._keys:
            return [*lines, [(f" {self.empty}", "dim")]]
        room = max(1, height - len(lines))
        self._top = max(0, min(self._top, self._at, len(self._keys) - room))
        self._top = max(self._top, self._at - room + 1)
        cache_key = (tuple(widths), self.columns, self.has_focus, self.glyphs)
        before = self._painted if cache_key == self._cache_key else {}
        self._cache_key, self._painted = cache_key, {}
        for at in range(self._top, min(self._top + room, len(self._keys))):
            row, chosen = self._make(at), at == self._at
            known = before.get(row.key)
            if known is None or known[0] is not row or known[1] != chosen:
                known = row, chosen, self._line(row, widths, chosen=chosen)
            self._painted[row.key] = known
            lines.append(known[2])
        return lines

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def action_move(self, by: int) -> None:
        self._go(self._at + by)

    def action_page(self, by: int) -> None:
        self._go(self._at + by * max(1, self.content_size.height - 2))

    def on_click(self, event: Click) -> None:
        at = self._top + event.y - (1 if self._head else 0)
        if 0 <= at < len(self._keys):
            self._go(at)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self._go(self._at + 1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self._go(self._at - 1)

    def _go(self, at: int) -> None:
        at = max(0, min(at, len(self._keys) - 1))
        if self._keys and at != self._at:
            self._at = at
            self.repaint()
            self.post_message(self.RowHighlighted(self, self.chosen))

    @property
    def _gap(self) -> int:
        return 2 if self.content_size.width >= 100 else 1

    def _widths(self, width: int) -> list[int]:
        """Cells of each column that stays; the first always does and takes what is left over."""
        count = len(self.columns)
        gap = self._gap
        while count > 1 and sum(one.least + gap for one in self.columns[:count]) + 2 > width:
            count -= 1
        widths = [one.least for one in self.columns[:count]]
        spare = width - sum(widths) - gap * count - 2
        for at, one in enumerate(self.columns[:count]):
            more = max(0, min(spare, (one.most or one.least) - one.least))
            widths[at] += more
            spare -= more
        if count == 1:
            widths[0] = max(1, width - 4)
        return [each + gap for each in widths]

    def _headline(self, widths: list[int]) -> Line:
        gap = self._gap
        line: list[Piece] = [("  ", "dim")]
        for column, width in zip(self.columns, widths, strict=False):
            title, role = column.title, "dim"
            if title == self.sorted_by:
                sign = self.glyphs.falling if self.descending else self.glyphs.rising
                title, role = f"{title} {sign}", "strong"
            title = fit(title, width - gap, self.glyphs.ellipsis)
            line.append((pad(title, width - gap, right=column.right) + " " * gap, role))
        return line

    def _line(self, row: TableRow, widths: list[int], *, chosen: bool) -> Line:
        gap = self._gap
        cursor = ">" if chosen else " "
        under = ("cursor" if self.has_focus else "blurred") if chosen else ""
        glyphs = self.glyphs
        beside = glyphs.point if row.marked else glyphs.pin if row.pinned else " "
        line: list[Piece] = [(f"{cursor}{beside}", under)]
        last = len(row.cells) - 1
        for at, (column, pieces) in enumerate(zip(self.columns, row.cells, strict=False)):
            if at >= len(widths):
                break
            # A row of fewer cells than columns has something to say instead of the rest.
            room = (sum(widths[at:]) if at == last else widths[at]) - gap
            cut, taken = _cut(pieces, room, glyphs.ellipsis)
            blank = " " * max(0, room - taken)
            parts = [(text, "dim" if row.dim else role) for text, role in cut]
            if column.right and last == len(self.columns) - 1:
                line += [(blank, ""), *parts, (" " * gap, "")]
            else:
                line += [*parts, (blank + " " * gap, "")]
        return line


def _no_row(at: int) -> TableRow:
    raise IndexError(at)


def _cut(pieces: Sequence[Piece], room: int, ellipsis: str) -> tuple[Sequence[Piece], int]:
    """The pieces in at most `room` cells, and how many they take."""
    taken = length(pieces)
    if taken <= room:
        return pieces, taken
    cut: list[Piece] = []
    for text, role in pieces:
        if length(cut) >= room:
            break
        cut.append((fit(text, room - length(cut), ellipsis), role))
    return cut, length(cut)
