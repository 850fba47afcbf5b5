"""Rows of CSV and its relatives, line breaks inside cells kept.

The first row names the columns. Each line is part of a row, or of a reject that names the lines
that went with it. How the file is written is found out by `engine.data.dialects`.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from engine.data.dialects import SAMPLE, find_dialect, holds_rows
from engine.data.raw_row import BYTE_ORDER_MARK, CHUNK, LONGEST_ROW, RawRow, show
from engine.errors import EngineError
from engine.recipes.settings import Data

LONGEST_CELL = 1 << 20
"""Characters. A quote that is never closed would otherwise take the rest of the file."""


def read_delimited(path: Path, file: BinaryIO, data: Data) -> Iterator[RawRow]:
    """The rows below the header, parted by the recipe's separator where it names one.

    Raises EngineError where the first row names no columns, and for a separator that is none.
    """
    dialect = find_dialect(file.read(SAMPLE), data)
    file.seek(dialect.declared)
    lines = _Lines(file, 1 if dialect.declared else 0)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE
    limit = csv.field_size_limit(LONGEST_CELL)
    try:
        reader = csv.reader(lines, delimiter=dialect.separator, quoting=quoting, strict=True)
        header = _read_header(path, reader)
    finally:
        csv.field_size_limit(limit)
    while True:
        start = lines.begin_row()
        # The limit belongs to the whole process: hold it only while a row is read.
        limit = csv.field_size_limit(LONGEST_CELL)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = _explain(error, lines.too_long)
            yield RawRow(start, lines.end, None, lines.state_lost(fault, start), lines.show_row())
            continue
        finally:
            csv.field_size_limit(limit)
        if len(cells) < 2 and lines.are_blank():
            continue
        names = [cell.strip() for cell in cells]
        if lines.too_long:
            fault = _TOO_LONG
        elif not lines.decoded:
            fault = "not valid UTF-8"
        elif len(cells) != len(header):
            fault = f"{len(cells)} cells where the header has {len(header)} columns"
        elif holds_rows(cells, dialect.separator):
            fault = "a quoted cell holds whole rows"
        elif sorted(names) == sorted(header):
            header = names  # of another file that was joined to this one; its order counts now
            fault = "the header again"
        else:
            yield RawRow(start, lines.end, dict(zip(header, cells, strict=True)))
            continue
        yield RawRow(start, lines.end, None, lines.state_lost(fault, start), lines.show_row())


class _Lines:
    """The file's lines for csv.reader; keeps the lines of the row that is being read."""

    def __init__(self, file: BinaryIO, count: int) -> None:
        self._file = file
        self.count, self.end = count, 0
        self._row: list[bytes] = []
        self.decoded, self.too_long = True, False

    def begin_row(self) -> int:
        """The line on which the next row starts."""
        self._row, self.decoded, self.too_long = [], True, False
        return self.count + 1

    def state_lost(self, fault: str, start: int) -> str:
        """The fault of a row, with the lines that went with it, where they are several."""
        return f"{fault}; lines {start} to {self.count} are lost" if self.count > start else fault

    def are_blank(self) -> bool:
        """Whether the row's lines hold nothing, not even an empty cell in quotes."""
        return not any(piece.strip() for piece in self._row)

    def show_row(self) -> str:
        return show(b"".join(self._row))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = self._file.readline(LONGEST_ROW)
        if not piece:
            raise StopIteration
        if len(piece) == LONGEST_ROW and not piece.endswith(b"\n"):
            self.too_long = True
            while (rest := self._file.readline(CHUNK)) and not rest.endswith(b"\n"):
                pass
        if not self._row:
            # Each file that was joined to this one may begin with a byte order mark.
            piece = piece.removeprefix(BYTE_ORDER_MARK)
        self.count += 1
        self.end = self._file.tell()
        self._row.append(piece)
        try:
            return piece.decode()
        except UnicodeDecodeError:
            self.decoded = False  # the cells' borders still count
            return piece.decode("utf-8", "replace")


def _read_header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        header = next(filter(None, reader))
    except (csv.Error, StopIteration) as error:
        raise EngineError(f"{path.name}: the first row has no column names", str(path)) from error
    names = [cell.strip() for cell in header]
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise EngineError(f"{path.name}: duplicate column {twice[0]!r}", f"{path}, line 1")
    return names


_TOO_LONG = f"the row is longer than {LONGEST_ROW >> 20} MiB"


def _explain(error: csv.Error, too_long: bool) -> str:
    text = str(error)
    if too_long:
        return _TOO_LONG
    if "unexpected end" in text:
        return "unclosed quote"
    if "field limit" in text:
        return "cell too long or unclosed quote"
    if "expected after" in text:
        return "unescaped quote inside a cell"
    return f"not valid CSV: {text}"
