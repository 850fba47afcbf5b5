"""Checks: what can be told of an answer without judging it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compare.checks import CHECKS, met, overlap, problem, says


@pytest.mark.parametrize(
    ("check", "value", "right", "wrong"),
    [
        ("words", 3, "one, two, three", "one two"),
        ("most_words", 2, "one two", "one two three"),
        ("least_words", 2, "one two", "one"),
        ("sentences", 2, "One. Two!", "One."),
        ("lines", 2, "a\n\nb", "a"),
        ("bullets", 2, "- a\n* b", "1. a\n2. b"),
        ("numbered", 2, "1. a\n2) b", "- a\n- b"),
        ("capitals", True, "WHALE, PENCIL", "Whale"),
        ("small_letters", True, "whale", "Whale"),
        ("json", True, '{"a": 1}', "{a: 1}"),
        ("number", 85, "47 + 38 = 85", "85 is not 84"),
        ("number", 1200, "It is 1,200.", "12"),
        ("says", "New York", "I love new york!", "York, New"),
        ("omits", "sorry", "Fine.", "Sorry, no."),
        ("begins", "Dear robot", "Dear robot, hello", "Hello, dear robot"),
        ("ends", "amen", "so be it, amen ", "amen."),
        ("equals", "a, b", "A B.", "a b c"),
        ("python", "step", "```python\ndef step(x):\n    return x + 7\n```", "def step(x) return"),
        ("python", "step", "def step(x):\n    return x", "def other(x):\n    return x"),
        ("pattern", r"^\d{4}-\d{2}-\d{2}$", " 2024-01-05\n", "on 2024-01-05"),
        ("pattern", "Paris|Rome", "in Rome.", "in rome."),
        ("pattern", "(?i)paris|rome", "in Rome.", "in Oslo."),
    ],
)
def test_each_check_tells_right_from_wrong(
    check: str, value: object, right: str, wrong: str
) -> None:
    assert problem({check: value}) == ""
    assert met(right, {check: value}) == 1.0
    assert met(wrong, {check: value}) == 0.0


def test_several_checks_are_a_share() -> None:
    assert met("WHALE", {"capitals": True, "words": 2}) == 0.5
    with pytest.raises(ValueError, match="no checks"):
        met("a", {})


def test_what_cannot_be_checked_is_said() -> None:
    assert "rhymes" in problem({"rhymes": True})
    assert "True" in problem({"words": True})
    assert "'7'" in problem({"words": "7"})
    assert problem({"pattern": "(a"}) == "invalid pattern '(a': missing ), at character 1"
    assert "no lookaround" in problem({"pattern": "a(?=b)"})


def test_words_shared_with_a_reference() -> None:
    assert overlap("the cat sat", "the black cat") == pytest.approx(2 * 2 / 6)
    assert overlap("the the the", "the cat") == pytest.approx(2 * 1 / 5)
    assert overlap("", "a") == overlap("a", "") == overlap("a", "b") == 0.0
    assert says("anything", ""), "no word is missing"


@given(st.text(max_size=200))
def test_any_text_can_be_checked(text: str) -> None:
    values = {int: 3, bool: True, str: "a", (int, float): 3}
    for name, (kind, _) in CHECKS.items():
        assert met(text, {name: values[kind]}) in (0.0, 1.0)
