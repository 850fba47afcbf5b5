"""A data file as examples to learn from, and every row that is none with its reason.

Owns reading and counting. Refuses to drop anything in silence: each row is an example or a reject.
A row goes one way, and each step knows only what is left of it here:

    bytes        formats → delimited, json_array → json_lines, plain_text; Parquet, Arrow: a worker
    raw row      RawRow, a value or a fault
    schema       columns → schemas: the fields under the schema's names
    left out     unpaired: labelled false; media: more than text
    parsed row   parse → labels, preferences → history → messages
    example      rows: with its source and its group; unread: what nobody asked of it
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from engine.chat import Message, Tools
from engine.data import labels as label_names
from engine.data.columns import ColumnMapping, find, make_mapping, recognise, refuse
from engine.data.formats import read_raw
from engine.data.llama_factory import add_columns
from engine.data.media import check_media
from engine.data.messages import find_turns
from engine.data.parse import parse_row
from engine.data.raw_row import RawReader, RawRow, show
from engine.data.schemas import CONVERSATIONS, LABEL, TOOL_COLUMNS, FieldSchema
from engine.data.source_groups import find_group_column
from engine.data.unpaired import LABELLED_FALSE, LabelReader
from engine.data.unread import UnreadFields
from engine.data.values import BadRow, Row, is_missing
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
    """The value of the group column, or of a row that was made of a raw text its source; rows that
    share one stay on one side of the split."""
    tools: Tools = field(default=(), hash=False)
    """What the model of the conversation may call."""


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
    unread: UnreadFields = field(default_factory=UnreadFields)
    """What nobody reads of the rows that were read so far, and are examples."""


def read(
    path: Path,
    data: Data | None = None,
    *,
    limit: int = 0,
    labels: Sequence[str] | None = None,
    objective: str = "sft",
    raw: RawReader = read_raw,
) -> Rows:
    """All rows, or those up to the `limit`-th good one, with the rejects met on the way.

    `data` says how to read them; its own limit, shuffle and split are for whoever draws rows.
    `labels` are given where another file's count: eval rows are asked as training rows are. The
    `objective` is the recipe's: for `dpo` pairs are looked for. Raises EngineError for a file that
    is empty, of no known format or schema, or all bad rows.
    """
    examples: list[Example] = []
    rejects: list[Reject] = []
    opened = open_rows(path, data, labels=labels, objective=objective, raw=raw)
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


def preview(
    path: Path,
    count: int,
    data: Data | None = None,
    *,
    objective: str = "sft",
    raw: RawReader = read_raw,
) -> Rows:
    """The first `count` rows, good and bad alike. Raises as `read`, but not for bad rows."""
    opened = open_rows(path, data, objective=objective, raw=raw)
    first = list(islice(opened.rows, count))
    examples = [one for row in first if not isinstance(row, Reject) for one in row]
    rejects = [row for row in first if isinstance(row, Reject)]
    return Rows(examples, rejects, opened.schema, opened.labels)


def find_schema(
    path: Path, data: Data | None = None, *, objective: str = "sft", raw: RawReader = read_raw
) -> str:
    """The file's schema. Raises EngineError as `read`; also where the first 1,000 rows are bad."""
    opened = open_rows(path, data, labels=(), objective=objective, raw=raw)
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
    objective: str = "sft",
    raw: RawReader = read_raw,
) -> OpenFile:
    """Find the schema by the first rows. Texts with labels are read twice: all labels come first.

    Raises EngineError for what the recipe says wrong of the file, and as `read`.
    """
    data = add_columns(path, data or Data())
    mapping = make_mapping(data, objective)
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

    def read_again() -> Iterator[object]:
        return (mapping.rename(row.value, schema) for row in raw(path, data))

    if labels is None:
        labels = collect_labels(path, data, schema, read_again)
    checks = _Checks(mapping, schema, LabelReader(schema, "label" in mapping.columns, read_again))
    parsed = _parse(path, checks, data, labels, chain(held, rows))
    return OpenFile(path, schema.name, tuple(labels), parsed, checks.unread)


def collect_labels(
    path: Path, data: Data, schema: FieldSchema, read_again: Callable[[], Iterator[object]]
) -> tuple[str, ...]:
    """All labels of a file, where its rows are texts with labels and their prompt lists them."""
    if schema.name != LABEL or not label_names.wants_labels(data.label_prompt):
        return ()
    return label_names.collect(read_again(), schema.fields[1], str(path))


@dataclass(frozen=True, slots=True)
class _CheckedRow:
    """A row whose text can be read."""

    fields: Mapping[str, str]
    """Those that are read, with their columns."""
    turns: Mapping[str, list[Row]]
    """The turns that these hold, as they stand."""


@dataclass(frozen=True, slots=True)
class _Checks:
    """What is asked of a row before its text is read, and what of it is not read."""

    mapping: ColumnMapping
    schema: FieldSchema
    labels: LabelReader
    unread: UnreadFields = field(default_factory=UnreadFields)

    def check(self, row: object, renamed: object) -> _CheckedRow | None:
        """A row as the file has it, and `renamed` as its schema does; None where it is no row, or
        a sample of our own, where all else is about the answer. Raises BadRow.
        """
        if not isinstance(row, Mapping) or not isinstance(renamed, Mapping):
            return None
        good = self.labels.read(renamed)
        if good is False:
            raise BadRow(LABELLED_FALSE)
        if self.schema.kind == "sample":
            return None
        fields = self.mapping.list_read(self.schema, row)
        if good is None and "label" in self.schema.more:
            fields.pop("label", None)
        turns = {
            name: find_turns(renamed.get(name), name, as_json=name in CONVERSATIONS)
            for name in fields
            if name not in TOOL_COLUMNS  # lists of objects, and no turns
        }
        check_media(renamed, fields, turns)
        return _CheckedRow(fields, turns)


def _parse(
    path: Path, checks: _Checks, data: Data, labels: Sequence[str], rows: Iterator[RawRow]
) -> Iterator[tuple[Example, ...] | Reject]:
    mapping = checks.mapping
    for row in rows:
        file = row.file or str(path)
        if row.fault is not None:
            yield Reject(file, row.line, row.fault, row.text)
            continue
        renamed = mapping.rename(row.value, checks.schema)
        try:
            checked = checks.check(row.value, renamed)
            parsed_rows = parse_row(renamed, checks.schema, data, labels)
        except BadRow as error:
            yield Reject(file, row.line, str(error), show(_write(row.value)))
            continue
        column = mapping.group or find_group_column(row.value)
        if checked is not None and isinstance(row.value, Mapping):
            checks.unread.add(row.value, checked.fields.values(), checked.turns, column)
        source, group = f"{file}:{row.line}", _group_of(row.value, column)
        yield tuple(
            Example(parsed.messages, source, parsed.rejected, parsed.text, group, parsed.tools)
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
    """How many rows are bad, and the first three reasons; `whole`: these are all of the file.

    Where all are labelled false, that.
    """
    if bad and all(one.reason == LABELLED_FALSE for one in bad):
        first = "" if whole else "the first "
        return EngineError(
            f"no row to train on in {path.name} ({first}{len(bad):,} labelled false)",
            str(path),
            "Such rows are not trained on; without the column 'label' they are.",
        )
    reasons = "\n".join(f"line {one.line}: {one.reason}" for one in bad[:3])
    count = f"{len(bad):,} invalid" if whole else f"the first {len(bad):,} are invalid"
    return EngineError(f"no valid row in {path.name} ({count})", f"{path}\n{reasons}")
