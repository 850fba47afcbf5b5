"""The least change that a report says its items could show: against simulated tests."""

import math

import numpy as np
import pytest

from engine.impact.changes.skill_changes import SkillChange
from engine.impact.report.limits import find_detectable
from engine.statistics import paired_test


def change_of(differences: list[float]) -> SkillChange:
    return SkillChange("base", "tuned", paired_test(differences), None, None)


def share_found(differences: np.ndarray, draws: int = 1000) -> float:
    """How often a test at 5% of items drawn like these leaves out 0."""
    random = np.random.default_rng(3)
    found = 0
    for _ in range(draws):
        drawn = random.choice(differences, len(differences)).tolist()
        low, high = paired_test(drawn).interval()
        found += low > 0 or high < 0
    return found / draws


def test_a_change_of_that_size_and_spread_is_found_four_times_in_five() -> None:
    """Flips of 400 items shifted until their mean is what is said to be detectable."""
    lost, gained, n = 30, 18, 400
    least = find_detectable(change_of([-1.0] * lost + [1.0] * gained + [0.0] * (n - lost - gained)))
    assert least is not None
    share = (lost + gained) / n
    more = round(n * (share + least) / 2)
    less = round(n * (share - least) / 2)
    found = share_found(np.array([-1.0] * more + [1.0] * less + [0.0] * (n - more - less)))
    assert 0.75 < found < 0.87


@pytest.mark.parametrize("n", [30, 150, 600])
def test_where_nothing_changed_the_share_that_would_be_found_four_times_in_five(n: int) -> None:
    least = find_detectable(change_of([0.0] * n))
    assert least is not None
    random = np.random.default_rng(5)
    found = 0
    for lost in random.binomial(n, least, 2000).tolist():
        low, high = paired_test([-1.0] * lost + [0.0] * (n - lost)).interval()
        found += low > 0 or high < 0
    assert found / 2000 == pytest.approx(0.8, abs=0.03)


def test_few_items_and_infinite_spreads_have_none() -> None:
    assert find_detectable(change_of([0.0] * 19)) is None
    alike = SkillChange("a", "b", paired_test([1.0, 0.0] * 20, ["g"] * 40), None, None)
    assert math.isinf(alike.test.variance)
    assert find_detectable(alike) is None
