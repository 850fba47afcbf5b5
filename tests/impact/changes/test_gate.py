"""Limits judged by made results: what passes, fails, lacks evidence, and what is refused."""

import math
from random import Random
from typing import Any

import pytest

from engine.compare.items import Item
from engine.errors import EngineError
from engine.impact.changes.gate import GateOutcome, Kind, Limit, judge_limits, write_change
from engine.impact.changes.gate_plan import plan_limit
from engine.one_sided_bounds import bound_change, bound_proportions, items_needed
from tests.impact.made_results import measured, results_of, scores_of, suite_of

LOST: Kind = "lost at most"
GAINED: Kind = "gained at least"
PERPLEXITY: Kind = "perplexity up at most"


def _judge(
    limit: Limit, before: Any, after: Any, items: int = 300, measure: str = "strict", **facts: Any
) -> GateOutcome:
    results = results_of(
        {"facts": suite_of(items, measure, **facts)},
        {"base": {"facts": before}, "tuned": {"facts": after}},
    )
    (outcome,) = judge_limits(results, [limit], "base", "tuned").outcomes
    return outcome


@pytest.mark.parametrize(
    ("right", "limit", "outcome"),
    [
        (299, Limit(LOST, 0.03, "facts"), "passed"),  # 1 of 300 lost
        (292, Limit(LOST, 0.03, "facts"), "not enough evidence"),
        (270, Limit(LOST, 0.03, "facts"), "failed"),
        (299, Limit(GAINED, 0.05, "facts"), "failed"),
    ],
)
def test_the_bound_decides(right: int, limit: Limit, outcome: str) -> None:
    found = _judge(limit, measured(scores_of(300, 300)), measured(scores_of(right, 300)))
    lost = 300 - right
    assert found.outcome == outcome
    assert found.low == bound_proportions(0, lost, 300)
    assert found.high == -bound_proportions(lost, 0, 300)
    assert found.bound == (found.high if outcome == "failed" else found.low)
    assert found.flips is not None
    assert len(found.flips.lost) == lost
    assert found.change == pytest.approx(-lost / 300)


@pytest.mark.parametrize(
    ("right", "outcome"), [(180, "passed"), (120, "not enough evidence"), (101, "failed")]
)
def test_a_gain_passes_where_its_lower_bound_is_above_the_limit(right: int, outcome: str) -> None:
    limit = Limit(GAINED, 0.05, "facts")
    found = _judge(limit, measured(scores_of(100, 300)), measured(scores_of(right, 300)))
    assert found.outcome == outcome
    assert (found.low > 0.05) == (outcome == "passed")
    assert (found.high < 0.05) == (outcome == "failed")


def test_any_gain_is_a_limit_of_0() -> None:
    before = measured(scores_of(100, 300))
    limit = Limit(GAINED, 0.0, "facts")
    assert _judge(limit, before, measured(scores_of(110, 300))).outcome == "passed"
    assert _judge(limit, before, before).outcome == "not enough evidence"


def test_fewer_than_20_items_give_no_verdict() -> None:
    found = _judge(
        Limit(LOST, 0.03, "facts"), measured(scores_of(19, 19)), measured(scores_of(0, 19)), 19
    )
    assert found.outcome == "not enough evidence"
    assert "20" in found.reason
    assert found.items == 19


def test_a_model_that_diverged_fails_whatever_its_number_of_items() -> None:
    scores: dict[str, float | None] = {f"i{at}": 1.0 for at in range(5)}
    found = _judge(
        Limit(LOST, 0.03, "facts"), measured(scores_of(5, 5)), measured(scores | {"i2": None}), 5
    )
    assert found.outcome == "failed"
    assert found.reason == "not finite on 1 of 5 items: a model diverged"
    assert math.isnan(found.change)
    assert write_change(found, found.change) == "NaN"


def _texts(nats: float, count: int = 40) -> Any:
    values = {f"i{at}": nats + at % 5 for at in range(count)}
    return measured(values, "nll", tokens=dict.fromkeys(values, 100))


@pytest.mark.parametrize(
    ("nats", "outcome"), [(152.0, "passed"), (155.0, "passed"), (160.0, "failed")]
)
def test_a_perplexity_may_rise_by_so_much(nats: float, outcome: str) -> None:
    """5% are 4.9 nats of 100 tokens; the rise is alike for all texts."""
    limit = Limit(PERPLEXITY, 0.06, "facts")
    found = _judge(limit, _texts(150.0), _texts(nats), 40, "nll")
    assert found.unit == "nats per token"
    assert found.change == pytest.approx((nats - 150) / 100)
    assert found.outcome == outcome
    assert write_change(found, math.log(1.05)) == "+5.0%"
    assert found.bound == (found.low if outcome == "failed" else found.high)


@pytest.mark.parametrize(
    ("kind", "measure", "words"),
    [
        (LOST, "nll", "in nats per token"),
        (GAINED, "gold_nll", "in nats per token"),
        (PERPLEXITY, "strict", "between 0 and 1"),
        (LOST, "reward", "no range is known"),
        (PERPLEXITY, "reward", "no range is known"),
    ],
)
def test_a_limit_belongs_to_its_unit(kind: Kind, measure: str, words: str) -> None:
    values = measured(scores_of(20, 30), measure)
    with pytest.raises(EngineError) as error:
        _judge(Limit(kind, 0.03, "facts"), values, values, 30, measure)
    assert words in error.value.detail


def test_what_was_not_measured_is_refused_by_name() -> None:
    one = measured(scores_of(20, 30))
    results = results_of(
        {"facts": suite_of(30), "french": suite_of(30)},
        {"base": {"facts": one, "french": one}, "tuned": {"facts": one}},
    )
    with pytest.raises(EngineError, match="'poems' was not measured"):
        judge_limits(results, [Limit(LOST, 0.03, "poems")], "base", "tuned")
    with pytest.raises(EngineError, match="'french' has no score by strict of tuned"):
        judge_limits(results, [Limit(LOST, 0.03, "french")], "base", "tuned")
    with pytest.raises(ValueError, match="nothing"):
        judge_limits(results, [Limit(LOST, 0.03, "facts")], "base", "nothing")


def test_arms_that_share_no_item_are_refused() -> None:
    with pytest.raises(EngineError, match="share no item"):
        _judge(Limit(LOST, 0.03, "facts"), measured({"i0": 1.0}), measured({"i1": 1.0}), 2)


def test_what_was_seen_in_training_is_left_out_beside_the_outcome() -> None:
    """All that was gained was seen."""
    before, after = scores_of(100, 300), scores_of(160, 300)
    seen = {f"i{at}": "question" for at in range(100, 160)}
    found = _judge(
        Limit(GAINED, 0.05, "facts"), measured(before, seen={}), measured(after, seen=seen)
    )
    assert found.outcome == "passed"
    assert found.seen == {"base": (), "tuned": tuple(seen)}
    assert found.unseen is not None
    assert (found.unseen.outcome, found.unseen.items) == ("failed", 240)
    assert any("60 items were seen in training" in note for note in found.notes)
    unknown = _judge(Limit(GAINED, 0.05, "facts"), measured(before), measured(after))
    assert unknown.seen == {"base": None, "tuned": None}
    assert unknown.unseen is None


def test_items_of_a_group_count_as_one_trial() -> None:
    before = measured(scores_of(300, 300))
    limit = Limit(LOST, 0.015, "facts")
    results = results_of(
        {"facts": suite_of(300)}, {"base": {"facts": before}, "tuned": {"facts": before}}
    )
    alone = judge_limits(results, [limit], "base", "tuned").outcomes[0]
    table = suite_of(300)
    for at, item in enumerate(table["items"].values()):
        item["group"] = f"g{at // 3}"
    grouped = results_of({"facts": table}, {"base": {"facts": before}, "tuned": {"facts": before}})
    together = judge_limits(grouped, [limit], "base", "tuned").outcomes[0]
    assert alone.outcome == "passed"
    assert together.outcome == "not enough evidence"
    assert together.low == pytest.approx(-(1 - 0.05 ** (1 / 100)))


@pytest.mark.parametrize(
    ("right", "outcome"),
    [
        ({"facts": 299, "french": 299}, "passed"),
        ({"facts": 299, "french": 292}, "not enough evidence"),
        ({"facts": 250, "french": 292}, "failed"),
    ],
)
def test_all_limits_must_be_kept(right: dict[str, int], outcome: str) -> None:
    results = results_of(
        {name: suite_of(300) for name in right},
        {
            "base": {name: measured(scores_of(300, 300)) for name in right},
            "tuned": {name: measured(scores_of(count, 300)) for name, count in right.items()},
        },
    )
    limits = [Limit(LOST, 0.03, name) for name in right]
    report = judge_limits(results, limits, "base", "tuned")
    assert report.outcome == outcome
    assert [one.limit for one in report.outcomes] == limits


def test_how_many_items_would_decide() -> None:
    """Of a loss those that would show that there is none; where they are there, and of a gain,
    those that would show the change that was measured."""
    after = {f"i{at}": float(at >= 14) for at in range(300)}  # 14 lost, 10 gained
    loss = _judge(Limit(LOST, 0.03, "facts"), measured(scores_of(290, 300)), measured(after))
    variance = (24 + 2) / 302 - (4 / 302) ** 2
    assert (loss.items_needed, loss.needed_if) == (items_needed(0.03, variance), "nothing is lost")
    many = _judge(
        Limit(LOST, 0.03, "facts"), measured(scores_of(2000, 2000)),
        measured(scores_of(1945, 2000)), 2000,
    )  # fmt: skip
    assert many.outcome == "not enough evidence"
    assert many.needed_if == "the change is as measured"
    assert many.items_needed is not None
    assert many.items_needed > 2000
    gain = _judge(
        Limit(GAINED, 0.05, "facts"), measured(scores_of(100, 300)), measured(scores_of(118, 300))
    )
    assert gain.outcome == "not enough evidence"
    assert gain.needed_if == "the change is as measured"
    assert gain.items_needed is not None
    assert gain.items_needed > 300
    at_limit = _judge(
        Limit(GAINED, 0.05, "facts"), measured(scores_of(100, 300)), measured(scores_of(115, 300))
    )
    assert at_limit.items_needed is None, "no number would show on which side it is"


def _items(count: int, in_a_group: int = 1) -> list[Item]:
    return [
        Item(f"i{at}", group=f"g{at // in_a_group}" if in_a_group > 1 else "")
        for at in range(count)
    ]


def test_what_is_needed_is_known_before_anything_is_measured() -> None:
    loss = Limit(LOST, 0.03, "facts")
    plan = plan_limit(loss, "strict", _items(300))
    assert plan is not None
    assert (plan.needed, plan.least, plan.assumption) == (952, 99, "if nothing is lost")
    assert plan.chance == pytest.approx(0.46, abs=0.01)
    few = plan_limit(loss, "strict", _items(98))
    assert few is not None
    assert few.chance == 0
    gain = plan_limit(Limit(GAINED, 0.05, "facts"), "strict", _items(100))
    assert gain is not None
    assert gain.assumption == "if 10 points are gained"
    assert gain.needed == items_needed(0.05, 0.1 - 0.01)
    large = plan_limit(Limit(GAINED, 0.3, "facts"), "strict", _items(100))
    assert large is not None
    assert large.discordant == pytest.approx(0.6), "what is gained is discordant"
    most = plan_limit(Limit(GAINED, 0.8, "facts"), "strict", _items(100))
    assert most is not None
    assert most.assumption == "if 90 points are gained"
    assert plan_limit(Limit(GAINED, 0.0, "facts"), "strict", _items(100)) is None
    assert plan_limit(Limit(PERPLEXITY, 0.05, "facts"), "nll", _items(100)) is None


def test_groups_are_what_the_plan_counts() -> None:
    """Against a simulation: 150 groups of two items that change together, none lost in truth."""
    plan = plan_limit(Limit(LOST, 0.03, "facts"), "strict", _items(300, 2))
    assert plan is not None
    assert (plan.items, plan.groups) == (300, 150)
    chance, passed = Random(1), 0
    groups = [at // 2 for at in range(300)]
    for _ in range(300):
        changes = chance.choices((1.0, -1.0, 0.0), (0.05, 0.05, 0.9), k=150)
        values = [changes[group] for group in groups]
        passed += bound_change(values, groups, is_bounded=True)[0] > -0.03
    assert plan.chance == pytest.approx(passed / 300, abs=0.07)


def test_a_limit_in_words() -> None:
    assert Limit(LOST, 0.03, "x").words == "lost at most 3 points"
    assert Limit(LOST, 0.01, "x").words == "lost at most 1 point"
    assert Limit(GAINED, 0.125, "x").words == "gained at least 12.5 points"
    assert Limit(PERPLEXITY, 0.05, "x").words == "perplexity up at most 5%"


@pytest.mark.parametrize(
    ("missing", "share", "outcome"),
    [
        (0, 0.03, "passed"),
        (1, 0.03, "passed"),  # 1 of 300 lost is still kept
        (20, 0.03, "not enough evidence"),  # all of them may be lost: 20 of 300
        (20, 0.2, "passed"),
        (290, 0.03, "not enough evidence"),
    ],
)
@pytest.mark.parametrize("from_before", [False, True])
def test_items_that_one_arm_has_no_score_of_may_all_be_lost(
    missing: int, share: float, outcome: str, from_before: bool
) -> None:
    """A model that answers nothing where it fails would pass by what it answers."""
    before, after = scores_of(300, 300), scores_of(300, 300)
    for item in list(before)[:missing]:
        if from_before:
            del before[item]
            after[item] = 0.0
        else:
            del after[item]
    found = _judge(Limit(LOST, share, "facts"), measured(before), measured(after))
    assert found.outcome == outcome
    assert bool(found.reason) == (outcome != "passed")
    if missing == 20 and found.reason:
        assert found.reason.startswith("20 items have a score of one arm alone")


def test_a_limit_that_is_broken_stays_broken_whatever_is_missing() -> None:
    after = {f"i{at}": 0.0 for at in range(200)}
    found = _judge(Limit(LOST, 0.03, "facts"), measured(scores_of(300, 300)), measured(after))
    assert (found.outcome, found.reason) == ("failed", "")


def test_texts_that_one_arm_has_no_value_of_are_no_evidence() -> None:
    found = _judge(Limit(PERPLEXITY, 0.06, "facts"), _texts(150.0), _texts(150.0, 39), 40, "nll")
    assert found.outcome == "not enough evidence"
    assert found.reason.startswith("1 item has a score of one arm alone")
