"""The schema of rows: which recipes make one, what fits it, and how generators are held to it."""

import json

import pytest
from llguidance import LLMatcher

from engine.errors import EngineError
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.outcomes import BadAnswer, Reason
from engine.synthesis.row_schema import make_schema

FIELDS = {
    "review": RowField(take="{text}"),
    "label": RowField(ask="Does {text} agree?", type="label", choices=["agree", "disagree"]),
    "stars": RowField(ask="How many?", type="integer", range=[1, 5]),
    "why": RowField(ask="Why {label}?", optional=True, max_chars=20),
    "tags": RowField(ask="Which?", type="list", optional=True),
    "rated": RowField(take="{label}: {stars}"),
    "rating": RowField(take="{rating}", type="number", optional=True),
}
COLUMNS = ["text", "rating"]
SCHEMA = make_schema(FIELDS, COLUMNS)


def test_fields_are_taken_or_asked_for_in_order() -> None:
    assert SCHEMA.asked == ("label", "stars", "why", "tags")
    assert SCHEMA.taken == ("review", "rated", "rating")
    assert SCHEMA.required == frozenset(), "a row may lack some"
    assert make_schema({"a": RowField(ask="?")}).required == {"a"}


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"a": RowField(take="{text}", ask="?")}, "fields.a: give either"),
        ({"a": RowField()}, "fields.a: give either"),
        ({"a": RowField(ask="?", type="label")}, "at least two"),
        ({"a": RowField(ask="?", type="label", choices=["x", "X "])}, "at least two"),
        ({"a": RowField(ask="?", type="label", choices=["x", "y", " Y"])}, "letter case"),
        ({"a": RowField(ask="?", type="label", choices=["x", " "])}, "empty"),
        ({"a": RowField(ask="?", choices=["x", "y"])}, "for labels"),
        ({"a": RowField(ask="?", range=[1, 2])}, "for numbers"),
        ({"a": RowField(ask="?", type="number", range=[1])}, "least and the largest"),
        ({"a": RowField(ask="?", type="number", range=[2, 1])}, "least and the largest"),
        ({"a": RowField(ask="?", min_chars=9, max_chars=8)}, "min_chars"),
        ({"": RowField(ask="?")}, "name"),
        ({"a\nb": RowField(ask="?")}, "name"),
        ({"{a}": RowField(ask="?")}, "braces"),
        ({"a": RowField(ask="{no}")}, "fields.a.ask: {no}"),
        ({"a": RowField(ask="?"), "b": RowField(take="{no}")}, "fields.b.take: {no}"),
        ({"a": RowField(ask="{b}"), "b": RowField(ask="?")}, "fields.a.ask: {b}"),
        ({"a": RowField(ask="a {")}, "'{'"),
    ],
)
def test_fields_that_make_no_rows_are_refused(fields: dict[str, RowField], detail: str) -> None:
    with pytest.raises(EngineError) as error:
        make_schema(fields, COLUMNS)
    assert detail in error.value.detail


def test_rows_have_fields_and_something_is_asked() -> None:
    with pytest.raises(EngineError, match="have no fields"):
        make_schema({})
    with pytest.raises(EngineError, match="is asked for"):
        make_schema({"a": RowField(take="{text}")}, COLUMNS)


def test_one_object_is_asked_for_before_any_field_is_there() -> None:
    with pytest.raises(EngineError, match="no column 'label'"):
        make_schema(FIELDS, COLUMNS, one_object=True)
    make_schema(FIELDS, one_object=True)  # whose columns are not known


def test_a_whole_row_is_checked_and_each_fault_named() -> None:
    row = {"review": "x", "label": "agree", "stars": 4, "rated": "agree: 4"}
    assert SCHEMA.check(row) == []
    assert SCHEMA.check({**row, "why": None, "rating": 0.5}) == []
    assert SCHEMA.check({**row, "stars": "4", "label": "both", "more": 1, "rated": None}) == [
        Reason("unknown field", "more"),
        Reason("not a choice", "label: both"),
        Reason("wrong type", "stars: integer expected, not text"),
        Reason("missing field", "rated"),
    ]
    assert SCHEMA.check({**row, "stars": 6})[0].name == "out of range"
    assert SCHEMA.check({**row, "why": "x" * 21})[0].name == "too long"


def test_an_answer_has_the_fields_that_are_asked_for_alone() -> None:
    assert SCHEMA.take_answer({"label": "AGREE", "stars": 4, "why": None}) == {
        "label": "agree", "stars": 4,
    }  # fmt: skip
    with pytest.raises(BadAnswer, match="unknown field: review"):
        SCHEMA.take_answer({"label": "agree", "stars": 4, "review": "x"})


def test_fields_are_taken_from_the_source_and_from_those_before() -> None:
    assert SCHEMA.take("review", {"text": "It 😀 {is}"}) == "It 😀 {is}"
    assert SCHEMA.take("rated", {"label": "agree", "stars": 4}) == "agree: 4"
    assert SCHEMA.take("rating", {"rating": 4}) == 4
    assert SCHEMA.take("rating", {"rating": "4.5"}) == 4.5
    for rating in ("4 stars", True, None):
        with pytest.raises(BadAnswer):
            SCHEMA.take("rating", {"rating": rating})
    with pytest.raises(BadAnswer, match="empty"):
        SCHEMA.take("rating", {})
    with pytest.raises(BadAnswer, match="too short"):
        SCHEMA.take("review", {"text": None})


def test_a_field_s_answer_is_read_by_its_type() -> None:
    assert SCHEMA.read_value("label", "Agree.") == "agree"
    assert SCHEMA.read_value("tags", "- a\n- b") == ["a", "b"]
    with pytest.raises(BadAnswer):
        SCHEMA.read_value("why", "it was cut in the mi", "length")


def test_the_json_schema_is_of_form_alone() -> None:
    assert SCHEMA.json_schema() == {
        "type": "object",
        "properties": {
            "label": {"type": "string", "enum": ["agree", "disagree"]},
            "stars": {"type": "integer"},
            "why": {"type": ["string", "null"]},
            "tags": {"type": ["array", "null"], "items": {"type": "string"}},
        },
        "required": ["label", "stars", "why", "tags"],
        "additionalProperties": False,
    }
    optional = make_schema({"a": RowField(ask="?", type="label", choices=["x", "y"], optional=True),
                            "b": RowField(ask="?")})  # fmt: skip
    assert optional.json_schema()["properties"]["a"] == {
        "type": ["string", "null"], "enum": ["x", "y", None],
    }  # fmt: skip


def test_llguidance_takes_the_schema() -> None:
    for schema in (SCHEMA, make_schema({"größe": RowField(ask="?", type="boolean")})):
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema.json_schema()))
        assert LLMatcher.validate_grammar(grammar) == ""
