"""Text to read: wrapped or cut, scrolled by keys, bounded, and following its end where asked."""

import re
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.events import MouseScrollDown, MouseScrollUp
from textual.geometry import Size

from tui.styled_text import Line, Piece, length
from tui.widgets.cells import Cells

MOST_LINES = 5_000
"""More than that is cut at the top: a terminal is no place to read it."""


class Pager(Cells, can_focus=True):
    """Lines of pieces, all clean already."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_lines(-1)", show=False),
        Binding("down,j", "scroll_lines(1)", show=False),
        Binding("pageup,ctrl+u", "scroll_pages(-1)", show=False),
        Binding("pagedown,ctrl+d,space", "scroll_pages(1)", show=False),
        Binding("home", "scroll_lines(-1000000)", show=False),
        Binding("end", "scroll_lines(1000000)", show=False),
    ]

    def __init__(
        self,
        *,
        wrap: bool = True,
        follow: bool = False,
        hang: int = 0,
        break_line: Callable[[Line, int], list[Line]] | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`break_line` breaks a line to a width, where that is not to be done by `wrap`."""
        super().__init__(id=id, classes=classes)
        self._wrap = wrap
        self._break_line = break_line
        self._follow = follow
        self._hang = hang
        self._text: list[Line] = []
        self._top = 0
        self._at_end = follow
        self._wrapped: tuple[int, list[Line]] | None = None

    def show(self, text: Sequence[Line], *, hang: int | None = None) -> None:
        """Replace the text; `hang` is how far wrapped lines are indented from now on."""
        lines, hang = list(text)[-MOST_LINES:], self._hang if hang is None else hang
        if (lines, hang) != (self._text, self._hang):
            self._text, self._hang, self._wrapped = lines, hang, None
        self.repaint()

    def follow(self, follow: bool) -> None:
        """Keep the end in sight from now on, or begin at the top."""
        if follow != self._follow:
            self._follow = self._at_end = follow
            self._top = 0

    def to_top(self) -> None:
        self._top, self._at_end = 0, self._follow

    def go_to(self, line: int) -> None:
        """Scroll so that a line, counted as it is laid out, stands in the middle."""
        lines = len(self._laid_out(self.content_size.width))
        height = self.content_size.height
        self._top = max(0, min(line - height // 2, lines - height))
        self._at_end = False
        self.repaint()

    def reveal(self, role: str) -> None:
        """Scroll so far that the first piece of a role shows; nothing where there is none."""
        width, height = self.content_size
        if width <= 0 or height <= 0:
            return
        lines = self._laid_out(width)
        at = next((y for y, line in enumerate(lines) if any(r == role for _, r in line)), None)
        if at is not None:
            self._at_end = False
            if not self._top <= at < self._top + height:
                self._top = max(0, min(at - height // 2, len(lines) - height))
            self.repaint()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._laid_out(width))

    def paint(self, width: int, height: int) -> list[Line]:
        lines = self._laid_out(width)
        last = max(0, len(lines) - height)
        self._top = last if self._at_end else min(self._top, last)
        return lines[self._top : self._top + height]

    def action_scroll_lines(self, by: int) -> None:
        lines = self._laid_out(self.content_size.width)
        last = max(0, len(lines) - self.content_size.height)
        self._top = max(0, min(self._top + by, last))
        self._at_end = self._follow and self._top == last
        self.repaint()

    def action_scroll_pages(self, by: int) -> None:
        self.action_scroll_lines(by * max(1, self.content_size.height - 1))

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.action_scroll_lines(2)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.action_scroll_lines(-2)

    def _laid_out(self, width: int) -> list[Line]:
        if self._wrapped is None or self._wrapped[0] != width:
            lines = self._text
            if self._break_line is not None:
                lines = [part for line in lines for part in self._break_line(line, width)]
            elif self._wrap:
                lines = [part for line in self._text for part in wrap(line, width, self._hang)]
            self._wrapped = (width, lines)
        return self._wrapped[1]


def broken(text: str, width: int) -> list[str]:
    """Text cut into as many lines as it takes, anywhere: for what has no words, as logs."""
    text = text.replace("\t", "    ")
    parts, at = [], 0
    while _is_wider(text, at, len(text), max(width, 2)):
        end = _end_of(text, at, width)
        parts.append(text[at:end])
        at = end
    return [*parts, text[at:]]


def wrap(line: Line, width: int, hang: int = 0) -> list[Line]:
    """A line in as many as it takes, broken between words; the later ones indented by `hang`."""
    indent: list[Piece] = [(" " * hang, "")] if 0 < hang < width // 2 else []
    lines: list[Line] = []
    now: list[Piece] = []
    used = 0
    for text, role in line:
        for word in _words(text):
            if used and used + cell_len(word.rstrip(" ")) > width:
                lines.append(now)
                now, used, word = [*indent], length(indent), word.lstrip(" ")
            at, stop = 0, len(word.rstrip(" "))
            while width > used and _is_wider(word, at, stop, width - used):
                end = _end_of(word, at, width - used)
                lines.append([*now, (word[at:end], role)])
                now, used, at = [*indent], length(indent), end
            now.append((word[at:], role))
            used += cell_len(word[at:])
    return [*lines, now]


def _words(text: str) -> list[str]:
    """Words, each with the spaces that follow it."""
    return [word for word in re.findall(r" *[^ ]* *", text.replace("\t", "    ")) if word]


def _is_wider(text: str, at: int, stop: int, width: int) -> bool:
    """Whether the part from `at` to `stop` takes more cells, looking no farther than it must: a
    long text without spaces is cut into very many lines."""
    near = min(stop, at + 4 * width + 64)
    return cell_len(text[at:near]) > width or (near < stop and cell_len(text[at:stop]) > width)


def _end_of(text: str, at: int, width: int) -> int:
    """Where a line that begins at `at` ends: after one character at least."""
    used = 0
    for place in range(at, len(text)):
        used += cell_len(text[place])
        if used > width and place > at:
            return place
    return at + 1
