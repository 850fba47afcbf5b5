"""How a delimited file is written: its separator, and whether quotation marks enclose cells.

Kept by design: Python's own sniffer guesses from letter counts and is often wrong; here each
separator is tried, and the one that names known columns, or most regular rows, wins. Reads a sample
only, and no row.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.data.columns import ColumnMapping, make_mapping
from engine.data.raw_row import BYTE_ORDER_MARK
from engine.errors import EngineError
from engine.recipes.settings import Data

_SEPARATORS = ",;\t|"
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|"}
_DECLARATION = re.compile(rb'"?sep=([^"\r\n])"?\r?\n')
"""The first line that Excel reads, and does not show."""
SAMPLE = 1 << 22
"""Bytes by which a file is judged."""
_SEPARATOR_SAMPLE = 1 << 16
"""Characters."""


@dataclass(frozen=True, slots=True)
class Dialect:
    separator: str
    quoted: bool = True
    """Whether a quotation mark at a cell's start encloses it; else it is a part of the text."""
    declared: int = 0
    """Bytes before the header, where the first line declares the separator."""


def find_dialect(sample: bytes, data: Data) -> Dialect:
    """How a file is written, by its first `SAMPLE` bytes, with the separator that the recipe names.

    Raises EngineError for a separator that is none.
    """
    separator = read_separator(data.separator)
    declaration, declared = _read_declaration(sample)
    text = sample[declared:].decode("utf-8-sig", "replace")
    separator = separator or declaration
    if not separator:
        separator = find_separator(text[:_SEPARATOR_SAMPLE], make_mapping(data))
    if separator != "\t" or '"' not in text:
        return Dialect(separator, True, declared)
    if len(sample) == SAMPLE:
        text = text[: text.rfind("\n") + 1]  # the last line may not be whole
    return Dialect(separator, _are_quoted(text), declared)


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


def is_table(sample: bytes, data: Data) -> bool:
    """Whether a text begins with the names of known columns, two at least, and one separator."""
    declaration, declared = _read_declaration(sample)
    text = sample[declared:].decode("utf-8-sig", "replace")
    mapping = make_mapping(data)
    separator = read_separator(data.separator) or declaration
    separators = [separator] if separator else list(_SEPARATORS)
    return any(_judge(text, one, mapping)[:2] == (True, True) for one in separators)


def _read_declaration(sample: bytes) -> tuple[str, int]:
    """The separator that the first line declares (`sep=;`), and the bytes up to the next line."""
    start = len(BYTE_ORDER_MARK) if sample.startswith(BYTE_ORDER_MARK) else 0
    declaration = _DECLARATION.match(sample, start)
    if declaration is None or declaration[1][0] > 127:
        return "", 0
    return declaration[1].decode(), declaration.end()


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


def _are_quoted(sample: str) -> bool:
    """Whether reading quotation marks as such leaves no more bad rows than reading them as text.

    Tables parted by tabs often have no quoting (GLUE, Tatoeba): a cell that begins with a quoted
    word, or with a mark that is never closed, is then a cell like others.
    """
    lines = [f"{line}\n" for line in sample.split("\n")]
    plain = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return _count_bad(csv.reader(lines, delimiter="\t", strict=True)) <= _count_bad(plain)


def _count_bad(reader: Iterator[Sequence[str]]) -> int:
    """Rows that are no CSV, are not as wide as the first, or have a cell that holds whole rows."""
    width = bad = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return bad
        except csv.Error:
            bad += 1
            continue
        width = width or len(cells)
        if cells and (len(cells) != width or holds_rows(cells, "\t")):
            bad += 1


def holds_rows(cells: Sequence[str], separator: str) -> bool:
    """Whether a cell holds the separator and a line's end: rows, behind a stray quotation mark.

    Of tabs only: commas are common in a text of several lines.
    """
    return separator == "\t" and any("\t" in cell and "\n" in cell for cell in cells)
