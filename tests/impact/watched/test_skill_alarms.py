"""The alarm of a skill: rare where nothing changed, there where something did, and what it says.

What is simulated are items that flip by chance: at each evaluation a share of them, as many lost as
gained, and each flip lasts for a while. How long is the correlation of two evaluations in a row:
0 is anew each time, 1 is for good.
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import pytest

from engine.impact.results.evaluation_results import NLL
from engine.impact.watched.skill_alarms import find_alarm_step, find_alarms, is_lost
from engine.statistics import paired_test, wilson
from tests.impact.watched.test_skill_log import make_log, make_suite

SKILLS, LOOKS = 8, 20


@lru_cache(maxsize=1 << 14)
def judge_counts(n: int, gained: int, lost: int) -> bool:
    return is_lost(paired_test([1.0] * gained + [-1.0] * lost + [0.0] * (n - gained - lost)))


def share_of_alarms(
    n: int, flips: float, lasting: float, *, runs: int, loss: float = 0.0, looks: int = LOOKS
) -> int:
    """Of so many skills, how many have an alarm; `loss` is what is lost beside what flips."""
    draw = np.random.default_rng(int(1000 * flips + 10 * n + 7 * lasting))
    up, down = (NormalDist().inv_cdf(1 - share) for share in (flips / 2, flips / 2 + loss))
    state = draw.standard_normal((runs, n), dtype=np.float32)
    found: list[dict[int, bool]] = [{} for _ in range(runs)]
    for look in range(1, looks + 1):
        gained, lost = (state > up).sum(1), (state < -down).sum(1)
        for run, counts in enumerate(zip(gained.tolist(), lost.tolist(), strict=True)):
            found[run][look] = judge_counts(n, *counts)
        fresh = draw.standard_normal((runs, n), dtype=np.float32)
        state = lasting * state + math.sqrt(1 - lasting**2) * fresh
    return sum(find_alarm_step(one) is not None for one in found)


@pytest.mark.parametrize("lasting", [0.0, 0.8, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("flips", [0.02, 0.05, 0.10])
@pytest.mark.parametrize("n", [20, 50, 200])
def test_false_alarms_are_below_5_percent_of_runs(n: int, flips: float, lasting: float) -> None:
    """Eight skills, twenty evaluations, nothing changed: the upper Wilson bound is below 5%."""
    skills = 2400
    alarms = share_of_alarms(n, flips, lasting, runs=skills)
    of_a_run = 1 - (1 - wilson(alarms, skills)[1]) ** SKILLS
    assert of_a_run < 0.05, f"{alarms} of {skills}"


@pytest.mark.parametrize(
    ("loss", "n", "least"),
    [(0.1, 100, 0.4), (0.1, 200, 0.7), (0.1, 320, 0.85), (0.2, 50, 0.75), (0.2, 100, 0.95)],
)
def test_a_planted_loss_is_found(loss: float, n: int, least: float) -> None:
    """In ten evaluations, beside 5% of items that flip for long: the share that is found."""
    runs = 600
    found = share_of_alarms(n, 0.05, 0.95, runs=runs, loss=loss, looks=10)
    print(f"loss of {loss:.0%}, n = {n}: found in {found / runs:.0%} of runs")
    assert wilson(found, runs)[0] > least


def test_one_evaluation_is_none_and_two_in_a_row_are() -> None:
    assert find_alarm_step({}) is None
    assert find_alarm_step({5: True}) is None
    assert find_alarm_step({5: True, 10: False, 15: True}) is None
    assert find_alarm_step({5: True, 10: False, 15: True, 20: True, 25: True}) == 20


ITEMS = tuple(f"i{number}" for number in range(100))


def answers(right: int) -> dict[str, float]:
    return {item: float(number < right) for number, item in enumerate(ITEMS)}


def test_an_alarm_says_skill_step_interval_and_n() -> None:
    log = make_log(make_suite("facts", ITEMS), at0=answers(90), at10=answers(60), at20=answers(55))
    (alarm,) = find_alarms(log, budget=0.1)
    low, high = paired_test([-1.0] * 35 + [0.0] * 65).interval(0.9)
    assert str(alarm) == (
        f"facts -35.0 points at step 20 (90% interval {100 * low:+.1f} to {100 * high:+.1f}, "
        "n = 100), below -5 in two evaluations"
    )


def test_fewer_than_20_items_raise_none() -> None:
    for count, alarms in ((19, 0), (20, 1)):
        few = ITEMS[:count]
        log = make_log(
            make_suite("facts", few),
            at0=dict.fromkeys(few, 1.0), at1=dict.fromkeys(few, 0.0), at2=dict.fromkeys(few, 0.0),
        )  # fmt: skip
        assert len(find_alarms(log, budget=0.1)) == alarms


def test_texts_are_held_against_the_budget_in_nats_per_token() -> None:
    def read(shift: float) -> dict[str, float]:
        return {item: 20 + 10 * shift + number % 3 / 10 for number, item in enumerate(ITEMS)}

    suite, tokens = make_suite("prose", ITEMS, NLL), dict.fromkeys(ITEMS, 10)
    log = make_log(suite, tokens, at0=read(0), at10=read(0.3), at20=read(0.2))
    (alarm,) = find_alarms(log, budget=0.1)
    assert str(alarm).startswith("prose +0.200 nats/token at step 20 (90% interval +0.200 to +0.2")
    assert str(alarm).endswith("n = 100), above +0.1 in two evaluations")
    assert not find_alarms(log, budget=0.25)


def test_a_model_that_diverged_raises_it() -> None:
    suite, tokens = make_suite("prose", ITEMS, NLL), dict.fromkeys(ITEMS, 10)
    gone = dict.fromkeys(ITEMS, math.inf)
    log = make_log(suite, tokens, at0=dict.fromkeys(ITEMS, 20.0), at10=gone, at20=gone)
    (alarm,) = find_alarms(log, budget=0.1)
    assert str(alarm) == "prose diverged at step 20, n = 100"
