"""A data file as conversations to learn from, and every row that is none with its reason.

Owns reading and counting. Refuses to drop anything in silence: each row is an example or a reject.
What the fields mean is `schemas`, what the bytes mean is `formats`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engine.catalog.formats import read_raw
from engine.catalog.raw import RawRow, show
from engine.catalog.schemas import BadRow, Message, convert, recognise
from engine.errors import EngineError

__all__ = [
    "Example",
    "Message",
    "Reject",
    "Rows",
    "find_schema",
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
    """Physical line on which the row starts, from 1."""
    reason: str
    text: str
    """The row as it stands in the file, cut after 2,000 characters. Untrusted."""


@dataclass(frozen=True, slots=True)
class Rows:
    examples: list[Example]
    rejects: list[Reject]
    schema: str


def read(path: Path, *, limit: int = 0) -> Rows:
    """All rows, or those up to the `limit`-th example, with the rejects met on the way.

    Raises EngineError for a file that is empty, of no known format or schema, or all bad rows.
    """
    examples: list[Example] = []
    rejects: list[Reject] = []
    schema, rows = _open(path)
    for row in rows:
        if isinstance(row, Reject):
            rejects.append(row)
            continue
        examples.append(row)
        if len(examples) == limit:
            break
    if not examples:
        raise _refuse_all(path, "all", [(one.line, one.reason) for one in rejects])
    return Rows(examples, rejects, schema)


def preview(path: Path, count: int) -> Rows:
    """The first `count` rows, good and bad alike. Raises as `read`, but not for bad rows."""
    schema, rows = _open(path)
    first = list(islice(rows, count))
    examples = [row for row in first if isinstance(row, Example)]
    return Rows(examples, [row for row in first if isinstance(row, Reject)], schema)


def find_schema(path: Path) -> str:
    """The file's schema. Raises EngineError as `read`; also where the first 1,000 rows are bad."""
    schema, rows = _open(path)
    bad: list[tuple[int, str]] = []
    for row in islice(rows, _LOOK_AHEAD):
        if isinstance(row, Example):
            return schema
        bad.append((row.line, row.reason))
    raise _refuse_all(path, "the first" if len(bad) == _LOOK_AHEAD else "all", bad)


def stream(path: Path) -> Iterator[Example | Reject]:
    """`read`, one row at a time: nothing is held. Raises EngineError for the file."""
    return _open(path)[1]


def _open(path: Path) -> tuple[str, Iterator[Example | Reject]]:
    """The file's schema, and its rows converted by it."""
    raw = read_raw(path)
    held: list[RawRow] = []
    schema: str | None = None
    unknown = 0
    for row in islice(raw, _LOOK_AHEAD):
        held.append(row)
        schema = recognise(row.value)
        unknown += row.fault is None
        if schema is not None or unknown == _MOST_UNKNOWN:
            break
    if schema is None:
        raise _refuse(path, held)
    if schema == "text/label":
        raise EngineError(
            f"{path.name} holds texts and labels, which is not supported yet",
            str(path),
            "Write each row as instruction, input and output, with the label as the output.",
        )
    return schema, _convert(path, schema, held, raw)


def _convert(
    path: Path, schema: str, held: list[RawRow], raw: Iterator[RawRow]
) -> Iterator[Example | Reject]:
    for rows in (held, raw):
        for row in rows:
            yield _convert_row(path, schema, row)


def _convert_row(path: Path, schema: str, row: RawRow) -> Example | Reject:
    if row.fault is not None:
        return Reject(str(path), row.line, row.fault, row.text)
    try:
        return Example(convert(row.value, schema), f"{path}:{row.line}")
    except BadRow as error:
        return Reject(str(path), row.line, str(error), show(_write(row.value)))


def _write(value: object) -> str:
    """The row again, as JSON, so that a person can find and mend it."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def _refuse(path: Path, held: list[RawRow]) -> EngineError:
    """No row of the start has a known schema: say what was there."""
    if not held:
        return EngineError(f"{path.name} holds no rows", str(path))
    faults = [row for row in held if row.fault is not None]
    if len(faults) == len(held):
        which = "the first" if len(held) == _LOOK_AHEAD else "all"
        return _refuse_all(path, which, [(row.line, str(row.fault)) for row in faults])
    value = next(row.value for row in held if row.fault is None)
    fields = ", ".join(map(str, list(value)[:12])) if isinstance(value, dict) else "no fields"
    return EngineError(
        f"{path.name}: its fields are not known",
        f"{path}: {fields}",
        "Known: instruction/input/output, prompt/completion, question/answer, messages, "
        "conversations, prompt/chosen/rejected.",
    )


def _refuse_all(path: Path, which: str, bad: list[tuple[int, str]]) -> EngineError:
    """How many rows are bad, and the first three reasons."""
    reasons = "\n".join(f"line {line}: {reason}" for line, reason in bad[:3])
    return EngineError(f"{which} {len(bad):,} rows of {path.name} are bad", f"{path}\n{reasons}")
