"""A data file as examples to learn from, and every row that is none with its reason.

Owns reading and counting. Refuses to drop anything in silence: each row is an example or a reject.
A row goes one way, and each step knows only what is left of it here:

    bytes        formats → delimited, json_array → json_lines, plain_text; Parquet, Arrow: a worker
    raw row      RawRow, a value or a fault
    schema       columns → schemas: the fields under the schema's names
    parsed row   parse → labels, preferences → messages
    example      rows: with its source and its group
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from engine.chat import Message
from engine.data import labels as label_names
from engine.data.columns import ColumnMapping, find, make_mapping, refuse
from engine.data.formats import read_raw
from engine.data.llama_factory import add_columns
from engine.data.messages import BadRow, is_missing
from engine.data.parse import parse_row
from engine.data.raw_row import RawReader, RawRow, show
from engine.data.schemas import LABEL, FieldSchema, recognise
from engine.errors import EngineError
from engine.recipes.settings import Data

__all__ = [
    "Example",
    "Message",
    "OpenFile",
    "Reject",
    "Rows",
    "find_schema",
    "open_rows",
    "preview",
    "read",
    "recognise",
    "stream",
]

_LOOK_AHEAD = 1000
"""Rows without a known schema that are held, waiting for one that has; then the file is refused."""
_MOST_UNKNOWN = 50
"""Of these, rows that were read well and have other fields."""


@dataclass(frozen=True, slots=True)
class Example:
    messages: tuple[Message, ...]
    """A conversation; empty where the row is plain `text`."""
    source: str
    """`path:line`, where the row starts; of Parquet and Arrow the row's number, from 1."""
    rejected: tuple[Message, ...] = ()
    """Of a preference pair: the whole other conversation, the same prompt with the other answer."""
    text: str = ""
    """Plain text, all of which is learned."""
    group: str = ""
    """The value of the group column; rows that share one stay on one side of the split."""


@dataclass(frozen=True, slots=True)
class Reject:
    file: str
    line: int
    """Physical line on which the row starts, from 1; of Parquet and Arrow the row's number."""
    reason: str
    text: str
    """The row as it stands in the file, cut after 2,000 characters. Untrusted."""


@dataclass(frozen=True, slots=True)
class Rows:
    examples: list[Example]
    rejects: list[Reject]
    schema: str
    labels: tuple[str, ...] = ()
    """Of texts with labels: all labels of the file, where the prompt lists them."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file whose schema is known and whose rows are still to be read, once."""

    path: Path
    schema: str
    labels: tuple[str, ...]
    rows: Iterator[tuple[Example, ...] | Reject]
    """Row by row; two examples of one row where both answers of a pair are learned."""


def read(
    path: Path,
    data: Data | None = None,
    *,
    limit: int = 0,
    labels: Sequence[str] | None = None,
    raw: RawReader = read_raw,
) -> Rows:
    """All rows, or those up to the `limit`-th good one, with the rejects met on the way.

    `data` says how to read them; its own limit, shuffle and split are for whoever draws rows.
    `labels` are given where another file's count: eval rows are asked as training rows are. Raises
    EngineError for a file that is empty, of no known format or schema, or all bad rows.
    """
    examples: list[Example] = []
    rejects: list[Reject] = []
    opened = open_rows(path, data, labels=labels, raw=raw)
    good = 0
    for row in opened.rows:
        if isinstance(row, Reject):
            rejects.append(row)
            continue
        examples += row
        good += 1
        if good == limit:
            break
    if not examples:
        raise refuse_all(path, rejects, whole=True)
    return Rows(examples, rejects, opened.schema, opened.labels)


def preview(path: Path, count: int, data: Data | None = None, *, raw: RawReader = read_raw) -> Rows:
    """The first `count` rows, good and bad alike. Raises as `read`, but not for bad rows."""
    opened = open_rows(path, data, raw=raw)
    first = list(islice(opened.rows, count))
    examples = [one for row in first if not isinstance(row, Reject) for one in row]
    rejects = [row for row in first if isinstance(row, Reject)]
    return Rows(examples, rejects, opened.schema, opened.labels)


def find_schema(path: Path, data: Data | None = None, *, raw: RawReader = read_raw) -> str:
    """The file's schema. Raises EngineError as `read`; also where the first 1,000 rows are bad."""
    opened = open_rows(path, data, labels=(), raw=raw)
    bad: list[Reject] = []
    for row in islice(opened.rows, _LOOK_AHEAD):
        if not isinstance(row, Reject):
            return opened.schema
        bad.append(row)
    raise refuse_all(path, bad, whole=len(bad) < _LOOK_AHEAD)


def stream(
    path: Path, data: Data | None = None, *, raw: RawReader = read_raw
) -> Iterator[Example | Reject]:
    """`read`, one row at a time: nothing is held. Raises EngineError for the file."""
    for row in open_rows(path, data, raw=raw).rows:
        yield from (row,) if isinstance(row, Reject) else row


def open_rows(
    path: Path,
    data: Data | None = None,
    *,
    labels: Sequence[str] | None = None,
    raw: RawReader = read_raw,
) -> OpenFile:
    """Find the schema by the first rows. Texts with labels are read twice: all labels come first.

    Raises EngineError for what the recipe says wrong of the file, and as `read`.
    """
    data = add_columns(path, data or Data())
    mapping = make_mapping(data)
    label_names.check_prompt(data.label_prompt)
    rows = raw(path, data)
    held: list[RawRow] = []
    schema: FieldSchema | None = None
    unknown = 0
    for row in islice(rows, _LOOK_AHEAD):
        held.append(row)
        schema = mapping.recognise(row.value)
        unknown += row.fault is None
        if schema is not None or unknown == _MOST_UNKNOWN:
            break
    if schema is None:
        raise _refuse(path, mapping, held)
    if labels is None:
        labels = _collect(path, data, mapping, schema, raw)
    parsed = _parse(path, mapping, schema, data, labels, chain(held, rows))
    return OpenFile(path, schema.name, tuple(labels), parsed)


def _collect(
    path: Path, data: Data, mapping: ColumnMapping, schema: FieldSchema, raw: RawReader
) -> tuple[str, ...]:
    if schema.name != LABEL or not label_names.wants_labels(data.label_prompt):
        return ()
    values = (mapping.rename(row.value) for row in raw(path, data))
    return label_names.collect(values, schema.fields[1], str(path))


def _parse(
    path: Path,
    mapping: ColumnMapping,
    schema: FieldSchema,
    data: Data,
    labels: Sequence[str],
    rows: Iterator[RawRow],
) -> Iterator[tuple[Example, ...] | Reject]:
    for row in rows:
        file = row.file or str(path)
        if row.fault is not None:
            yield Reject(file, row.line, row.fault, row.text)
            continue
        try:
            parsed_rows = parse_row(mapping.rename(row.value), schema, data, labels)
        except BadRow as error:
            yield Reject(file, row.line, str(error), show(_write(row.value)))
            continue
        source, group = f"{file}:{row.line}", _group_of(row.value, mapping.group)
        yield tuple(
            Example(parsed.messages, source, parsed.rejected, parsed.text, group)
            for parsed in parsed_rows
        )


def _group_of(value: object, column: str) -> str:
    """The row's value in the group column; empty where it has none: then it is its own group."""
    group = find(value, column) if column and isinstance(value, Mapping) else None
    if is_missing(group):
        return ""
    return group if isinstance(group, str) else _write(group)


def _write(value: object) -> str:
    """The row again, as JSON, so that a person can find and mend it."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        return ""


def _refuse(path: Path, mapping: ColumnMapping, held: list[RawRow]) -> EngineError:
    """No row of the start has a known schema: say what was there."""
    if not held:
        return EngineError(f"{path.name} has no rows", str(path))
    faults = [Reject(str(path), row.line, row.fault, row.text) for row in held if row.fault]
    if len(faults) == len(held):
        return refuse_all(path, faults, whole=len(held) < _LOOK_AHEAD)
    objects = [row.value for row in held if isinstance(row.value, Mapping)]
    return refuse(path.name, str(path), mapping, objects)


def refuse_all(path: Path, bad: Sequence[Reject], *, whole: bool) -> EngineError:
    """How many rows are bad, and the first three reasons; `whole`: these are all of the file."""
    reasons = "\n".join(f"line {one.line}: {one.reason}" for one in bad[:3])
    count = f"{len(bad):,} invalid" if whole else f"the first {len(bad):,} are invalid"
    return EngineError(f"no valid row in {path.name} ({count})", f"{path}\n{reasons}")
