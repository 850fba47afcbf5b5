"""The rows of a big JSON list, one at a time, without holding the file; and what follows its end.

Batches that were appended are lists one after another: each is read, and then lines, if the rest is
no list. A list that breaks off or is not JSON cannot be read on from the fault: the file is refused
by line.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine.data.json_lines import read_lines
from engine.data.raw_row import CHUNK, LONGEST_ROW, RawRow, show
from engine.errors import EngineError

_SPACE = re.compile("[ \\t\\r\\n\ufeff]*")
_ESCAPED = re.compile("[\udc80-\udcff]")


class _Buffer:
    """A window on an array's text; knows the line at its start."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.text, self.at, self.line = "", 0, 1
        self._rest, self._ended = b"", False

    def grow(self) -> bool:
        """Append what comes next; False at the end of the file. Bad bytes become surrogates."""
        if self._ended:
            return False
        piece = self.file.read(max(CHUNK, len(self.text) - self.at))
        self._ended = not piece
        piece = self._rest + piece
        cut = len(piece) if self._ended else _whole(piece)
        self.text = self.text[self.at :] + piece[:cut].decode("utf-8", "surrogateescape")
        self.at, self._rest = 0, piece[cut:]
        return True

    def move(self, length: int) -> str:
        """Go on by so many characters, and give them."""
        passed = self.text[self.at : self.at + length]
        self.line += passed.count("\n")
        self.at += length
        return passed

    def skip_space(self) -> str:
        """Go on to the next character that is not white space, and give it; empty at the end."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.move(space.end() - self.at if space else 0)
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.grow():
                return ""

    def tell(self) -> int:
        """The byte of the file at which the window's place is."""
        ahead = self.text[self.at :].encode("utf-8", "surrogateescape")
        return self.file.tell() - len(self._rest) - len(ahead)

    def tell_about(self) -> int:
        """The same, quickly: characters are taken for bytes."""
        return self.file.tell() - len(self.text) + self.at


def _whole(piece: bytes) -> int:
    """How much of the piece can be decoded without cutting a character in two."""
    for back in range(1, min(4, len(piece)) + 1):
        byte = piece[-back]
        if byte >= 0xC0:
            return len(piece) - back
        if byte < 0x80:
            break
    return len(piece)


def read_arrays(path: Path, file: BinaryIO) -> Iterator[RawRow]:
    """The elements of each list in turn, and the rest of the file by lines.

    Raises EngineError for a list that is broken.
    """
    buffer = _Buffer(path, file)
    while (mark := buffer.skip_space()) == "[":
        yield from _read_array(buffer)
    if mark:
        file.seek(buffer.tell())
        yield from read_lines(file, buffer.line - 1)


def _read_array(buffer: _Buffer) -> Iterator[RawRow]:
    """The list at the buffer's place, which is then behind its end."""
    decoder = json.JSONDecoder()
    buffer.move(1)  # the opening bracket
    mark = buffer.skip_space()
    while mark != "]":
        line = buffer.line
        value, length = _decode(buffer, decoder)
        text = buffer.move(length)
        end = buffer.tell_about()
        if _ESCAPED.search(text):
            piece = text.encode("utf-8", "surrogateescape")
            yield RawRow(line, end, None, "not valid UTF-8", show(piece))
        else:
            yield RawRow(line, end, value)
        mark = buffer.skip_space()
        if mark == ",":
            buffer.move(1)
            mark = buffer.skip_space()  # a comma behind the last element does no harm
        elif mark != "]":
            raise _broken(buffer, "',' or ']' expected" if mark else "missing ]")
    buffer.move(1)


def _decode(buffer: _Buffer, decoder: json.JSONDecoder) -> tuple[object, int]:
    """The element at the buffer's place and its length; reads on while it may be incomplete."""
    while True:
        try:
            value, end = decoder.raw_decode(buffer.text, buffer.at)
        except json.JSONDecodeError as error:
            ahead, why = error.pos - buffer.at, error.msg
            unfinished = why.startswith("Unterminated") or error.pos + 16 > len(buffer.text)
            if not unfinished:
                raise _broken(buffer, why, ahead) from error
            if len(buffer.text) - buffer.at > LONGEST_ROW:
                raise _broken(buffer, f"a row is longer than {LONGEST_ROW >> 20} MiB") from error
            if not buffer.grow():
                raise _broken(buffer, why, ahead) from error
        except (RecursionError, ValueError) as error:
            raise _broken(buffer, "nested too deeply, or a number is too long") from error
        else:
            length = end - buffer.at
            if end < len(buffer.text) or not buffer.grow():
                return value, length


def _broken(buffer: _Buffer, why: str, ahead: int = 0) -> EngineError:
    line = buffer.line + buffer.text.count("\n", buffer.at, buffer.at + ahead)
    return EngineError(
        f"{buffer.path.name} is not valid JSON: {why}",
        f"{buffer.path}, line {line}",
        "Use JSON lines: rows are parsed separately, so one bad row does not affect others.",
    )
