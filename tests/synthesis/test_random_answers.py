"""Random rows of random schemas, in random ways: an answer equals the truth or is refused."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.recipes.synthesis_settings import RowField
from engine.synthesis.answer_object import read_field, read_object
from engine.synthesis.outcomes import BadAnswer
from engine.synthesis.row_schema import RowSchema, make_schema
from engine.worker.synthesis.answer_repair import propose_repair
from tests.synthesis.damaged_answers import (
    Style,
    escape_single,
    escape_typographic,
    leave,
    write,
)

KEYS = ("a", "b", "c d", "label", "größe")
CHOICES = ["agree", "disagree", "not sure"]
# Rich in what has a meaning in JSON, with keys of the rows among it.
PIECES = st.sampled_from([
    *"\"'“”{}[]:,\\/#\n\t abN1.", '"a"', "label", "true", "/*", "//", "```", "</think>", "é", "😀",
    '", "b": ', '"}{', '"} {"', "\ud83d", "\x00", '"}', "': '",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)
WHOLE_TEXTS = TEXTS.map(lambda text: text.encode("utf-8", "replace").decode())
VALUES = {
    "text": WHOLE_TEXTS,
    "label": st.sampled_from(CHOICES),
    "integer": st.integers(-(10**12), 10**12),
    "number": st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-9, 9),
    "boolean": st.booleans(),
    "list": st.lists(WHOLE_TEXTS, min_size=1, max_size=3),
}
STYLES = st.builds(
    Style,
    quotes=st.sampled_from([('"', '"'), ("'", "'"), ("“", "”")]),
    key_quotes=st.sampled_from([None, None, ('"', '"'), ("'", "'")]),
    words=st.sampled_from([("true", "false", "null"), ("True", "False", "None")]),
    between=st.sampled_from([", ", ",\n  ", "\n", " ", ", // x\n", ", /* {x: 1} */ "]),
    last=st.sampled_from(["", "", ",", "\n", " # end\n"]),
    last_entry=st.sampled_from(["", ","]),
)
ESCAPES = {'"': leave(), "'": escape_single, "“": escape_typographic}


@st.composite
def rows(draw: st.DrawFn, *, optional: bool = True) -> tuple[RowSchema, dict[str, Any]]:
    names = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True))
    fields, row = {}, {}
    for name in names:
        kind = draw(st.sampled_from(sorted(VALUES)))
        may_lack = optional and draw(st.integers(0, 3)) == 0
        fields[name] = RowField(
            ask="?", type=kind, min_chars=0, choices=CHOICES if kind == "label" else [],
            optional=may_lack,
        )  # fmt: skip
        if not may_lack or draw(st.booleans()):
            row[name] = draw(VALUES[kind])
    return make_schema(fields), row


def read(text: str, schema: RowSchema, finish: Any = "stop") -> dict[str, Any] | None:
    """None where the answer is refused."""
    try:
        return read_object(text, finish, schema, propose_repair)[0]
    except BadAnswer:
        return None


def is_equal(row: dict[str, Any], truth: dict[str, Any]) -> bool:
    return json.dumps(row, sort_keys=True) == json.dumps(truth, sort_keys=True)


@given(rows())
@settings(max_examples=150, deadline=None)
def test_what_the_standard_library_writes_is_read(case: tuple[RowSchema, dict[str, Any]]) -> None:
    schema, truth = case
    texts = [
        one for value in truth.values() for one in (value if isinstance(value, list) else [value])
    ]
    row = read(json.dumps(truth), schema)
    if row is None:
        # The only reasons: no member at all, or a mark of reasoning in the middle of a text.
        assert not truth or any("</think>" in one for one in texts if isinstance(one, str))
    else:
        assert is_equal(row, truth)


@given(rows(), STYLES, TEXTS, TEXTS, st.sampled_from(["stop", "length", "cancelled"]))
@settings(max_examples=300, deadline=None)
def test_damaged_answers_equal_the_truth_or_are_refused(
    case: tuple[RowSchema, dict[str, Any]], style: Style, before: str, after: str, finish: str
) -> None:
    schema, truth = case
    object.__setattr__(style, "escape", ESCAPES[style.quotes[0]])
    for text in (style.write(truth), f"{before} {style.write(truth)}\n{after}"):
        row = read(text, schema, finish)
        assert row is None or is_equal(row, truth), text


@given(rows(optional=False), TEXTS)
@example((make_schema({"a": RowField(ask="?", min_chars=0)}), {"a": '"}{'}), '"')
@settings(max_examples=300, deadline=None)
def test_quotes_that_are_not_escaped_never_change_a_row(
    case: tuple[RowSchema, dict[str, Any]], after: str
) -> None:
    schema, row = case
    # Of lists ["x","y"] is as good a way to write x and y as to write x","y: nobody can tell.
    truth = {
        key: [one.replace('"', "") for one in value] if isinstance(value, list) else value
        for key, value in row.items()
    }
    written = Style(escape=leave('"')).write(truth)
    for text in (written, written[:-1] + ",}", f"```json\n{written}\n```", f"{written} {after}"):
        found = read(text, schema)
        assert found is None or is_equal(found, truth), text


@given(rows(), STYLES, st.floats(0, 1), st.sampled_from(["stop", "length"]))
@settings(max_examples=200, deadline=None)
def test_no_part_of_an_answer_is_completed(
    case: tuple[RowSchema, dict[str, Any]], style: Style, share: float, finish: str
) -> None:
    schema, truth = case
    object.__setattr__(style, "escape", ESCAPES[style.quotes[0]])
    for text in (style.write(truth), write(truth), f"[{write(truth)}, {write(truth)}]"):
        assert read(text[: int((len(text) - 1) * share)], schema, finish) is None


@given(TEXTS | st.text(max_size=60), st.sampled_from(["stop", "length"]))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str, finish: Any) -> None:
    schema = make_schema({
        kind: RowField(ask="?", type=kind, choices=CHOICES if kind == "label" else [])
        for kind in VALUES
    })  # fmt: skip
    for answer in (text, f"{{{text}}}", f'{{"text": {text}}}', f'{{"text": "{text}"}}'):
        read(answer, schema, finish)
        for name in schema.asked:
            try:
                value, _ = read_field(answer, finish, schema, name)
            except BadAnswer:
                continue
            assert schema.check({**dict.fromkeys(schema.asked), name: value}) == [
                reason for reason in schema.check(dict.fromkeys(schema.asked))
                if reason.detail != name
            ]  # fmt: skip


@pytest.mark.parametrize("text", ["[" * 1000, '{"a":' * 1000, "{" * 1000, '{"a": ' + "[" * 1000,
                                  '{"a": "' + '"{[(' * 1000, '{"a": ' + "9" * 5000 + "}",
                                  "`" * 5000, "<think>" * 1000, '{/*' * 1000])  # fmt: skip
def test_an_answer_without_an_end_is_refused(text: str) -> None:
    schema = make_schema({"a": RowField(ask="?", type="integer")})
    assert read(text, schema) is None
    assert read(f"{text},", schema) is None
