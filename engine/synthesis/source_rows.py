"""Source rows: the raw texts as they were read, pinned when the job begins, a JSON object a line.

A job asks about the rows of this file and never about what became of the source since: resuming it
reads them from here. Owns the file; reading data sets is for the worker that makes it.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import atomic
from engine.errors import EngineError
from engine.recipes import validation
from engine.safe_open import read_lines


@dataclass(frozen=True, slots=True)
class SourceRow:
    id: str
    """Unique in the job: file and row, as `reviews.jsonl:12`."""
    group: str
    """Rows that share it were made of one source, and stay on one side of every split."""
    file: str
    line: int
    """Physical line on which the row starts, from 1; of Parquet and Arrow the row's number."""
    text: str
    """The source's own text."""
    columns: dict[str, object]
    """All columns of the row, for templates."""


def write_sources(path: Path, rows: Iterable[SourceRow]) -> None:
    """The rows, whole or not at all. Raises OSError."""
    atomic.write_lines(
        path, (json.dumps(dataclasses.asdict(row), ensure_ascii=False) + "\n" for row in rows)
    )


def read_sources(path: Path) -> list[SourceRow]:
    """The rows in order; no file: none. Raises EngineError with file and line."""
    rows = []
    for number, line in enumerate(read_lines(path, "The sources"), 1):
        try:
            rows.append(source_from_table(json.loads(line)))
        except (ValueError, RecursionError) as error:
            raise EngineError(
                "This file is not a file of source rows.",
                f"{path}:{number}",
                "Start the job again: finetop data make.",
            ) from error
    return rows


def source_from_table(table: Mapping[str, Any]) -> SourceRow:
    """Raises ValueError where it is none."""
    try:
        row = validation.from_untrusted(SourceRow, table)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not a source row: {error}") from error
    if row is None:
        raise ValueError("not a source row")
    return row
