"""Source rows out of a data set: which column is the text, which rows share a group, which are bad.

Reads what `engine.data.formats` reads; a worker hands in a reader that knows Parquet and Arrow too.
A row that cannot be used is a fault with its file, line and reason, and the others go on. Refuses
to guess: where several columns may be the text, they are named with some of their values.
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engine.data.raw_row import RawReader, RawRow
from engine.data.values import is_missing
from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.recipes.synthesis_settings import Source
from engine.synthesis.source_rows import SourceRow
from engine.synthesis.templates import write_value
from engine.text import one_line

LOOKED_AT = 200
"""Rows by which columns are known."""
_SHOWN = 3
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class SourceFault:
    """A row that nothing can be made of."""

    file: str
    line: int
    reason: str
    text: str = ""
    """The row as it stands in the file, cut."""


@dataclass(frozen=True, slots=True)
class SourceData:
    rows: list[SourceRow]
    faults: list[SourceFault]
    columns: tuple[str, ...]
    """Of the first rows, in order."""


def read_source(path: Path, source: Source, raw: RawReader) -> SourceData:
    """The rows of the data set at `path`, as many as the recipe's `source` wants.

    Raises EngineError where the file as a whole cannot be read, no row can be used, or the columns
    that are named or looked for are not there.
    """
    data = Data(separator=source.separator)
    found = _number_rows(path, raw(path, data))
    if not source.shuffle and source.limit:
        found = islice(found, source.limit)
    numbered = list(found)
    columns = find_columns(row for _, row in numbered[:LOOKED_AT])
    text = find_text_column(columns, source, path)
    if source.shuffle:
        random.Random(source.seed).shuffle(numbered)
        numbered = numbered[: source.limit] if source.limit else numbered
    rows: list[SourceRow] = []
    faults: list[SourceFault] = []
    for identity, row in numbered:
        file = row.file or str(path)
        cells = _cells(row.value)
        value = write_value(cells.get(text)) if cells is not None else ""
        if cells is None or not value.strip():
            reason = row.fault or ("not a row of columns" if cells is None else f"{text} is empty")
            faults.append(SourceFault(file, row.line, reason, row.text))
            continue
        named = write_value(cells.get(source.id)) if source.id else ""
        rows.append(SourceRow(identity, named or identity, file, row.line, value, cells))
    if not rows:
        reasons = Counter(fault.reason for fault in faults).most_common(3)
        raise EngineError(
            "The source has no rows.",
            "\n".join([str(path), *(f"{count}: {one_line(reason)}" for reason, count in reasons)]),
            "Name another file: source.data.",
        )
    return SourceData(rows, faults, tuple(columns))


def look_at_source(path: Path, source: Source, raw: RawReader) -> tuple[str, ...]:
    """The columns of the first rows, where those that the recipe needs are there.

    Raises EngineError as `read_source`.
    """
    columns = find_columns(islice(raw(path, Data(separator=source.separator)), LOOKED_AT))
    find_text_column(columns, source, path)
    return tuple(columns)


def find_columns(rows: Iterable[RawRow]) -> dict[str, list[object]]:
    """The columns of some rows, each with its values that are not missing."""
    columns: dict[str, list[object]] = {}
    for row in rows:
        for name, value in (_cells(row.value) or {}).items():
            values = columns.setdefault(name, [])
            if value is not None and value != "":
                values.append(value)
    return columns


def find_text_column(columns: Mapping[str, Sequence[object]], source: Source, path: Path) -> str:
    """The column with the source's own text: that which is named, else the one column of texts."""
    if source.id and source.id not in columns:
        raise _refuse(f"There is no column {source.id!r}.", "source.id", columns, path)
    if source.text:
        if source.text not in columns:
            raise _refuse(f"There is no column {source.text!r}.", "source.text", columns, path)
        return source.text
    texts = [
        name
        for name, values in columns.items()
        if name != source.id and values and all(isinstance(value, str) for value in values)
    ]
    if len(texts) != 1:
        title = "Several columns may be the text." if texts else "No column holds texts."
        raise _refuse(title, "source.text", columns, path)
    return texts[0]


def _refuse(
    title: str, key: str, columns: Mapping[str, Sequence[object]], path: Path
) -> EngineError:
    """An error that shows what there is to choose from."""
    lines = [
        one_line(f"{_name(name)}: " + " | ".join(_show(value) for value in values[:_SHOWN]))
        for name, values in columns.items()
    ]
    return EngineError(
        title,
        "\n".join([f"{key}: {path}", *(lines or ["no columns"])]),
        f"Name a column: --set {key}={guess_text_column(columns) or 'NAME'}.",
    )


def guess_text_column(columns: Mapping[str, Sequence[object]]) -> str:
    """The column whose first values are the longest texts, to be suggested and never to be taken
    unasked; empty where no column that has a name holds any."""
    lengths = {
        name: sum(len(value) for value in values[:_SHOWN] if isinstance(value, str))
        for name, values in columns.items()
        if name
    }
    return max((name for name, length in lengths.items() if length), key=lengths.__getitem__,
               default="")  # fmt: skip


def _name(column: str) -> str:
    """A column as an error names it: a table whose head begins with a comma has one without."""
    return column or "''"


def _show(value: object) -> str:
    text = one_line(write_value(value))
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _number_rows(path: Path, rows: Iterable[RawRow]) -> "Iterable[tuple[str, RawRow]]":
    """Rows with ids: a file and the number of the row in it, from 1."""
    numbers: Counter[str] = Counter()
    for row in rows:
        file = Path(row.file) if row.file else path
        below = file.relative_to(path) if path in file.parents else Path(file.name)
        numbers[str(below)] += 1
        yield f"{below}:{numbers[str(below)]}", row


def _cells(value: object) -> dict[str, object] | None:
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, Mapping):
        return None
    return {str(name): plain_value(cell) for name, cell in value.items()}


def plain_value(value: object) -> object:
    """A value as a JSON file holds it: Parquet and Arrow have dates, decimals and bytes as well.

    What is missing is null; a number that is not finite, for which JSON has no word, is text.
    """
    if is_missing(value):
        return None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name): plain_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(one) for one in value]
    return f"{len(value):,} bytes" if isinstance(value, bytes) else str(value)
