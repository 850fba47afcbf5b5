"""Wording of answers, counted by hand; diversity of several answers to one item."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.answer_parts import split_answer
from engine.compare.metrics import REPEATED, numbers_of
from engine.compare.samples import Finish
from engine.impact.scores.wording import (
    CODE,
    COMPLETE,
    DIFFERENT,
    PAIRWISE,
    SELF_BLEU,
    TOKENS,
    TRUNCATED,
    count_languages,
    count_scripts,
    has_code,
    measure_diversity,
    measure_samples,
    measure_wording,
)
from tests.compare.test_samples import sample


def test_one_answer_counted_by_hand() -> None:
    text = "<think>hm hm</think>I'm sorry, I can't.\n\n- one\n- two"
    ids = (1, 2, 3, 4, 1, 2, 3, 4, 9)
    numbers = measure_wording(text, ids, "stop")
    assert numbers[COMPLETE] == 1
    assert numbers[TRUNCATED] == 0
    assert numbers[TOKENS] == 9
    # 5 runs of four before the end token, of which the last came before.
    assert numbers[REPEATED] == pytest.approx(1 / 5)
    assert numbers["words"] == 6
    assert numbers["list items"] == 2
    assert numbers["refusals"] == 1
    assert numbers[CODE] == 0


@pytest.mark.parametrize(
    ("finish", "complete", "truncated"), [("stop", 1, 0), ("length", 0, 1), ("cancelled", 0, 0)]
)
def test_how_an_answer_ended(finish: Finish, complete: float, truncated: float) -> None:
    numbers = measure_wording("a", (1,), finish)
    assert (numbers[COMPLETE], numbers[TRUNCATED]) == (complete, truncated)


def test_numbers_that_compare_has_are_the_same() -> None:
    """One definition: a number called `words` is the same in Compare and of an evaluation."""
    one = sample()
    theirs = numbers_of(one)
    ours = measure_wording(one.text, one.output_ids, one.finish)
    shared = set(theirs) & set(ours)
    assert {REPEATED, COMPLETE, TOKENS, "words", "distinct-1", "refusals"} <= shared
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


def test_reasoning_that_the_prompt_opened_is_no_part_of_what_is_said() -> None:
    text = "First, let me see. I am sorry"
    parts = split_answer(text, reasoning_is_open=True)
    assert measure_wording(text, (), "length")["words"] == 7
    assert measure_wording(text, (), "length", parts)["words"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "```\nx\n```", "So:\n  ```python\nx", "~~~\na", "def f(x):\n    return x", "import os",
        "Sure.\nfrom a.b import c", "class A(B):", "#include <stdio.h>", "const a = 1;",
        "function f() {", "public static void main(String[] args) {", "func main() {",
        "fn main() {", "SELECT a FROM b", "<!DOCTYPE html>", "#!/bin/sh", "package main",
    ],
)  # fmt: skip
def test_code_is_known(text: str) -> None:
    assert has_code(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "A class of its own.", "import taxes are high", "I define it so.", "let me see",
        "the function f (x)", "Public opinion changed.", "Select one from these.", "# Heading",
        "a `word` in marks", "var. 3", "package deal for two",
    ],
)  # fmt: skip
def test_prose_is_no_code(text: str) -> None:
    assert not has_code(text)


def test_languages_and_scripts_are_counted() -> None:
    texts = [
        "The cat is on the mat and it is fine.",
        "<think>Es ist nicht so.</think>That is what the man was for.",
        "Das ist nicht die Katze, und sie ist mit dem Hund.",
        "Это Москва.", "北京是首都。", "القاهرة", "यह दिल्ली है।", "123",
    ]  # fmt: skip
    assert next(iter(count_languages(texts).items())) == ("English", 2)
    assert count_languages(texts)["German"] == 1
    assert count_scripts(texts) == {
        "latin": 3, "": 1, "arabic": 1, "cjk": 1, "cyrillic": 1, "devanagari": 1,
    }  # fmt: skip


def test_diversity_by_hand() -> None:
    """Three answers, two of them the same: pairs differ by 0, 1/2 and 1/2."""
    numbers = measure_diversity(["a b", "A b!", "a c"])
    assert numbers[DIFFERENT] == pytest.approx(2 / 3)
    assert numbers[PAIRWISE] == pytest.approx((0 + 0.5 + 0.5) / 3)
    assert numbers["distinct-1"] == pytest.approx(3 / 6)
    assert numbers["distinct-2"] == pytest.approx(2 / 3)
    assert 0 < numbers[SELF_BLEU] < 1


def test_the_same_answers_have_no_diversity() -> None:
    numbers = measure_diversity(["one two three four five"] * 4)
    assert numbers[DIFFERENT] == 1 / 4
    assert numbers[PAIRWISE] == 0
    assert numbers[SELF_BLEU] == pytest.approx(1.0)
    assert numbers["distinct-1"] == 1 / 4


def test_answers_without_a_word_in_common_differ_entirely() -> None:
    numbers = measure_diversity(["one two", "three four"])
    assert (numbers[DIFFERENT], numbers[PAIRWISE], numbers["distinct-1"]) == (1, 1, 1)


def test_one_answer_has_no_diversity_and_empty_ones_say_the_same() -> None:
    assert measure_diversity(["a"]) == measure_diversity([]) == {}
    empty = measure_diversity(["", "👍"])
    assert (empty[DIFFERENT], empty[PAIRWISE]) == (1 / 2, 0)
    assert SELF_BLEU not in empty


def test_samples_of_an_item_are_averaged() -> None:
    texts = ["one two", "<think>x</think>one three four", ""]
    numbers = measure_samples(texts, [(1, 2, 9), (5, 6, 7, 8), (9,)], ["stop", "length", "stop"])
    assert numbers["words"] == pytest.approx(5 / 3)
    assert numbers[COMPLETE] == pytest.approx(2 / 3)
    assert numbers[TRUNCATED] == pytest.approx(1 / 3)
    assert numbers[TOKENS] == pytest.approx(8 / 3)
    # Of all words together: one, two, one, three, four.
    assert numbers["distinct-1"] == pytest.approx(4 / 5)
    assert numbers[DIFFERENT] == 1


def test_ids_and_characters_are_not_averaged_together() -> None:
    loop = "um" * 60
    numbers = measure_samples([loop, loop], [tuple(range(60)), ()], ["length", "length"])
    assert numbers[REPEATED] == measure_wording(loop, (), "length")[REPEATED] > 0.9
    assert TOKENS not in numbers


def test_samples_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="no answers"):
        measure_samples([], [], [])
    with pytest.raises(ValueError, match=r"shorter|longer"):
        measure_samples(["a"], [], ["stop"])


TEXTS = st.one_of(
    st.text(max_size=40), st.sampled_from(["\ud800", "👩‍👩‍👧", "\0", "<think>", "a " * 20])
)
FINISHES: st.SearchStrategy[Finish] = st.sampled_from(["stop", "length", "cancelled"])
SHARES = (COMPLETE, TRUNCATED, REPEATED, CODE, "distinct-1", "distinct-2", DIFFERENT, SELF_BLEU,
          PAIRWISE)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.lists(st.integers(0, 3), max_size=12), FINISHES), min_size=1,
                max_size=5))  # fmt: skip
def test_any_answers_have_numbers_in_range(rows: list[tuple[str, list[int], Finish]]) -> None:
    texts, ids, finishes = zip(*rows, strict=True)
    numbers = measure_samples(texts, ids, finishes)
    assert all(0 <= numbers[name] <= 1 + 1e-12 for name in SHARES if name in numbers)
    assert all(value >= 0 for value in numbers.values())
    assert (PAIRWISE in numbers) == (len(texts) > 1)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("text", ["word " * 60_000, "漢" * 100_000, "👍" * 100_000, "\n" * 100_000])
def test_huge_answers_are_measured(text: str) -> None:
    numbers = measure_samples([text, text + "!"], [(1,) * 60_000, (2,) * 60_000], ["stop"] * 2)
    assert numbers[REPEATED] > 0.9
    assert numbers[PAIRWISE] == 0
