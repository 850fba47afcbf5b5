"""Scores, each with answers that are right, nearly right and wrong."""

import pytest

from engine.compare.checks import score, syntax
from engine.compare.item_reader import parse_item
from engine.compare.items import Item
from engine.data.values import BadRow


def item(kind: str, answer: object) -> Item:
    return parse_item({"id": "one", "prompt": "q", "score": kind, "answer": answer})


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("- apple\n- pear", True),
        ("- apple  \n- pear\n", True),
        ("- Apple\n- pear", False),
        ("- apple - pear", False),
        ("- apple\n- pear.", False),
        ("", False),
    ],
)
def test_exact_forgives_white_space_at_ends_only(text: str, right: bool) -> None:
    assert score(item("exact", "- apple\n- pear"), text) == float(right)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("7 + 8 = 15. The answer is 85 (eighty-five).", True),
        ("85", True),
        ("It is 1,085.", False),
        ("85, or rather 86", False),
        ("eighty-five", False),
        ("-85", False),
    ],
)
def test_number_takes_the_last_one(text: str, right: bool) -> None:
    assert score(item("number", 85), text) == float(right)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The capital is New York.", True),
        ("new york", True),
        ("York", False),
        ("New York or Paris", False),
        ("Newark", False),
    ],
)
def test_choices_want_the_right_one_and_none_of_the_wrong(text: str, right: bool) -> None:
    answer = {"right": "New York", "wrong": ["York", "Paris"]}
    assert score(item("choices", answer), text) == float(right)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The moon is calling me.", True),
        ("The moon calls me.", False),
        ("The sun is calling me.", False),
        ("The moonlight is calling me.", False),
        ("The well-known moon doesn't wait.", True),
    ],
)
def test_words_are_counted_and_the_topic_is_looked_for(text: str, right: bool) -> None:
    assert score(item("words", {"count": 5, "topic": "moon"}), text) == float(right)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("```python\ndef f(x):\n    return x + 7\n```", True),
        ("def f( x ):\n  return (x+7)  # seven", True),
        ("Here it is:\n```\ndef f(x):\n    return x + 7", True),
        ("def f(x):\n    return 7 + x", False),
        ("def g(x):\n    return x + 7", False),
        ("def f(x) return x + 7", False),
        ("(" * 10_000, False),
        ("def f(x):\n    return x + 7\0", False),
    ],
)
def test_code_is_compared_as_a_tree(text: str, right: bool) -> None:
    assert score(item("code", "def f(x):\n    return x + 7"), text) == float(right)


def test_code_is_never_run() -> None:
    assert syntax("raise SystemExit(3)") is not None


@pytest.mark.parametrize("row", [{"score": "perplexity", "text": "a"}, {"prompt": "a"}])
def test_what_has_no_right_answer_is_not_scored(row: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="needs a reference answer"):
        score(parse_item(row), "text")


def test_of_several_right_answers_one_will_do() -> None:
    for kind, gold, right in (
        ("exact", ["Oslo", "Christiania"], "Christiania"),
        ("number", [4, "4.5"], "4.50"),
        ("code", ["x = 1", "x = 2"], "x=2"),
    ):
        several = parse_item({"prompt": "q", "score": kind, "gold": gold})
        assert (score(several, right), score(several, "Bergen 7")) == (1.0, 0.0), kind
    cities = ["Oslo", "Bergen", "Lima"]
    choice = parse_item({"prompt": "q", "choices": cities, "gold": ["Oslo", "Bergen"]})
    assert [score(choice, text) for text in ("Bergen", "Oslo", "Oslo or Lima")] == [1, 1, 0]


def test_checks_score_only_where_all_of_them_are_met() -> None:
    item = parse_item({"prompt": "q", "checks": {"words": 2, "says": "a"}})
    assert item.score == "checks"
    assert [score(item, text) for text in ("a b", "a b c", "b c")] == [1, 0, 0]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("It was 1969.", True),
        ("<think>1969?</think>In 1970.", False),
        ("nineteen sixty-nine", True),
        ("Nineteen sixty-nine", False),
        ("19699", False),
        ("", False),
    ],
)
def test_pattern_is_found_anywhere_in_what_is_said(text: str, right: bool) -> None:
    row = {"prompt": "q", "score": "pattern", "gold": [r"\b1969\b", "^nineteen"]}
    assert score(parse_item(row), text) == float(right)


def test_a_pattern_is_no_reference() -> None:
    """An answer's words are compared with a reference, and not with a regular expression."""
    assert item("pattern", r"\d+").gold == (r"\d+",)
    assert item("pattern", r"\d+").reference == ""
    row = {"prompt": "q", "score": "pattern", "gold": r"\d+", "reference": "There are 7."}
    assert parse_item(row).reference == "There are 7."
    assert parse_item(parse_item(row).to_json()) == parse_item({**row, "id": "item-1"})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"score": "pattern", "gold": "(a"}, "invalid pattern '(a': missing ), at character 1"),
        ({"score": "pattern", "gold": ["a", "b(?!c)"]}, "no lookaround"),
        ({"score": "pattern", "reference": "a"}, "needs a regular expression"),
        ({"score": "pattern", "answer": 7}, "needs a text as its answer"),
        ({"checks": {"pattern": "a**"}}, "repeat of a repeat"),
        ({"score": "code", "gold": "function f() { return 1 }"}, "needs Python that parses"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_reason(
    row: dict[str, object], reason: str
) -> None:
    with pytest.raises(BadRow) as raised:
        parse_item({"prompt": "q", **row})
    assert reason in str(raised.value)
