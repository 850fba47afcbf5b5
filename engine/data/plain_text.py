"""Plain text as rows: whole paragraphs, as many as fit a row of the recipe's `max_length`.

Paragraphs are parted by blank lines. A heading (`# …`), a form feed and a line `<|endoftext|>`
begin a new row. A paragraph that is too long alone is cut after a line, a sentence or a word. What
lies between two bad lines is not joined over them. Of prompts each line is a row.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from engine.data.raw_row import BYTE_ORDER_MARK, LONGEST_ROW, RawRow, read_bounded_lines, show

LETTERS = 3
"""Characters a token, reckoned low (English has four), so that few rows are cut."""
_BORDER = "<|endoftext|>"
_HEADING = re.compile(r"#{1,6} ")
_SENTENCE = re.compile(r"[.!?…。！？؟][\"'”’)\]]*\s")


def read_plain(file: BinaryIO, max_length: int) -> Iterator[RawRow]:
    """The rows of a text file, each `{"text": …}`; `line` is where it starts."""
    row = _Row(max_length * LETTERS)
    paragraph: list[str] = []
    line, start = 0, 1
    while piece := file.readline(LONGEST_ROW):
        line += 1
        piece = piece.removeprefix(BYTE_ORDER_MARK)  # of each file that was joined to this one
        try:
            text = piece.decode()
        except UnicodeDecodeError as error:
            yield from row.add(start, paragraph, file.tell())
            yield from row.end(file.tell())
            paragraph, start = [], line + 1
            yield _undecodable(line, file, piece, error)
            continue
        new_row = "\f" in text or text.strip() == _BORDER or _HEADING.match(text) is not None
        if new_row or not text.strip():
            yield from row.add(start, paragraph, file.tell())
            paragraph, start = [], line + 1
        if new_row:
            yield from row.end(file.tell())
            text = text.replace("\f", "").replace(_BORDER, "")
        if text.strip():
            start = start if paragraph else line
            paragraph.append(text)
    yield from row.add(start, paragraph, file.tell())
    yield from row.end(file.tell())


def read_prompt_lines(file: BinaryIO) -> Iterator[RawRow]:
    """Each line that is not blank, as `{"prompt": …}`."""
    for line, piece, too_long in read_bounded_lines(file):
        if too_long:
            fault = f"the line is longer than {LONGEST_ROW >> 20} MiB"
            yield RawRow(line, file.tell(), None, fault, show(piece))
            continue
        try:
            text = piece.decode().strip()
        except UnicodeDecodeError as error:
            yield _undecodable(line, file, piece, error)
            continue
        if text:
            yield RawRow(line, file.tell(), {"prompt": text})


def _undecodable(line: int, file: BinaryIO, piece: bytes, error: UnicodeDecodeError) -> RawRow:
    fault = f"not valid UTF-8: byte 0x{piece[error.start]:02x} at {error.start + 1}"
    return RawRow(line, file.tell(), None, fault, show(piece))


class _Row:
    """Paragraphs that are gathered until no more fit."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._line, self._text = 1, ""

    def add(self, line: int, paragraph: list[str], end: int) -> Iterator[RawRow]:
        """The rows that are full once this paragraph, which starts on `line`, has come."""
        text = "".join(paragraph).strip()
        if not text:
            return
        if self._text and len(self._text) + 2 + len(text) <= self._room:
            self._text += "\n\n" + text
            return
        yield from self.end(end)
        at = 0
        while len(text) - at > self._room:
            cut = find_cut(text, at, at + self._room)
            yield RawRow(line, end, {"text": text[at:cut].strip()})
            line += text.count("\n", at, cut)
            at = cut
        self._line, self._text = line, text[at:].strip()

    def end(self, end: int) -> Iterator[RawRow]:
        """What was gathered."""
        if self._text:
            yield RawRow(self._line, end, {"text": self._text})
        self._text = ""


def find_cut(text: str, start: int, limit: int) -> int:
    """Where to cut text[start:limit]: after its last line, sentence or word past the middle.

    Greater than `start`, at most `limit`.
    """
    middle = (start + limit) // 2
    line = text.rfind("\n", middle, limit)
    if line >= 0:
        return line + 1
    sentences = [match.end() for match in _SENTENCE.finditer(text, middle, limit)]
    if sentences:
        return sentences[-1]
    return max(text.rfind(" ", middle, limit) + 1, 0) or limit
