"""Which items are shown: the rule, its ties, and that flips are those of the table."""

from engine.impact.changes.skill_table import build_table
from engine.impact.report.telling_items import MOST, choose_items
from tests.impact.made_results import results_of, scores_of, suite_of


def arm(right: dict[str, float], nats: dict[str, float]) -> dict[str, object]:
    return {"s": {"measures": {"strict": right, "gold_nll": nats}}}


def test_the_lost_items_whose_right_answer_fell_most_come_first() -> None:
    ids = [f"i{at}" for at in range(30)]
    before = dict.fromkeys(ids, 1.0)
    after = {one: 1.0 + at / 10 for at, one in enumerate(ids)}
    after["i3"] = 9.0
    results = results_of(
        {"s": suite_of(30)},
        {"base": arm(scores_of(20, 30), before), "tuned": arm(scores_of(0, 30), after)},
    )
    chosen = choose_items(results, ("base", "tuned"))
    assert [(one.item, one.flip) for one in chosen] == [
        ("i3", "lost"), ("i19", "lost"), ("i18", "lost")
    ]  # fmt: skip
    assert chosen[0].nats == 8.0


def test_without_likelihoods_the_order_is_that_of_the_ids() -> None:
    suites = {"s": suite_of(["z", "b", "a", "c", *(f"k{at}" for at in range(20))])}
    names = suites["s"]["items"]
    results = results_of(
        suites,
        {"base": {"s": {"measures": {"strict": dict.fromkeys(names, 1.0)}}},
         "tuned": {"s": {"measures": {"strict": dict.fromkeys(names, 0.0)}}}},
    )  # fmt: skip
    assert [one.item for one in choose_items(results, ("base", "tuned"))] == ["a", "b", "c"]


def test_one_of_a_group_comes_before_a_second() -> None:
    suites = {"s": suite_of(30, group="g")}
    suites["s"]["items"]["i7"]["group"] = "h"
    results = results_of(
        suites,
        {"base": {"s": {"measures": {"strict": scores_of(30, 30)}}},
         "tuned": {"s": {"measures": {"strict": scores_of(0, 30)}}}},
    )  # fmt: skip
    assert [one.item for one in choose_items(results, ("base", "tuned"))] == ["i0", "i7", "i1"]


def test_flips_are_those_of_the_table_of_items_that_all_arms_have() -> None:
    partly = {f"i{at}": 1.0 for at in range(10, 30)}
    results = results_of(
        {"s": suite_of(30)},
        {"base": {"s": {"measures": {"strict": scores_of(15, 30)}}},
         "between": {"s": {"measures": {"strict": partly}}},
         "tuned": {"s": {"measures": {"strict": scores_of(0, 30)}}}},
    )  # fmt: skip
    arms = ("base", "between", "tuned")
    lost = build_table(results, arms).skills[0].changes["tuned"].lost
    chosen = [one.item for one in choose_items(results, arms)]
    assert len(chosen) == MOST
    assert set(chosen) <= set(lost) == {f"i{at}" for at in range(10, 15)}


def test_one_arm_or_texts_that_are_read_have_none() -> None:
    results = results_of(
        {"s": suite_of(30), "prose": suite_of(30, "nll")},
        {"base": {"s": {"measures": {"strict": scores_of(15, 30)}},
                  "prose": {"measures": {"nll": scores_of(3, 30)}}},
         "tuned": {"prose": {"measures": {"nll": scores_of(9, 30)}}}},
    )  # fmt: skip
    assert choose_items(results, ("base",)) == []
    assert choose_items(results, ("base", "tuned")) == []
