"""Planted losses: the share that is found, against its exact value by enumeration."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from engine.impact.changes.planted_loss import (
    FoundShare,
    PowerTable,
    ScorePairs,
    measure_power,
    simulate_power,
)
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.verdicts import judge
from engine.impact.results.evaluation_results import NLL
from engine.statistics import paired_test, wilson
from tests.impact.made_results import measured, results_of, scores_of, suite_of

DRAWS = 2000


def pairs_of(kept: int, lost: int, gained: int, never: int, name: str = "facts") -> ScorePairs:
    before = np.array([1.0] * (kept + lost) + [0.0] * (gained + never))
    after = np.array([1.0] * kept + [0.0] * lost + [1.0] * gained + [0.0] * never)
    return ScorePairs(name, before, after)


def exact_found(kept: int, flips: int, never: int, loss: float) -> tuple[float, float]:
    """The chance that a verdict says lost with such a loss, and that it says changed with none:
    over how many of the flips are gained, how many of these and of the kept are turned wrong (all
    binomial). One skill, so no correction."""
    n = kept + flips + never
    found = alarm = 0.0
    for gained in range(flips + 1):
        chance = math.comb(flips, gained) / 2**flips
        lost = flips - gained
        alarm += chance * (
            verdict(gained, lost, n) not in ("the same within", "not enough evidence")
        )
        wrong = loss * n / (kept + gained)
        of_kept = [binomial(more, kept, wrong) for more in range(kept + 1)]
        for hit in range(gained + 1):
            of_gained = chance * binomial(hit, gained, wrong)
            for more, of_these in enumerate(of_kept):
                share = of_gained * of_these
                if share > 1e-9 and verdict(gained - hit, lost + more, n) == "lost":
                    found += share
    return found, alarm


def binomial(count: int, trials: int, chance: float) -> float:
    return math.comb(trials, count) * chance**count * (1 - chance) ** (trials - count)


@cache
def verdict(gained: int, lost: int, n: int) -> str:
    return judge(paired_test([1.0] * gained + [-1.0] * lost + [0.0] * (n - gained - lost))).word


@pytest.mark.parametrize(
    ("kept", "lost", "gained", "never"),
    [(200, 20, 10, 70), (60, 15, 15, 10), (20, 3, 1, 6), (300, 40, 40, 20)],
)
def test_the_share_is_that_of_all_draws_there_are(
    kept: int, lost: int, gained: int, never: int
) -> None:
    pairs = pairs_of(kept, lost, gained, never)
    (skill,) = simulate_power([pairs], draws=DRAWS).skills
    assert (skill.items, skill.flips) == (kept + lost + gained + never, lost + gained)
    alarms = 0.0
    for loss, share in skill.planted.items():
        assert share is not None
        noise = min(lost, gained)
        own = (kept + lost - noise, 2 * noise, never + gained - noise)
        assert skill.noise == 2 * noise
        expected, _ = exact_found(*own, loss)
        _, alarms = exact_found(kept, lost + gained, never, loss)
        low, high = wilson(share.found, share.draws, 0.9999)
        assert low <= expected <= high, (loss, share.share, expected)
    assert skill.false_alarms is not None
    low, high = wilson(skill.false_alarms.found, DRAWS, 0.9999)
    assert low <= alarms <= high


def test_what_the_arm_lost_itself_is_no_noise_that_a_loss_would_drown_in() -> None:
    """An arm that lost all but a few: a loss of 10 points without it would be seen."""
    lost = simulate_power([pairs_of(5, 190, 0, 5)], draws=100).skills[0]
    still = simulate_power([pairs_of(195, 0, 0, 5)], draws=100).skills[0]
    assert (lost.flips, lost.noise) == (190, 0)
    assert lost.planted == still.planted
    assert lost.planted[0.1] == FoundShare(100, 100)


def test_without_flips_a_loss_of_ten_points_is_found_and_nothing_else() -> None:
    table = simulate_power([pairs_of(250, 0, 0, 50)], draws=100)
    (skill,) = table.skills
    assert skill.planted[0.1] == FoundShare(100, 100)
    assert skill.false_alarms == FoundShare(0, 100)
    assert table.any_false_alarm == FoundShare(0, 100)


def test_holm_over_the_skills_lowers_what_is_found() -> None:
    """As measures.md has it for a loss of 5 points at n = 400 and 10% of flips: some .86 alone,
    some .6 in a family of eight to ten."""
    alone = simulate_power([pairs_of(300, 10, 10, 80)], draws=DRAWS).skills[0].planted[0.05]
    many = [pairs_of(300, 10, 10, 80, f"skill {at}") for at in range(9)]
    family = simulate_power(many, draws=400)
    assert alone is not None
    shares = [one.planted[0.05] for one in family.skills]
    assert all(one is not None for one in shares)
    mean = float(np.mean([one.share for one in shares if one is not None]))
    assert mean < alone.share - 0.1
    assert alone.share > 0.75
    assert family.any_false_alarm.share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_false_alarms_stay_below_their_level_also_in_groups_and_with_weights() -> None:
    rng = np.random.default_rng(3)
    groups = tuple(f"g{at // 5}" for at in range(200))
    flips = rng.random(200) < 0.3
    before = (rng.random(200) < 0.5).astype(float)
    after = np.where(flips, 1 - before, before)
    pairs = [
        ScorePairs("grouped", before, after, groups, (1.0,) * 200),
        ScorePairs("weighted", before, after, (), tuple(rng.uniform(0.5, 2, 200))),
        ScorePairs("nats", rng.normal(size=200), rng.normal(size=200), delta=None,
                   is_right_or_wrong=False),
    ]  # fmt: skip
    table = simulate_power(pairs, draws=400)
    assert table.any_false_alarm.share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    grouped, weighted, nats = table.skills
    for one in (grouped, weighted):
        assert one.planted[0.1] is not None
        assert one.planted[0.05] is not None
        assert one.planted[0.1].share > one.planted[0.05].share
    assert nats.false_alarms is not None
    assert set(nats.planted.values()) == {None}
    assert "not right or wrong" in nats.reason


def test_what_cannot_be_planted_says_why() -> None:
    few, wrong = pairs_of(10, 1, 1, 5, "few"), pairs_of(4, 1, 1, 194, "wrong")
    table = simulate_power([few, wrong], draws=50)
    assert table.skill("few").false_alarms is None
    assert "fewer than 20 items" in table.skill("few").reason
    assert table.skill("wrong").planted == {0.05: None, 0.1: None}
    assert "5 of 200 items are right" in table.skill("wrong").reason


def test_the_same_table_gives_the_same_shares() -> None:
    pairs = [pairs_of(100, 8, 5, 40), pairs_of(80, 3, 9, 40, "other")]
    assert simulate_power(pairs, draws=100) == simulate_power(pairs, draws=100)


def _table(arms: Sequence[str] = ("base", "tuned")) -> PowerTable:
    nats = {f"i{at}": 10.0 + at for at in range(30)}
    results = results_of(
        {"facts": suite_of(120), "prose": suite_of(30, NLL), "few": suite_of(5)},
        {
            "base": {
                "facts": measured(scores_of(100, 120)),
                "prose": measured(nats, NLL, tokens=dict.fromkeys(nats, 10)),
                "few": measured(scores_of(5, 5)),
            },
            "tuned": {
                "facts": measured(scores_of(96, 120)),
                "prose": measured(dict.fromkeys(nats, 20.0), NLL, tokens=dict.fromkeys(nats, 10)),
                "few": measured(scores_of(5, 5)),
            },
        },
    )
    return measure_power(build_table(results, arms), draws=50)


def test_a_table_is_simulated_by_its_own_pairs() -> None:
    table = _table()
    assert table.arms == ("base", "tuned")
    assert [one.name for one in table.skills] == ["facts", "prose", "few"]
    assert (table.skill("facts").items, table.skill("facts").flips) == (120, 4)
    assert table.skill("prose").flips == 29, "one text has the same NLL"


def test_one_arm_alone_is_held_against_itself() -> None:
    table = _table(["base"])
    assert table.arms == ("base", "base")
    assert table.skill("facts").flips == 0
    found = table.skill("facts").planted[0.1]
    assert found is not None
    assert found.share > 0.8
