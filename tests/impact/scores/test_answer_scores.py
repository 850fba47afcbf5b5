"""Strict and flexible scores, those of code, and which texts an answer may be like."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.answer_parts import split_answer
from engine.compare.checks import score
from engine.compare.item_reader import parse_item
from engine.compare.items import Item
from engine.impact.results.evaluation_results import FLEXIBLE, STRICT
from engine.impact.scores.answer_scores import DEFINES, PARSES, references_of, score_answers

GOLD_CODE = "def add(a, b):\n    return a + b"


def read(**row: object) -> Item:
    return parse_item({"id": "one", "prompt": "q", **row})


def exact(*golds: str) -> Item:
    return Item("one", score="exact", gold=golds)


def choose(right: str, *wrong: str) -> Item:
    return Item("one", score="choices", gold=(right,), choices=(right, *wrong))


def code(*golds: str) -> Item:
    return Item("one", score="code", gold=golds)


@pytest.mark.parametrize(
    ("item", "text", "strict", "flexible"),
    [
        (exact("Paris"), "Paris", 1, 1),
        (exact("Paris"), "It is **Paris**, of course.", 0, 1),
        (exact("New York"), "in new\nyork!", 0, 1),
        (exact("Paris"), "Parisian", 0, 0),
        (exact("York"), "Yorkshire", 0, 0),
        (exact("Rome", "Paris"), "either paris or not", 0, 1),
        (exact("Paris"), "<think>Paris</think>Rome", 0, 0),
        (exact("Paris"), "<think>Rome?</think>\nParis", 1, 1),
        (exact("42"), "The answer is 42.", 0, 1),
        (exact("42"), "The answer is 142.", 0, 0),
        (exact("5"), "It is -5 degrees.", 0, 0),
        (exact("1000"), "1,000 people", 0, 1),
        (exact("C++"), "I write C.", 0, 0),
        (exact("C++"), "I write C++!", 0, 1),
        (exact("C#"), "c# it is", 0, 1),
        (exact("👍"), "fine 👍🏽", 0, 1),
        (exact("👍"), "fine", 0, 0),
        (exact("..."), "...", 1, 1),
        (exact("北京"), "答案是北京。", 0, 1),
        (exact("القاهرة"), "هي القاهرة.", 0, 1),
        (exact("दिल्ली"), "यह दिल्ली है।", 0, 1),
        (exact("Москва"), "Это МОСКВА!", 0, 1),
        (read(score="number", gold="85"), "85 is 47 + 38", 0, 1),
        (read(score="number", gold="85"), "47 + 38 = 85", 1, 1),
        (read(score="number", gold="85"), "850", 0, 0),
        (choose("sad", "happy"), "sad or happy", 0, 1),
        (choose("sad", "happy"), "It is Sad.", 1, 1),
        (choose("sad", "happy"), "sadness", 0, 0),
        # A label that is a prefix of another one, or of a word.
        (choose("York", "New York"), "New York", 0, 0),
        (choose("York", "New York"), "York, not New York", 0, 1),
        (choose("pos", "pos neg"), "pos neg", 0, 0),
        (choose("pos neg", "pos"), "pos neg", 1, 1),
        (choose("joy", "joyful"), "joyful", 0, 0),
        (read(score="pattern", gold="^Paris$"), "paris", 0, 1),
        (read(score="pattern", gold="[^a-z]"), "A", 1, 1),
        (read(checks={"begins": "Dear", "omits": "sorry"}), "Here it is:\nDear all", 0, 1),
        (read(checks={"ends": "amen"}), "**amen**", 0, 1),
        (read(checks={"capitals": True}), "Sure!\nWHALE\nAnything else?", 0, 1),
        (read(checks={"most_words": 1}), "two words", 0, 0),  # and nothing is no answer
        (read(checks={"most_words": 1}), "", 1, 1),
        (read(checks={"calls": "now"}), '<tool_call>{"name": "now", "arguments": {}}</tool_call>',
         1, 1),
        (code(GOLD_CODE), f"```python\n{GOLD_CODE}\n```", 1, 1),
        (code(GOLD_CODE), "First:\n```\npip install x\n```\n```\ndef add(x, y): return x\n```",
         0, 1),
        (code(GOLD_CODE), "1. So:\n   ```\n   import os\n   def add(a, b): return a\n   ```",
         0, 1),
        (code(GOLD_CODE), "def sum(a, b):\n    return a + b", 0, 0),
        (code(GOLD_CODE), "def add(a, b) return a + b", 0, 0),
        (code("print(1)"), "import os\nprint( 1 )", 0, 1),
        (code("print(1)"), "print(2)", 0, 0),
    ],
)  # fmt: skip
def test_strict_and_flexible(item: Item, text: str, strict: float, flexible: float) -> None:
    scores = score_answers(item, text)
    assert (scores[STRICT], scores[FLEXIBLE]) == (strict, flexible)


def test_what_is_known_of_an_answer_outweighs_its_text() -> None:
    """The prompt opened the reasoning, and the answer was cut before it ended."""
    item = exact("Paris")
    text = "Paris, or was it Rome? Let me"
    assert score_answers(item, text)[FLEXIBLE] == 1
    parts = split_answer(text, reasoning_is_open=True)
    assert score_answers(item, text, parts)[FLEXIBLE] == 0


@pytest.mark.parametrize(
    ("text", "parses", "defines"),
    [
        (f"So:\n```\n{GOLD_CODE}\n```\nThat adds.", 1, 1),
        ("def add(a, b): return 0", 1, 1),
        ("async def add(a, b): return 0", 1, 1),
        ("def plus(a, b): return 0", 1, 0),
        ("def add(a, b) return 0", 0, 0),
        ("I cannot write code.", 0, 0),
        ("", 0, 0),
        ("# later", 0, 0),
    ],
)
def test_code_parses_and_defines_the_function(text: str, parses: float, defines: float) -> None:
    scores = score_answers(code(GOLD_CODE), text)
    assert (scores[PARSES], scores[DEFINES]) == (parses, defines)
    assert (scores["code_syntax"] > 0) == (parses == 1)


def test_a_gold_that_defines_nothing_has_no_such_score() -> None:
    assert DEFINES not in score_answers(code("print(1)"), "print(1)")


def test_of_several_golds_the_most_like_one_counts() -> None:
    scores = score_answers(code("print(1)", GOLD_CODE), GOLD_CODE)
    assert scores["code_syntax"] == scores["code_dataflow"] == 1.0


def test_fenced_code_is_as_good_as_bare_code() -> None:
    fenced = score_answers(code(GOLD_CODE), f"```python\n{GOLD_CODE}\n```")
    assert fenced == score_answers(code(GOLD_CODE), GOLD_CODE)
    assert fenced["codebleu"] == 1.0


@pytest.mark.parametrize(
    ("item", "references"),
    [
        (exact("a", "b"), ("a", "b")),
        (read(score="exact", gold="a", reference="It is a."), ("a", "It is a.")),
        (read(completion="Once upon a time"), ("Once upon a time",)),
        (read(), ()),
        (read(score="number", gold="7"), ()),
        (read(score="number", gold="7", reference="3 + 4 = 7"), ("3 + 4 = 7",)),
        (choose("a", "b"), ()),
        (code(GOLD_CODE), ()),
        (read(score="pattern", gold="a+"), ()),
        (Item("one", score="perplexity", text="a"), ()),
        (Item("one", reference=json.dumps([{"function": {"name": "f", "arguments": {}}}])), ()),
    ],
)
def test_which_texts_an_answer_may_be_like(item: Item, references: tuple[str, ...]) -> None:
    assert references_of(item) == references


def test_items_that_people_read_have_no_scores_of_their_own() -> None:
    assert score_answers(Item("one"), "anything") == {}
    assert score_answers(Item("one", reference="a"), "a") == {}


TEXTS = st.one_of(
    st.text(max_size=40),
    st.text("abc 1,.-*`\n", max_size=40),
    st.sampled_from(
        ["", "a", "1", "👩‍👩‍👧", "\ud800", "\0", "a\u0301", "```\n", "<think>", "½", "A b", "x = 1"]
    ),
)
GOLDS = st.text(max_size=12).filter(str.strip)


@st.composite
def items(draw: st.DrawFn) -> Item:
    golds = tuple(draw(st.lists(st.one_of(GOLDS, TEXTS.filter(str.strip)), min_size=1, max_size=3)))
    kind = draw(st.sampled_from(["exact", "number", "choices", "code", "pattern", "checks"]))
    if kind == "number":
        return Item("i", score="number", gold=(draw(st.sampled_from(["1", "1,1", "-2", "½"])),))
    if kind == "choices":
        return Item("i", score="choices", gold=golds[:1], choices=golds)
    if kind == "pattern":
        pattern = draw(st.sampled_from(["a", "^A", "[^a-b]", r"\d+", "", "(?s).b$", r"\p{Lu}"]))
        return Item("i", score="pattern", gold=(pattern,))
    if kind == "checks":
        named = {"words": 2, "begins": golds[0], "capitals": False, "pattern": "a", "omits": "b"}
        names = draw(st.lists(st.sampled_from(sorted(named)), min_size=1, unique=True))
        return Item("i", score="checks", checks={name: named[name] for name in names})
    if kind == "code":
        return Item("i", score="code", gold=golds)
    return Item("i", score="exact", gold=golds)


@settings(max_examples=600, deadline=None)
@given(items(), TEXTS)
def test_flexible_is_never_less_than_strict(item: Item, text: str) -> None:
    for answer in (text, *item.gold):
        scores = score_answers(item, answer)
        assert scores[STRICT] == score(item, answer)
        assert scores[STRICT] <= scores[FLEXIBLE] <= 1
        assert all(0 <= value <= 1 + 1e-12 for value in scores.values())


@settings(max_examples=200, deadline=None)
@given(GOLDS, st.text("xyz ,\n", max_size=20))
def test_a_gold_among_other_words_is_found(gold: str, around: str) -> None:
    assert score_answers(exact(gold), f"{around} {gold} {around}")[FLEXIBLE] == 1


@pytest.mark.timeout(120)
@pytest.mark.parametrize("text", ["a" * 300_000, "a " * 150_000, "1 " * 100_000, "\n" * 300_000,
                                  "👍" * 100_000, "```\n" * 50_000, "漢" * 100_000])  # fmt: skip
@pytest.mark.parametrize(
    "item",
    [exact("b 👍"), exact("b"), choose("b", "c"), read(score="number", gold="7"), code(GOLD_CODE),
     read(score="pattern", gold="(a+)+b"), read(checks={"omits": "b", "sentences": 1})],
    ids=lambda item: item.score,
)  # fmt: skip
def test_a_huge_answer_is_scored(item: Item, text: str) -> None:
    assert score_answers(item, text)[FLEXIBLE] in (0, 1)
