"""One reader: what training makes of a file's rows, and what items are made of the same bytes."""

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compare.item_reader import read_items
from engine.compare.items import Item
from engine.data.rows import Example, Reject, read
from engine.data.schemas import ANSWERS, CONVERSATIONS, FIELD_SCHEMAS, FieldSchema
from engine.data.unpaired import LABELLED_FALSE
from engine.errors import EngineError

SCHEMAS = {
    schema.fields: schema
    for schema in FIELD_SCHEMAS
    if schema.kind != "text" and (schema.kind != "label" or schema.fields[0] == "sentence")
}
FLAT = [fields for fields in SCHEMAS if SCHEMAS[fields].kind in ("answer", "label")]
TURN_FIELDS = ("messages", "conversations")

text = st.one_of(
    st.sampled_from(["q", "a b", "", " ", "\0", "\ud83d", "1", "é\u200b\n\n x", "Human: a"]),
    st.text(max_size=12),
)
turn = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "boss", None]),
        "content": st.one_of(text, st.none(), st.just([{"type": "text", "text": "t"}])),
        "from": st.sampled_from(["human", "gpt", "nobody"]),
        "value": text,
    },
)
conversation = st.lists(
    st.sampled_from(["user", "assistant", "system"]).flatmap(
        lambda role: text.map(lambda content: {"role": role, "content": content})
    ),
    max_size=5,
)
scalar = st.one_of(text, st.none(), st.booleans(), st.integers(-3, 3), st.floats())
cell = st.one_of(scalar, conversation, st.lists(turn, max_size=3), st.just({"a": 1}))


def good_row(schema: FieldSchema) -> dict[str, Any]:
    """A row that training reads, of this schema and no other."""
    turns = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "reply"}]
    if schema.kind == "sample":
        return {"messages": turns[:1], "text": "reply", "finish": "stop", "output_ids": [1]}
    if schema.kind == "turns":
        return {schema.fields[0]: turns}
    row: dict[str, Any] = dict.fromkeys(schema.fields, "first")
    if schema.fields[0] in CONVERSATIONS:
        return {**row, schema.fields[0]: turns[:1], schema.answers[1]: "second"}
    return {**row, schema.fields[0]: turns} if schema.fields[0] in ANSWERS else row


def answer_field(schema: FieldSchema) -> str:
    if schema.kind == "pair":
        return next(field for field in schema.fields if field in ANSWERS)
    return schema.fields[-1] if schema.kind == "answer" else ""


def trained(path: Path) -> Example | Reject:
    """What training makes of the second row."""
    rows = read(path)
    if rows.rejects:
        return rows.rejects[0]
    return rows.examples[1]


def asked(path: Path) -> Item | str:
    """The item of the second row, or why it is none."""
    try:
        return read_items(path)[1]
    except EngineError as error:
        return error.detail.partition(":2: ")[2]


def lacks_only_its_answer(reason: str, schema: FieldSchema) -> bool:
    field = answer_field(schema)
    absent = (f"missing field {field!r}", f"empty {field!r}", "no answer to train on")
    return reason in absent and (bool(field) or schema.kind == "turns")


def compare(path: Path, schema: FieldSchema) -> None:
    row, item = trained(path), asked(path)
    if isinstance(row, Reject):
        if lacks_only_its_answer(row.reason, schema):
            return  # it can still be asked; refused where what is asked is bad too
        if row.reason == LABELLED_FALSE:
            assert isinstance(item, str) or not item.reference
            return
        assert item == row.reason
        return
    assert isinstance(item, Item), item
    *before, last = row.messages
    if last.role == "assistant":
        assert (item.messages, item.reference) == (tuple(before), last.content)
    else:
        assert (item.messages, item.reference) == (row.messages, "")
    if schema.kind == "label":
        assert item.gold == (last.content,)


@pytest.mark.parametrize("fields", SCHEMAS)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_both_agree_on_every_row(fields: tuple[str, ...], data: st.DataObject) -> None:
    schema = SCHEMAS[fields]
    row = good_row(schema)
    names = st.sampled_from([*fields, *schema.more, "other"])
    for name in data.draw(st.sets(names, max_size=3)):
        turns = name in TURN_FIELDS and data.draw(st.booleans())
        row[name] = data.draw(conversation if turns else cell)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        path.write_text("".join(json.dumps(one) + "\n" for one in (good_row(schema), row)))
        compare(path, schema)


@pytest.mark.parametrize("fields", FLAT)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_tables_agree_too(tmp_path: Path, fields: tuple[str, ...], separator: str) -> None:
    cells = ['q, "quoted"; \t|', "a\nb"]
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        table = csv.writer(file, delimiter=separator)
        table.writerows([fields, ["first", "reply"], cells[: len(fields)]])
    if separator == "\t":
        (tmp_path / "rows.csv").rename(tmp_path / "rows.tsv")
        compare(tmp_path / "rows.tsv", SCHEMAS[fields])
    else:
        compare(tmp_path / "rows.csv", SCHEMAS[fields])


@pytest.mark.parametrize(
    "line",
    [b"{oops", b'{"prompt": "\xff"}', b"[" * 5000, b"7", b'"text"', b"null", b"1" * 5000],
)
def test_a_line_that_is_no_row_is_refused_alike(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"prompt": "q", "completion": "a"}\n' + line + b"\n")
    row = trained(path)
    assert isinstance(row, Reject)
    assert row.reason == asked(path)
