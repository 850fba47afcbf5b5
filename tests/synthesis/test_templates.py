"""Templates: what is a column, what a brace, what neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.synthesis.templates import check_names, fill, names_in


@pytest.mark.parametrize(
    ("template", "columns", "filled"),
    [
        ("plain", {}, "plain"),
        ("Is {review} good?", {"review": "it {x} is"}, "Is it {x} is good?"),
        ("{a}{b}{a}", {"a": "1", "b": "2"}, "121"),
        ("{{a}} and {{{a}}}", {"a": "x"}, "{a} and {x}"),
        ("{ a }", {"a": "x"}, "x"),
        ("{a.b} {c d} {0} {e!r:>5}", {"a.b": 1, "c d": 2, "0": 3, "e!r:>5": 4}, "1 2 3 4"),
        ("{a}", {"a": None}, ""),
        ("{a} {b} {c}", {"a": 5, "b": 0.5, "c": True}, "5 0.5 true"),
        ("{a}", {"a": ["é", 1]}, '["é", 1]'),
        ("", {"a": 1}, ""),
    ],
)
def test_columns_take_the_place_of_their_names(
    template: str, columns: dict[str, object], filled: str
) -> None:
    assert fill(template, columns) == filled


@pytest.mark.parametrize("template", ["{", "}", "a {b", "a } b", "{}", "{a{b}}", "{a\nb}", "{{}"])
def test_a_brace_that_is_neither_is_named(template: str) -> None:
    with pytest.raises(EngineError, match="brace"):
        names_in(template)


def test_the_line_of_a_brace_is_named() -> None:
    with pytest.raises(EngineError) as error:
        names_in("one\ntwo {")
    assert "line 2" in error.value.detail


def test_a_name_that_there_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(EngineError, match="no column 'text'") as error:
        check_names("{review} {text}", ["review", "id"], "fields.label.ask")
    assert "fields.label.ask" in error.value.detail
    assert "review, id" in error.value.hint
    with pytest.raises(EngineError, match="no column"):
        fill("{a.__class__}", {"a": "x"})
    assert names_in("{b} {a} {b}") == ("b", "a")


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_can_be_written_and_any_value_filled_in(text: str, value: str) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert fill(escaped, {}) == text
    assert fill(escaped + "{x}", {"x": value}) == text + value
