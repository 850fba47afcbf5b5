"""Lines whose words are made of several pieces, as of tokens or of words with marks around them:
broken between words only."""

import re

from rich.cells import cell_len

from tui.styled_text import Line, Piece

_PARTS = re.compile(r" +|[^ ]+")


def flow(line: Line, width: int) -> list[Line]:
    """A line in as many as it takes; a word breaks only where it is wider than all the room.

    Linear in the text's length, whatever it holds.
    """
    lines: list[Line] = []
    now: list[Piece] = []
    used = 0
    word: list[tuple[str, str, int]] = []

    def end_word() -> None:
        nonlocal now, used
        size = sum(cells for _, _, cells in word)
        if used and used + size > width:
            lines.append(now)
            now, used = [], 0
        for text, role, cells in word:
            if used + cells <= width:
                now.append((text, role))
                used += cells
                continue
            for head, taken in _chunks(text, width, used):
                if used and used + taken > width:
                    lines.append(now)
                    now, used = [], 0
                now.append((head, role))
                used += taken
        word.clear()

    for text, role in line:
        for part in _PARTS.findall(text.replace("\t", "    ")):
            if part[0] != " ":
                word.append((part, role, len(part) if part.isascii() else cell_len(part)))
                continue
            end_word()
            fits = part[: max(0, width - used)]  # what does not fit stands at a break: not seen
            if fits:
                now.append((fits, role))
                used += len(fits)
    end_word()
    return [*lines, now]


def _chunks(text: str, width: int, used: int) -> list[tuple[str, int]]:
    """A text too wide for its line, in parts with their cells: the first fills up the line."""
    chunks: list[tuple[str, int]] = []
    room = width - used if used < width else width
    start = cells = 0
    for at, character in enumerate(text):
        size = 1 if character.isascii() else cell_len(character)
        if cells + size > room and at > start:
            chunks.append((text[start:at], cells))
            start, cells, room = at, 0, width
        cells += size
    return [*chunks, (text[start:], cells)]
