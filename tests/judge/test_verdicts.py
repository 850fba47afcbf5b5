"""What an answer of a judge says, and what both orders come to."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.answer_parts import split_text
from engine.judge.questions import Question
from engine.judge.verdicts import (
    Outcome,
    Reading,
    Verdict,
    pair_up,
    read_answer,
    read_likelihoods,
)
from tests.judge.judged import BASE, JUDGE, TUNED, sample, verdict


def read(text: str) -> Reading:
    return read_answer(sample("q", JUDGE, text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", "first"), ("b", "second"), ("tie", "tie"), ("Tie.", "tie"), (" B\n", "second"),
        ("**A**", "first"), ("`B`", "second"), ("```\nA\n```", "first"),
        ("```text\ntie\n```", "tie"), ("[[A]]", "first"), ("(B)", "second"),
        ("Answer: A", "first"), ("**Answer:** B", "second"), ("Answer A", "first"),
        ("Final answer: tie", "tie"), ("Verdict: B.", "second"), ("“A”", "first"),
        ("<think>B is longer, but A is right.</think>\nA", "first"),
        ("# A", "first"), ("> tie", "tie"),
    ],
)  # fmt: skip
def test_one_label_is_read(text: str, expected: Verdict) -> None:
    assert read(text) == Reading(expected)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "C", "A or B", "A, B", "A\nB", "A/B", "A > B", "AB", "neither", "both", "1",
        "Answer", "I choose A", "A is better", "The better answer is B.", "A because it is short",
        "<think>A</think>", "<think>A", "Not A", "A tie", "A B tie", "answer A, not B", "ＡＡ",
        "```\nA\nB\n```", "\x1b[31mA\x1b[0m", "A" * 100_000, "tie A", "untie", "A?",
    ],
)  # fmt: skip
def test_whatever_else_is_unreadable_and_kept(text: str) -> None:
    reading = read(text)
    assert reading.verdict is None
    assert reading.problem == "unreadable"
    assert reading.text == text


def test_an_answer_that_was_cut_is_no_verdict() -> None:
    assert read_answer(sample("q", JUDGE, "A", finish="length")).problem == "cut"


def test_an_answer_with_a_tool_call_is_no_verdict() -> None:
    call = '<tool_call>{"name": "vote", "arguments": {}}</tool_call>'
    assert read(f"A\n{call}").problem == "unreadable"


def test_reasoning_that_a_server_delivers_apart_is_no_verdict() -> None:
    one = sample("q", JUDGE, "A B B")
    parts = replace(split_text("B"), reasoning="A")
    assert read_answer(replace(one, known_parts=parts)) == Reading("second")


@given(st.text())
def test_a_text_is_a_verdict_only_with_a_label_as_its_one_word(text: str) -> None:
    reading = read(text)
    if reading.verdict is not None:
        letters = "".join(filter(str.isalnum, split_text(text).spoken)).casefold()
        assert letters.removeprefix("final").removeprefix("answer").removeprefix("verdict") in (
            "a", "b", "tie"
        )  # fmt: skip
    else:
        assert reading.problem == "unreadable"


@given(
    st.sampled_from(["A", "B", "tie"]),
    st.sampled_from(["", "**", "`", "[[", '"', "```\n", "(", "# "]),
    st.sampled_from(["", "**", "`", "]]", '"', "\n```", ")", ".", "\n\n"]),
    st.sampled_from(["", "Answer: ", "Verdict: ", "<think>so</think>"]),
)
def test_marks_around_a_label_do_not_change_it(
    label: str, before: str, after: str, lead: str
) -> None:
    reading = read(f"{lead}{before}{label}{after}")
    if reading.verdict is not None:
        assert reading == read(label)
    fenced = "```" in before or "```" in after
    assert fenced or reading.verdict is not None


def test_likelihoods_of_the_labels() -> None:
    assert read_likelihoods((-1.0, -2.0, -3.0)) == Reading("first", margin=1.0)
    assert read_likelihoods((-3.0, -2.0, -1.0)) == Reading("tie", margin=-1.0)
    same = read_likelihoods((-1.0, -1.0, -2.0))
    assert (same.verdict, same.problem, same.margin) == (None, "unreadable", 0.0)
    for bad in ((math.nan, -1.0, -2.0), (-math.inf, -1.0, -2.0), (-1.0,), ()):
        reading = read_likelihoods(bad)
        assert (reading.verdict, reading.problem, reading.margin) == (None, "unreadable", None)


def test_what_a_label_gains_by_its_place_cancels_out() -> None:
    """A judge that finds A 3 nats likelier whatever it is, and the right arm 0.5."""
    for place, likes in ((3.0, 0.5), (-2.0, 0.5), (0.0, -0.25)):
        left_first, right_first = (
            read_likelihoods((-1.0 + place + sign * likes / 2, -1.0 - sign * likes / 2, -90.0))
            for sign in (-1, 1)
        )
        pair = replace(verdict("p", "first", "first"), readings=(left_first, right_first))
        assert pair.averaged_margin == pytest.approx(likes)
    assert verdict("p", "first", "second").averaged_margin is None


@pytest.mark.parametrize(
    ("one", "turned", "outcome", "winner", "change"),
    [
        ("first", "second", "agree", BASE, -1),
        ("second", "first", "agree", TUNED, 1),
        ("tie", "tie", "agree", None, 0),
        ("first", "first", "by position", None, 0),
        ("second", "second", "by position", None, 0),
        ("first", "tie", "one tie", None, 0),
        ("tie", "first", "one tie", None, 0),
        (None, "first", "incomplete", None, 0),
        ("tie", None, "incomplete", None, 0),
    ],
)
def test_both_orders_of_a_pair(
    one: Verdict | None, turned: Verdict | None, outcome: Outcome, winner: str | None, change: int
) -> None:
    pair = verdict("p", one, turned)
    assert (pair.outcome, pair.winner, pair.change) == (outcome, winner, change)


def question(pair: str, rubric: str, turned: bool) -> Question:
    first, second = (TUNED, BASE) if turned else (BASE, TUNED)
    return Question(f"{pair}/{rubric}/{turned}", pair, rubric, first, second, 3, 4, pair, "text")


def test_pairs_of_questions() -> None:
    asked = [question(pair, rubric, turned) for pair in ("p", "q") for rubric in ("r", "s")
             for turned in (False, True)]  # fmt: skip
    alone = question("z", "r", False)
    twice = [question("y", "r", False), question("y", "r", False)]
    readings = [Reading("first")] * (len(asked) + 3)
    pairs = pair_up([*asked, alone, *twice], readings)
    assert {name: [one.pair for one in of_rubric] for name, of_rubric in pairs.items()} == {
        "r": ["p", "q"], "s": ["p", "q"]
    }  # fmt: skip
    assert (pairs["r"][0].left, pairs["r"][0].right_size) == (BASE, 4)
    assert json.dumps([one.outcome for one in pairs["s"]]) == '["by position", "by position"]'
