"""A pane of tokens as blocks, with a cursor that walks them; and its title."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from engine.tokenizers.tokenizer_output import Token
from tui.styled_text import Line
from tui.tokens.token_text import Face, Part, lay_out
from tui.widgets.cells import Cells
from tui.widgets.lines import Lines


class Blocks(Cells, can_focus=True):
    """Tokens, laid out for its width. Emits Moved when the cursor is on another one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move_lines(-1)", show=False),
        Binding("down,j", "move_lines(1)", show=False),
        Binding("pageup,ctrl+u", "move_pages(-1)", show=False),
        Binding("pagedown,ctrl+d,space", "move_pages(1)", show=False),
        Binding("home", "step(-1000000)", show=False),
        Binding("end", "step(1000000)", show=False),
    ]

    class Moved(Message):
        """Another token is the one that is looked at."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.tokens: tuple[Token, ...] = ()
        self._face: Face = "text"
        self._instead: Sequence[Line] = ()
        self._at = 0
        self._top = 0
        self._laid: tuple[object, list[list[Part]]] | None = None

    @property
    def at(self) -> int:
        """Which token the cursor is on."""
        return min(self._at, max(0, len(self.tokens) - 1))

    def show(self, tokens: tuple[Token, ...], face: Face, instead: Sequence[Line] = ()) -> None:
        """Show `tokens`; where there are none, the lines `instead`."""
        if tokens != self.tokens:
            self._at = self._top = 0
            self._laid = None
        self.tokens, self._face, self._instead = tokens, face, instead
        self.repaint()

    def redraw(self) -> None:
        self._laid = None
        super().redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        if not self.tokens:
            return list(self._instead)
        lines = self._laid_out(width)
        here = self._line_of_cursor(lines)
        self._top = max(0, min(self._top, here, len(lines) - height))
        self._top = max(self._top, here - height + 1)
        cursor = self.at if self.has_focus else -1
        return [
            [(text, "pick" if at == cursor else role) for text, role, at in line]
            for line in lines[self._top : self._top + height]
        ]

    def on_focus(self) -> None:
        self.repaint()
        self.post_message(self.Moved())

    def on_blur(self) -> None:
        self.repaint()

    def action_step(self, by: int) -> None:
        at = max(0, min(self.at + by, len(self.tokens) - 1))
        if at != self._at:
            self._at = at
            self.repaint()
            self.post_message(self.Moved())

    def action_move_lines(self, by: int) -> None:
        """The token that stands about there, some lines up or down."""
        lines = self._laid_out(self.content_size.width)
        if not lines:
            return
        here = self._line_of_cursor(lines)
        there = max(0, min(here + by, len(lines) - 1))
        column = next((n for n, part in enumerate(lines[here]) if part[2] == self.at), 0)
        if there != here:
            self.action_step(lines[there][min(column, len(lines[there]) - 1)][2] - self.at)

    def action_move_pages(self, by: int) -> None:
        self.action_move_lines(by * max(1, self.content_size.height - 1))

    def on_click(self, event: Click) -> None:
        self.focus()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.action_move_lines(2)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.action_move_lines(-2)

    def _line_of_cursor(self, lines: list[list[Part]]) -> int:
        """By halves: blocks come in their order."""
        low, high = 0, len(lines) - 1
        while low < high:
            middle = (low + high) // 2
            if lines[middle][-1][2] < self.at:
                low = middle + 1
            else:
                high = middle
        return low

    def _laid_out(self, width: int) -> list[list[Part]]:
        key = (width, self._face, self.glyphs.name)
        if self._laid is None or self._laid[0] != key:
            self._laid = (key, lay_out(self.tokens, max(4, width), self.glyphs, self._face))
        return self._laid[1]


class BlockPane(Vertical):
    """A title over blocks."""

    def __init__(self, number: int) -> None:
        super().__init__(id=f"tokens-{number}", classes="pane")

    def compose(self) -> ComposeResult:
        yield Lines(classes="line")
        yield Blocks()

    @property
    def blocks(self) -> Blocks:
        return self.query_one(Blocks)

    def title(self, line: Line) -> None:
        self.query_one(Lines).show(line)
