"""The first rows of a source: its columns, with three values of each, and a row to ask about.

Reading blocks, so it is done on a thread. Refuses to say which rows can be learned from: any column
of any file may be a source. Rows of columnar files are read by the companion.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.data import dataset_list
from engine.data.formats import holds_columns, read_raw
from engine.data.raw_row import RawReader, RawRow
from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.recipes.synthesis_settings import Source
from engine.synthesis.source_reader import find_columns, read_source
from engine.synthesis.source_rows import SourceRow
from engine.synthesis.templates import write_value

SHOWN = 3
LOOKED_AT = 20
"""Rows: a column may be missing in the first ones."""
_MOST_CHARACTERS = 200
"""Of one value in a list."""


@dataclass(frozen=True, slots=True)
class SourceExcerpt:
    """What there is to see of a source before anything is asked. Untrusted."""

    columns: Mapping[str, tuple[str, ...]] | None = None
    """Up to three different values of each; None where they are not known."""
    first: SourceRow | None = None
    """The row that is asked about first."""
    problem: EngineError | None = None
    """Why there is no first row."""
    columnar: bool = False
    """Whether its rows are in Parquet or Arrow, and still to be read by the companion."""

    @property
    def text_column(self) -> str:
        """The column that holds the first row's text, the first one of those that do."""
        first = self.first
        if first is None:
            return ""
        return next((name for name, one in first.columns.items() if one == first.text), "")


NOT_READ = SourceExcerpt()


def read_excerpt(source: Source, runs: Sequence[Path] = ()) -> SourceExcerpt:
    """The beginning of a source; of columnar files, only that they are such.

    Raises EngineError where it cannot be read at all.
    """
    path = dataset_list.find_path(source.data, runs)
    if holds_columns(path):
        return SourceExcerpt(columnar=True)
    return _make_excerpt(path, source, read_raw)


def make_excerpt(source: Source, rows: Sequence[RawRow]) -> SourceExcerpt:
    """The same of rows that the companion read."""

    def raw(path: Path, data: Data) -> Iterator[RawRow]:
        return iter(rows)

    return _make_excerpt(Path(source.data), source, raw)


def _make_excerpt(path: Path, source: Source, raw: RawReader) -> SourceExcerpt:
    rows = itertools.islice(raw(path, Data(separator=source.separator)), LOOKED_AT)
    columns = {
        name: tuple(dict.fromkeys(write_value(one)[:_MOST_CHARACTERS] for one in values))[:SHOWN]
        for name, values in find_columns(rows).items()
    }
    beginning = dataclasses.replace(source, limit=LOOKED_AT, shuffle=False)
    try:
        first = read_source(path, beginning, raw).rows[0]
    except EngineError as error:
        return SourceExcerpt(columns, problem=error)
    return SourceExcerpt(columns, first)
