"""Files of items: prompts to compare arms on, suites of tasks, rows that a run held out.

The rows come the way that training rows come: the same formats, columns, schemas and parser
(`engine.data`), so that what training reads is read here, and what it refuses is refused for the
same reason. Beyond that a row may lack its answer; it is then only asked. Nothing is left out in
silence: a file with a bad row is refused, by file and line, before anything starts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from engine.compare.item_fields import read_item, read_perplexity_item, read_score
from engine.compare.items import Item
from engine.data.columns import make_mapping
from engine.data.formats import holds_columns, read_raw
from engine.data.llama_factory import add_columns
from engine.data.media import check_media
from engine.data.messages import find_turns
from engine.data.parse import list_questions, parse_row
from engine.data.raw_row import RawReader, RawRow
from engine.data.rows import collect_labels
from engine.data.schemas import ANSWERS, CONVERSATIONS, LABEL, PROMPT_SCHEMAS, FieldSchema
from engine.data.shards import PACKED
from engine.data.unpaired import LabelReader
from engine.data.values import BadRow, Row, is_missing, say
from engine.errors import EngineError
from engine.recipes.settings import Data

_SHOWN = 3
"""Bad rows that a refusal names."""
_PROMPT_FIELDS = tuple(dict.fromkeys(schema.fields[0] for schema in PROMPT_SCHEMAS))


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is no item."""

    where: str
    """`FILE:LINE`"""
    reason: str


def read_items(path: Path) -> list[Item]:
    """The items of a file, in order, each with an id of its own (the line's where it has none).

    Raises EngineError where the file cannot be read or has no rows, and where a row is bad: then
    with how many are, and the first three by file and line.
    """
    if holds_columns(path):
        raise EngineError(
            f"{path.name} is Parquet or Arrow, which prompts are not read from",
            str(path),
            "Save the rows as JSONL: datasets.Dataset.from_parquet(FILE).to_json(NEW_FILE).",
        )
    rows = list(stream_items(path))
    items = [row for row in rows if isinstance(row, Item)]
    refused = [row for row in rows if isinstance(row, RefusedRow)]
    if refused:
        raise refuse_rows(path, refused, len(rows))
    if not items:
        raise EngineError(f"{path.name} has no prompts", str(path), "Write one per line.")
    return items


def stream_items(
    path: Path,
    *,
    raw: RawReader | None = None,
    labels: tuple[str, ...] | None = None,
    numbered: bool = False,
) -> Iterator[Item | RefusedRow]:
    """The items behind a path, one at a time, and the rows that are none.

    `raw` reads the rows, of Parquet and Arrow too where it can; `labels` are given where another
    file's count. An id that came before is refused with its line, or `numbered`: `ID#2`. Raises
    EngineError where the file cannot be read.
    """
    data = add_columns(path, Data())
    read = raw or _read_rows
    reader = _ItemReader(path, data, read, labels)
    lines: dict[str, str] = {}
    copies: Counter[str] = Counter()
    for row in read(path, data):
        try:
            item = reader.read(row)
            if numbered and item.id in lines:
                item = replace(item, id=_number(item.id, copies, lines))
            if item.id in lines:
                raise BadRow(f"duplicate id {item.id[:80]!r}, first on line {lines[item.id]}")
        except BadRow as error:
            yield RefusedRow(f"{row.file or path}:{row.line}", str(error))
            continue
        lines[item.id] = _line_of(row)
        yield item


def refuse_rows(path: Path, refused: Sequence[RefusedRow], rows: int) -> EngineError:
    """How many of so many rows are bad, and the first three."""
    shown = "\n".join(f"{one.where}: {one.reason}" for one in refused[:_SHOWN])
    more = f"\nand {len(refused) - _SHOWN:,} more" if len(refused) > _SHOWN else ""
    return EngineError(
        f"{len(refused):,} of {rows:,} rows of {path.name} cannot be used as prompts",
        shown + more,
        "Mend or remove these rows.",
    )


def parse_item(row: Mapping[str, object], name: str = "item") -> Item:
    """The item of one row that stands in no file. Raises BadRow with the reason."""
    return _ItemReader(Path(name), Data(), None, ()).read(RawRow(1, 0, row))


def _read_rows(path: Path, data: Data) -> Iterator[RawRow]:
    return read_raw(path, data, prompt_lines=True)


class _ItemReader:
    """Makes the items of one file, whose schema is that of its first row that has one."""

    def __init__(
        self,
        path: Path,
        data: Data,
        read: RawReader | None,
        labels: tuple[str, ...] | None = None,
    ) -> None:
        """`read` reads the file once more, for its labels; None where the row is in no file."""
        self._path, self._data, self._read = path, data, read
        mapping = make_mapping(data)
        # A text by itself is asked, and not learned.
        schemas = tuple(schema for schema in mapping.schemas if schema.kind != "text")
        self._mapping = replace(mapping, schemas=schemas)
        self._schema: FieldSchema | None = None
        self._label_reader: LabelReader | None = None
        self._labels = labels
        """Of texts with labels; None until one comes."""
        self._names: dict[str, int] = {}

    def read(self, raw: RawRow) -> Item:
        """The item of a row. Raises BadRow."""
        name = self._name(raw)
        if raw.fault is not None:
            raise BadRow(raw.fault)
        if not isinstance(raw.value, Mapping):
            raise BadRow(f"a row must be an object, not {say(raw.value)}")
        score = read_score(raw.value)
        row: Row = cast(Row, self._mapping.rename(raw.value))
        if score == "perplexity":
            return read_perplexity_item(row, name)
        value: Mapping[str, object] = raw.value
        if score:  # then `answer` is what version 1 called the gold
            value = {key: cell for key, cell in value.items() if key != "answer"}
        schema = self._find_schema(value)
        labels = self._labels_of(schema)
        if schema.kind != "sample":
            self._check_media(row, schema)
        (parsed,) = parse_row(row, schema, self._data, labels, answered=False)
        item = read_item(row, name, parsed, labels)
        if self._is_labelled_false(row):
            item = replace(item, reference="")  # an answer, and none to be like
        later = len(list_questions(row["turns"])) - 1 if schema.kind == "questions" else 0
        return replace(item, later_turns=later) if later > 0 else item

    def _name(self, raw: RawRow) -> str:
        """`STEM-LINE`, and a number where several rows begin on one line."""
        path = Path(raw.file or self._path)
        stem = (path.with_suffix("") if path.suffix.lower() == PACKED else path).stem
        name = f"{stem}-{raw.line}"
        number = self._names[name] = self._names.get(name, 0) + 1
        return name if number == 1 else f"{name}-{number}"

    def _find_schema(self, value: Mapping[str, object]) -> FieldSchema:
        """The file's schema where a row has its fields, else its own, be it of prompts."""
        row = cast(Row, self._mapping.rename(value))
        if self._schema is not None and all(name in row for name in self._schema.fields):
            schema: FieldSchema | None = self._schema
        else:
            schema = self._mapping.recognise(value)
            self._schema = self._schema or schema
        answer = _answer_field(schema)
        if schema is not None and not (answer and _is_blank(row.get(answer))):
            return schema
        filled = (one for one in PROMPT_SCHEMAS if not _is_blank(row.get(one.fields[0])))
        schema = next(filled, schema or self._schema)
        if schema is None:
            raise BadRow(f"missing field: one of {', '.join(_PROMPT_FIELDS)}")
        return schema

    def _labels_of(self, schema: FieldSchema) -> tuple[str, ...]:
        """All labels of the file, for rows of texts with labels."""
        if schema.name != LABEL:
            return ()
        if self._labels is None:
            self._labels = collect_labels(self._path, self._data, schema, self._read_again)
        return self._labels

    def _read_again(self) -> Iterator[object]:
        rows = self._read(self._path, self._data) if self._read is not None else ()
        return (self._mapping.rename(row.value, self._schema) for row in rows)

    def _is_labelled_false(self, row: Row) -> bool:
        """Whether the row says itself that its answer is a bad one."""
        if self._schema is None or self._read is None:
            return False
        if self._label_reader is None:
            named = "label" in self._mapping.columns
            self._label_reader = LabelReader(self._schema, named, self._read_again)
        return self._label_reader.read(row) is False

    def _check_media(self, row: Row, schema: FieldSchema) -> None:
        """Raise BadRow for a row with images, video or audio."""
        fields = {name: name for name in (*schema.fields, *schema.more) if name in row}
        turns = {
            name: find_turns(row[name], name, as_json=name in CONVERSATIONS) for name in fields
        }
        check_media(row, fields, turns)


def _answer_field(schema: FieldSchema | None) -> str:
    """The field of a schema's answer, without which the rest can still be asked."""
    if schema is None or schema.kind not in ("answer", "pair"):
        return ""
    return next((name for name in schema.fields if name in ANSWERS), schema.fields[-1])


def _is_blank(value: object) -> bool:
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def _number(name: str, copies: Counter[str], known: Mapping[str, str]) -> str:
    """An id for the next row that has this one too."""
    while True:
        copies[name] += 1
        numbered = f"{name}#{copies[name] + 1}"
        if numbered not in known:
            return numbered


def _line_of(row: RawRow) -> str:
    return f"{row.line} of {Path(row.file).name}" if row.file else str(row.line)
