"""Rows of CSV and its relatives: the separator found out, line breaks inside cells kept.

The first row names the columns. Kept by design: Python's own sniffer guesses from letter counts and
is often wrong; here each separator is tried, and the one that names known columns, or most regular
rows, wins.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine.data.columns import ColumnMapping, make_mapping
from engine.data.raw_row import RawRow, show
from engine.errors import EngineError
from engine.recipes.settings import Data

LONGEST_CELL = 1 << 20
"""Characters. A quote that is never closed would otherwise take the rest of the file."""
_SAMPLE = 1 << 16
_SEPARATORS = ",;\t|"
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|"}


def read_delimited(path: Path, file: BinaryIO, data: Data) -> Iterator[RawRow]:
    """The rows below the header, parted by the recipe's separator where it names one.

    Raises EngineError where the first row names no columns, and for a separator that is none.
    """
    separator = read_separator(data.separator)
    if not separator:
        sample = file.read(_SAMPLE).decode("utf-8", "replace")
        separator = find_separator(sample, make_mapping(data))
        file.seek(0)
    lines = _Lines(file)
    limit = csv.field_size_limit(LONGEST_CELL)
    try:
        reader = csv.reader(lines, delimiter=separator, strict=True)
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
            yield RawRow(
                start, lines.end, None, _explain(error, start, lines.count), lines.show_row()
            )
            continue
        finally:
            csv.field_size_limit(limit)
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        if not lines.decoded:
            fault = "not valid UTF-8"
        elif len(cells) != len(header):
            fault = f"{len(cells)} cells where the header has {len(header)} columns"
        else:
            yield RawRow(start, lines.end, dict(zip(header, cells, strict=True)))
            continue
        yield RawRow(start, lines.end, None, fault, lines.show_row())


def read_separator(name: str) -> str:
    """The character that a recipe names, as itself or as `tab`; empty where it names none.

    Raises EngineError.
    """
    separator = _NAMES.get(name.strip().lower(), name)
    if len(separator) > 1 or separator in ('"', "\r", "\n"):
        raise EngineError(
            f"invalid data.separator = {name!r}",
            "",
            "Use one character, e.g. ; or | or tab. Empty: detected.",
        )
    return separator


def find_separator(sample: str, mapping: ColumnMapping | None = None) -> str:
    """Comma, semicolon, tab or bar: the one under which the sample is most like a table."""
    mapping = mapping or make_mapping(Data())
    return max(_SEPARATORS, key=lambda separator: _judge(sample, separator, mapping))


def is_table(sample: str, data: Data) -> bool:
    """Whether a text begins with the names of known columns, two at least, and one separator."""
    mapping = make_mapping(data)
    separators = [read_separator(data.separator)] if data.separator else list(_SEPARATORS)
    return any(_judge(sample, one, mapping)[:2] == (True, True) for one in separators)


def _judge(sample: str, separator: str, mapping: ColumnMapping) -> tuple[bool, bool, float]:
    """Known columns first, then more than one column, then the share of regular rows."""
    widths: Counter[int] = Counter()
    header: list[str] = []
    try:
        for cells in csv.reader(sample.splitlines(keepends=True), delimiter=separator):
            header = header or [cell.strip() for cell in cells]
            widths[len(cells)] += 1
    except csv.Error:
        pass  # judged by the rows before
    known = mapping.recognise(dict.fromkeys(header, "")) is not None
    return known, len(header) > 1, widths[len(header)] / max(1, widths.total())


class _Lines:
    """The file's lines for csv.reader; keeps the lines of the row that is being read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count, self.end = 0, 0
        self._fresh = True
        self._row: list[bytes] = []
        self.decoded = True

    def begin_row(self) -> int:
        """The line on which the next row starts."""
        self._row, self.decoded = [], True
        return self.count + 1

    def show_row(self) -> str:
        return show(b"".join(self._row))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = self._file.readline(LONGEST_CELL)
        if not piece:
            raise StopIteration
        if self.end == 0:
            piece = piece.removeprefix(b"\xef\xbb\xbf")
        self.count += self._fresh
        self._fresh = piece.endswith(b"\n")
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


def _explain(error: csv.Error, start: int, end: int) -> str:
    text = str(error)
    if "unexpected end" in text:
        return f"unclosed quote; lines {start} to {end} are lost"
    if "field limit" in text:
        return f"cell too long or unclosed quote; lines {start} to {end} are lost"
    if "expected after" in text:
        return "unescaped quote inside a cell"
    return f"not valid CSV: {text}"
