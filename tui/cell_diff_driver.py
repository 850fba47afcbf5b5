"""A cell buffer of what the terminal shows, so that only cells that differ are written.

Textual redraws whole regions from the widget's left edge; over a slow line that is most of the
traffic. Here every outgoing frame is parsed into cells and compared with the cells that are on the
screen; no driver of Textual's does that. Escape sequences other than plain drawing are passed
through unchanged, and the whole screen then counts as unknown. A frame that was laid out for a
larger screen is cut at the terminal's edges: what lies beyond them would land on the last row and
column, over what belongs there. Use: `App(driver_class=with_cell_diff(driver_class))`.
"""

import os
import re
import sys
from functools import lru_cache
from typing import Any

from rich.cells import cell_len, set_cell_size
from textual.driver import Driver

_TOKEN = re.compile(
    r"\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|\x1b\[(?P<style>[\d;]*)m"
    r"|(?P<newline>\r?\n)"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_SYNC_START, _SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
_SYNC_BYTES = 512
"""Shorter frames arrive in one piece anyway, so they need no synchronised update."""
_BRIDGE = 4
"""Unchanged cells are written again where that takes no more bytes than a cursor move."""


class CellDiff:
    """The cells of a screen as written, and the shortest output that leads to a new frame."""

    def __init__(self) -> None:
        self._characters: dict[int, list[str]] = {}
        self._styles: dict[int, list[str]] = {}
        self._place: tuple[int, int] | None = None  # where the terminal's cursor is
        self._style = ""  # what the terminal draws with
        self._size: tuple[int, int] | None = None  # columns and lines of the terminal

    def resize(self, size: tuple[int, int] | None) -> None:
        """Columns and lines of the terminal, as it says now; None where it does not say."""
        if size != self._size:
            self._size = size
            self.clear()

    def clear(self) -> None:
        """Invalidate the buffer: the next frame is written in full."""
        self._characters.clear()
        self._styles.clear()
        self._place = None

    def reduce(self, frame: str) -> str:
        """The part of `frame` that must be written, "" for nothing; updates the buffer."""
        out: list[str] = []
        place: tuple[int, int] | None = None
        style = ""
        for token in _TOKEN.finditer(frame):
            kind = token.lastgroup
            if kind == "text" and place is not None:
                place = self._draw(token["text"], place, style, out)
            elif kind == "style":
                style = _styled(style, token["style"])
            elif kind == "column":
                place = int(token["row"]) - 1, int(token["column"]) - 1
            elif kind == "newline":
                place = None
            else:
                self.clear()
                plain, self._style = ("\x1b[0m", "") if self._style else ("", "")
                return plain + frame
        if place is not None and place != self._place and self._room(*place) > 0:
            out.append(f"\x1b[{place[0] + 1};{place[1] + 1}H")
            self._place = place
        if self._style:
            out.append("\x1b[0m")
            self._style = ""
        return "".join(out)

    def _draw(
        self, text: str, place: tuple[int, int], style: str, out: list[str]
    ) -> tuple[int, int]:
        row, column = place
        room = self._room(row, column)
        if not text.isascii() and cell_len(text) != len(text):
            if cell_len(text) > room:
                text = set_cell_size(text, max(room, 0))
            return self._draw_wide(text, place, style, out) if text else place
        text = text[: max(room, 0)]
        stop = column + len(text)
        characters, styles = self._row(row, stop)
        new = list(text)
        if characters[column:stop] == new and styles[column:stop].count(style) == len(new):
            return row, stop
        spans: list[list[int]] = []
        for at, character in enumerate(new, column):
            if characters[at] != character or styles[at] != style:
                if spans and at - spans[-1][1] <= _BRIDGE:
                    spans[-1][1] = at + 1
                else:
                    spans.append([at, at + 1])
        for begin, end in spans:
            self._emit(row, begin, text[begin - column : end - column], style, out)
        characters[column:stop] = new
        styles[column:stop] = [style] * len(new)
        return row, stop

    def _draw_wide(
        self, text: str, place: tuple[int, int], style: str, out: list[str]
    ) -> tuple[int, int]:
        """Text with characters of other widths: always written, and its cells are unknown.

        So is the cell before it, on which a combining mark may have landed.
        """
        row, column = place
        stop = column + cell_len(text)
        characters, _ = self._row(row, stop)
        begin = max(column - 1, 0)
        characters[begin:stop] = [""] * (stop - begin)
        self._emit(row, column, text, style, out)
        self._place = None  # terminals do not agree on widths
        return row, stop

    def _room(self, row: int, column: int) -> int:
        """How many cells there are from this place to the edge; 0 or less: it is beyond one."""
        if self._size is None:
            return sys.maxsize
        columns, lines = self._size
        return columns - column if row < lines else 0

    def _row(self, row: int, stop: int) -> tuple[list[str], list[str]]:
        characters = self._characters.setdefault(row, [])
        styles = self._styles.setdefault(row, [])
        if (missing := stop - len(characters)) > 0:
            characters += [""] * missing
            styles += [""] * missing
        return characters, styles

    def _emit(self, row: int, column: int, text: str, style: str, out: list[str]) -> None:
        if self._place != (row, column):
            ahead = column - self._place[1] if self._place and self._place[0] == row else 0
            out.append(f"\x1b[{ahead}C" if ahead > 0 else f"\x1b[{row + 1};{column + 1}H")
        if style != self._style:
            out.append(_change(self._style, style))
            self._style = style
        out.append(text)
        self._place = (row, column + len(text))


def _styled(style: str, codes: str) -> str:
    """The style after `codes`; Textual resets after each segment, so they only add up."""
    if codes in ("", "0"):
        return ""
    return f"{style};{codes}" if style else codes


@lru_cache(maxsize=4096)
def _parts(style: str) -> tuple[str, str, str]:
    """Attributes, foreground and background of a style, as SGR codes."""
    attributes, front, back = [], "39", "49"
    codes = iter(style.split(";") if style else [])
    for code in codes:
        if code in ("38", "48"):
            mode = next(codes, "")
            rest = [next(codes, "") for _ in range(3 if mode == "2" else 1)]
            colour = ";".join([code, mode, *rest])
            front, back = (colour, back) if code == "38" else (front, colour)
        elif len(code) > 1 and code[:-1] in ("3", "9"):
            front = code
        elif len(code) > 1 and code[:-1] in ("4", "10"):
            back = code
        else:
            attributes.append(code)
    return ";".join(attributes), front, back


@lru_cache(maxsize=4096)
def _change(old: str, new: str) -> str:
    """The shortest SGR sequence from one style to another."""
    if not new:
        return "\x1b[0m"
    before, after = _parts(old), _parts(new)
    if before[0] != after[0] and before[0]:
        return f"\x1b[0;{new}m"
    codes = [after[0]] if before[0] != after[0] else []
    codes += [code for code, known in zip(after[1:], before[1:], strict=True) if code != known]
    return f"\x1b[{';'.join(codes)}m" if codes else ""


def with_cell_diff(base: type[Driver], cells: CellDiff | None = None) -> type[Driver]:
    """A driver class like `base` that writes only what changes on the screen.

    `cells` is the buffer to use, for an app that has to clear it; else it has one of its own.
    """

    class CellDiffDriver(base):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._cell_diff = CellDiff() if cells is None else cells
            self._sync = False  # whether Textual found synchronised updates, and began one

        def write(self, data: str) -> None:
            if data in (_SYNC_START, _SYNC_END):
                self._sync = data == _SYNC_START
                return
            self._cell_diff.resize(_terminal_size())
            reduced = self._cell_diff.reduce(data)
            if self._sync and len(reduced) > _SYNC_BYTES:
                reduced = f"{_SYNC_START}{reduced}{_SYNC_END}"
            if reduced:
                super().write(reduced)

    return CellDiffDriver


def _terminal_size() -> tuple[int, int] | None:
    """Columns and lines; None where the terminal does not say."""
    for descriptor in (2, 1, 0):
        try:
            columns, lines = os.get_terminal_size(descriptor)
        except OSError:
            continue
        return (columns, lines) if columns and lines else None
    return None
