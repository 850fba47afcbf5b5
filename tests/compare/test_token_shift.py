"""Token shift by part of the answer, and when two arms are said to be without a difference."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat import Message
from engine.compare.arms import parse_arm
from engine.compare.token_shift import NO_EFFECT, Shift, ShiftedToken, by_position, part_of
from tui.commands.compare_shift import lines, report
from tui.compare.difference_strip import notes, warnings
from tui.screens.answer_side import Side


def token(rank: int = 1, kl: float = 0.0) -> ShiftedToken:
    return ShiftedToken(1, "a", rank, 0.5, 0.5, kl)


def answer(*ranks: int, kl: float = 0.0, greedy: bool = True) -> Shift:
    return Shift("base", "tuned", "p", greedy, tuple(token(rank, kl) for rank in ranks))


def test_a_short_answer_reaches_from_the_first_part_to_the_last() -> None:
    parts = by_position([answer(9, 1, 9)], 10)
    assert [count for count, _ in parts] == [1, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert [share for _, share in parts] == [1, *[None] * 3, 0, *[None] * 4, 1]
    assert [part_of(0, 1, 10), part_of(0, 2, 10), part_of(1, 2, 10)] == [9, 0, 9]


@given(st.integers(1, 60), st.integers(1, 40))
def test_every_token_is_in_one_part_in_order_and_the_last_in_the_last(
    tokens: int, bins: int
) -> None:
    places = [part_of(at, tokens, bins) for at in range(tokens)]
    assert places == sorted(places)
    assert places[-1] == bins - 1
    assert tokens == 1 or places[0] == 0
    counts = [places.count(part) for part in range(bins)]
    assert max(counts) - min(counts) <= 1, "equal parts, as far as tokens can be shared out"


def test_an_empty_part_is_blank_in_words_and_null_in_json() -> None:
    table = report([answer(9, 1)], {}, 4)
    assert [one["shifted"] for one in table["positions"]] == [1, None, None, 0]
    shown = lines(table, "a", "b")[-4:]
    assert [line.split()[-1] for line in shown] == ["100%", "—", "—", "0%"]


def sides(shift: Shift, base_text: str = "so", tuned_text: str = "so") -> list[Side]:
    said = [(Message("user", "q"), Message("assistant", text)) for text in (base_text, tuned_text)]
    base, tuned = (
        Side(parse_arm(f"{name}=bundled:demo-base"), name, said=turns)
        for name, turns in zip(("base", "tuned"), said, strict=True)
    )
    return [base, replace(tuned, shift=shift)]


@pytest.mark.parametrize(
    ("pair", "without_effect"),
    [
        (sides(answer(1, 1, kl=2.3e-7)), True),
        (sides(answer(1, 1, kl=NO_EFFECT)), False),
        (sides(answer(1, 2, kl=2.3e-7)), False),
        (sides(answer(1, 1, kl=2.3e-7), tuned_text="otherwise"), False),
        (sides(answer(1, 1, kl=2.3e-7, greedy=False)), False),
        (sides(answer()), False),
    ],
)
def test_no_effect_is_said_where_greedy_texts_and_divergences_agree(
    pair: list[Side], without_effect: bool
) -> None:
    said = [text for text in warnings(pair, None) if text.startswith("no effect")]
    assert said == (["no effect: tuned answers like base (KL 2.3e-7)"] if without_effect else [])
    kl = [text for text in notes(pair, None) if text.startswith("KL ")]
    assert bool(kl) == (not without_effect and bool(pair[1].shift and pair[1].shift.tokens))


def test_a_whole_model_that_answers_alike_has_not_failed() -> None:
    pair = sides(answer(1, 1, kl=2.3e-7))
    facts: dict[str, Any] = {
        "arms": [{"adapter": None}, {"adapter": None}],
        "warnings": [],
        "kl": [],
    }
    (said,) = [text for text in warnings(pair, facts) if "answers like" in text]
    assert said == "same answers: tuned answers like base (KL 2.3e-7)"
    facts["arms"][1]["adapter"] = "/a"
    assert any(text.startswith("no effect: tuned") for text in warnings(pair, facts))


def test_one_place_of_many_is_an_effect_though_the_mean_is_small() -> None:
    shift = Shift("b", "t", "p", True, (*(token(),) * 999, token(kl=0.05)))
    assert shift.kl < NO_EFFECT
    assert not shift.shows_no_effect


def test_what_the_prompt_did_not_show_the_answers_may() -> None:
    told = {"kind": "no effect", "arms": [0, 1], "text": "the adapter of tuned has no effect"}
    facts = {"warnings": [told], "differences": [], "arms": []}
    same, other = sides(answer()), sides(answer(), tuned_text="otherwise")
    assert told["text"] in warnings(same, facts)
    assert told["text"] not in warnings(other, facts)
