"""One row of a data file as it was read, before anybody asks what it means."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.recipes.settings import Data

LONGEST_ROW = 8 << 20
"""Bytes. A longer row is a fault, skipped without being held."""
CHUNK = 1 << 18
"""Bytes read at a time."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class RawRow:
    line: int
    """Physical line on which the row starts, from 1."""
    end: int
    """Bytes of the file read up to the end of this row, about."""
    value: object = None
    fault: str | None = None
    """Why there is no value."""
    text: str = ""
    """The row as it stands in the file, where there is a fault; cut to what a person reads."""
    file: str = ""
    """Which file of a set of several; empty: the one that was asked for."""


RawReader = Callable[[Path, Data], Iterator[RawRow]]
"""Reads the rows behind a path. Workers hand in one that knows columnar files too."""


def read_bounded_lines(file: BinaryIO, line: int = 0) -> Iterator[tuple[int, bytes, bool]]:
    """Lines from a file's position on: number, bytes, and whether it is longer than a row may be.

    `line` lines lie before. Of a line that is too long only its start is held. Each file that was
    joined to this one may begin with a byte order mark, which is left out.
    """
    while piece := file.readline(LONGEST_ROW):
        line += 1
        too_long = len(piece) == LONGEST_ROW and not piece.endswith(b"\n")
        if too_long:
            while (rest := file.readline(CHUNK)) and not rest.endswith(b"\n"):
                pass
        yield line, piece if too_long else piece.removeprefix(BYTE_ORDER_MARK), too_long


def show(piece: bytes | str) -> str:
    """The start of a faulty row, to be shown; bytes that are no text as backslash escapes."""
    if isinstance(piece, str):
        return piece[:2000]
    return piece[:2000].decode("utf-8", "backslashreplace")
