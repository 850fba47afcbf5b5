"""The words of keep_best: what they mean, which part of a wrong one is named, nothing lost."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.impact.watched.keep_best import Condition, KeepBest, parse_keep_best

FACTS = Condition("facts", True, True, -3.0, True)


def test_the_rule_of_the_manual() -> None:
    rule = parse_keep_best("emotion subject to facts >= base - 3%")
    assert rule == KeepBest("emotion", "", (FACTS,))
    assert FACTS.bound(0.60) == pytest.approx(0.57)
    assert rule.meets({"facts": 0.57}, {"facts": 0.60}), "the bound itself is met"
    assert not rule.meets({"facts": 0.5699}, {"facts": 0.60})
    assert not rule.meets({"facts": 0.9}, {}), "nothing is met without its base"
    assert not rule.meets({"facts": math.nan}, {"facts": 0.6})
    assert not rule.meets({}, {"facts": 0.6})


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("emotion", KeepBest("emotion", "")),
        ("min eval/loss", KeepBest("eval/loss", "min")),
        ("max max-score", KeepBest("max-score", "max")),
        ("mini", KeepBest("mini", "")),
        ('"held-out of x" subject to "a ""b""">=.8',
         KeepBest("held-out of x", "", (Condition('a "b"', True, False, 0.8, False),))),
        ("a subject to b>=base-3%,c ≤ 80 % and d <= -1e-3", KeepBest("a", "", (
            Condition("b", True, True, -3.0, True),
            Condition("c", False, False, 80.0, True),
            Condition("d", False, False, -1e-3, False),
        ))),
        ("a subject to forget/nll_shift <= 0.1 and b >= base",
         KeepBest("a", "", (
             Condition("forget/nll_shift", False, False, 0.1, False),
             Condition("b", True, True, 0.0, False),
         ))),
    ],
)  # fmt: skip
def test_what_the_words_mean(text: str, rule: KeepBest) -> None:
    assert parse_keep_best(text) == rule
    assert parse_keep_best(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "title", "place"),
    [
        ("", "what is to be best is missing", "at the end of ''"),
        ("subject to a >= 1", "what is to be best is missing", "at 'subject"),
        ("a b", "'subject to' is expected here", "at 'b'"),
        ("a subject b >= 1", "'to' is missing after 'subject'", "at 'b >= 1'"),
        ("a subject to", "the name of a condition is missing", "at the end"),
        ("a subject to b", "'b' is not compared: >= or <= is missing", "at the end"),
        ("a subject to b > 1", "'b' is not compared", "at '> 1'"),
        ("a subject to b >= ", "the bound of 'b' is missing", "at the end"),
        ("a subject to b >= much", "the bound of 'b' is missing", "at 'much'"),
        ("a subject to b >= base - x", "the number after 'base -' is missing", "at 'x'"),
        ("a subject to b >= 1 c >= 2", "'and' is expected between conditions", "at 'c >= 2'"),
        ("a subject to b >= 1 and", "the name of a condition is missing", "at the end"),
        ("a subject to base >= 1", "a skill called base stands in quotes", "at 'base >= 1'"),
        ('"" subject to b >= 1', "what is to be best is empty", "at 'subject"),
        ("a subject to b >= 1e999", "the bound of 'b' is too large", "at the end"),
    ],
)
def test_a_wrong_rule_names_the_part(text: str, title: str, place: str) -> None:
    with pytest.raises(EngineError) as caught:
        parse_keep_best(text)
    assert title in caught.value.title
    assert place in caught.value.detail
    assert "subject to NAME" in caught.value.hint


names = st.text(min_size=1).filter(lambda name: name.strip() != "")
amounts = st.floats(-1e6, 1e6).map(lambda value: value + 0.0)
conditions = st.builds(Condition, names, st.booleans(), st.booleans(), amounts, st.booleans()).map(
    lambda one: (
        Condition(one.name, one.is_least, one.from_base, one.amount, False)
        if one.from_base and not one.amount
        else one
    )
)


@given(names, st.sampled_from(["", "max", "min"]), st.lists(conditions, max_size=4).map(tuple))
def test_a_rule_in_words_is_the_same_rule(
    objective: str, direction: str, bounds: tuple[Condition, ...]
) -> None:
    rule = KeepBest(objective, direction, bounds)  # type: ignore[arg-type]
    assert parse_keep_best(str(rule)) == rule


@given(st.text(alphabet='ab>=<-+%., 0189"e', max_size=40))
def test_any_text_is_a_rule_or_refused_in_words(text: str) -> None:
    try:
        rule = parse_keep_best(text)
    except EngineError as error:
        refusal = error.title
    else:
        refusal = ""
        assert parse_keep_best(str(rule)) == rule
    assert not refusal or refusal.startswith("Invalid keep_best: ")


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 20))
def test_a_bound_of_the_base_is_points_of_the_score(
    value: float, base: float, percent: float
) -> None:
    condition = Condition("facts", True, True, -percent, True)
    missed = base - percent / 100 - value
    if abs(missed) > 1e-8:
        assert condition.is_met(value, base) == (missed < 0)
