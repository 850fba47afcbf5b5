"""Verdicts: by hand, as inversions of their test, and by simulation."""

import math
import random
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.impact.changes.verdicts import DELTA, LEAST_ITEMS, judge, judge_family
from engine.statistics import PairedTest, paired_mean, paired_proportions, paired_test, wilson

DIFFERENCES = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=200) | st.lists(
    st.floats(-5, 5), min_size=2, max_size=60
)


def _flips(lost: int, gained: int, items: int) -> list[float]:
    return [-1.0] * lost + [1.0] * gained + [0.0] * (items - lost - gained)


@pytest.mark.parametrize(
    ("lost", "gained", "items", "word", "is_beyond"),
    [
        (60, 5, 300, "lost", True),
        (30, 10, 400, "lost", False),  # leaves out 0, and part of it lies within 5 points
        (10, 30, 400, "gained", False),
        (5, 60, 300, "gained", True),
        (1, 40, 4000, "changed within", False),
        (3, 4, 400, "the same within", False),
        (0, 0, 300, "the same within", False),
        (0, 0, 50, "the same within", False),  # bounded at 4.5% with a confidence of 90%
        (0, 0, 40, "not enough evidence", False),  # at 5.6%
        (9, 11, 100, "not enough evidence", False),
        (10, 0, 10, "items only", False),
    ],
)
def test_the_word_for_counts_of_flips(
    lost: int, gained: int, items: int, word: str, is_beyond: bool
) -> None:
    verdict = judge(paired_test(_flips(lost, gained, items)))
    assert (verdict.word, verdict.is_beyond) == (word, is_beyond)


def test_intervals_are_those_of_statistics() -> None:
    assert paired_test(_flips(30, 10, 400)).interval() == pytest.approx(
        paired_proportions(10, 30, 400)
    )
    assert paired_test(_flips(0, 0, 300)).interval()[1] == pytest.approx(0.00994, abs=1e-5)
    numbers = [0.1, 0.4, -0.2, 0.5, 0.25]
    assert paired_test(numbers).interval(0.9) == pytest.approx(paired_mean(numbers, 0.9))


@given(DIFFERENCES, st.floats(-1, 1), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_interval_is_what_the_test_does_not_refuse(
    differences: list[float], null: float, confidence: float
) -> None:
    test = paired_test(differences)
    low, high = test.interval(confidence)
    p = test.p_value(null)
    if abs(p - (1 - confidence)) > 1e-9:
        assert (low <= null <= high) == (p > 1 - confidence)


@given(DIFFERENCES)
def test_a_verdict_rests_on_its_interval(differences: list[float]) -> None:
    verdict = judge(paired_test(differences))
    if verdict.word in ("lost", "gained", "changed within"):
        assert not verdict.low <= 0 <= verdict.high
        assert verdict.p < 0.05 + 1e-9
    elif verdict.word != "items only":
        assert verdict.low <= 0 <= verdict.high
    if verdict.word in ("changed within", "the same within"):
        near, far = verdict.test.interval(0.9)
        assert near >= -DELTA
        assert far <= DELTA


def test_identical_groups_count_as_one_observation_each() -> None:
    """Each group of four has the same difference: as if there were a quarter of the items."""
    drawn = random.Random(3)
    each = [drawn.choice([-1.0, 0.0, 1.0, 1.0]) for _ in range(50)]
    groups = [at // 4 for at in range(200)]
    repeated = [one for one in each for _ in range(4)]
    clustered = paired_test([one / 2 for one in repeated], groups)
    assert (clustered.name, clustered.degrees) == ("clustered t", 49)
    assert clustered.interval() == pytest.approx(paired_mean([one / 2 for one in each]))
    flipped = paired_test(repeated, groups)
    assert (flipped.name, flipped.degrees) == ("clustered proportions", 49)
    assert flipped.interval() == pytest.approx(paired_test(each).interval(), abs=0.01)


def test_no_change_of_groups_bounds_less_than_no_change_of_items() -> None:
    groups = [at // 10 for at in range(300)]
    low, high = paired_test([0.0] * 300, groups).interval()
    assert (low, high) == paired_test([0.0] * 30).interval()
    assert high > paired_test([0.0] * 300).interval()[1]


def test_flips_of_groups_are_covered() -> None:
    """40 groups of 5: in a fifth of the groups all items are lost at once. Few false verdicts."""
    random = np.random.default_rng(9)
    groups = [at // 5 for at in range(200)]
    false = 0
    for _ in range(1500):
        flips = random.choice([-1.0, 1.0, 0.0], size=40, p=[0.1, 0.1, 0.8])
        test = paired_test(np.repeat(flips, 5).tolist(), groups)
        low, high = test.interval()
        false += not low <= 0 <= high
    assert wilson(false, 1500)[1] <= 0.07


def test_groups_of_one_are_no_groups() -> None:
    assert paired_test([1.0, 0.0, -1.0], ["a", "b", "c"]).name == "paired proportions"


def test_one_item_and_one_group_say_nothing() -> None:
    assert paired_test([0.5]).interval() == (-math.inf, math.inf)
    assert paired_test([0.5, 0.1], ["a", "a"]).interval() == (-math.inf, math.inf)
    assert paired_test([0.5]).p_value() == 1.0
    assert judge(paired_test([0.5])).word == "items only"


@pytest.mark.parametrize("differences", [[], [math.nan], [math.inf, 0.0]])
def test_what_is_no_difference_is_refused(differences: list[float]) -> None:
    with pytest.raises(ValueError, match="difference"):
        paired_test(differences)


def test_the_items_that_would_do() -> None:
    """At 10% of flips and no difference 343 items show 5 points, 952 show 3 (Schuirmann 1987)."""
    test = PairedTest("paired proportions", 100, 0, 0, 0.03, 99, variance=0.1)
    assert test.items_needed(0.05) == 343
    assert test.items_needed(0.03) == 952


def test_one_group_says_nothing_however_many_items_it_has() -> None:
    test = paired_test([1.0, -1.0, 0.0] * 10, ["g"] * 30)
    verdict = judge(test)
    assert (verdict.word, verdict.items_needed, verdict.p) == ("not enough evidence", None, 1.0)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjusted p-values, by name: the least level at which each would be refused."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )


def test_holm_is_that_of_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    drawn = random.Random(5)
    p_values = {str(at): drawn.random() ** 3 for at in range(9)}
    known = multitest.multipletests(list(p_values.values()), method="holm")[1]
    assert list(holm(p_values).values()) == pytest.approx(list(known))


def test_a_family_is_refused_exactly_where_holm_refuses() -> None:
    drawn = random.Random(11)
    for _ in range(200):
        tests = {
            str(at): paired_test(_flips(drawn.randrange(25), drawn.randrange(25), 300))
            for at in range(6)
        }
        verdicts = judge_family(tests)
        adjusted = holm({name: test.p_value() for name, test in tests.items()})
        for name, verdict in verdicts.items():
            assert (not verdict.low <= 0 <= verdict.high) == (adjusted[name] <= 0.05), name
            assert verdict.is_primary


def test_few_items_are_no_part_of_the_family() -> None:
    tests = {"song": paired_test(_flips(3, 0, 3)), "facts": paired_test(_flips(30, 10, 400))}
    verdicts = judge_family(tests)
    assert (verdicts["song"].word, verdicts["song"].is_primary) == ("items only", False)
    assert verdicts["facts"].confidence == 0.95


def _simulate(lost: float, gained: float, items: int, trials: int, seed: int) -> Counter[str]:
    random = np.random.default_rng(seed)
    drawn = random.multinomial(items, [lost, gained, 1 - lost - gained], trials).tolist()
    words: Counter[str] = Counter()
    for (down, up), count in Counter((down, up) for down, up, _ in drawn).items():
        words[judge(paired_test(_flips(down, up, items))).word] += count
    return words


@pytest.mark.parametrize("items", [LEAST_ITEMS, 60, 300])
@pytest.mark.parametrize("flips", [0.01, 0.1, 0.3])
def test_without_an_effect_verdicts_of_change_are_rare(items: int, flips: float) -> None:
    """At most 7%, by the upper bound of Wilson's interval."""
    trials = 5000
    words = _simulate(flips / 2, flips / 2, items, trials, seed=items)
    false = words["lost"] + words["gained"] + words["changed within"]
    assert wilson(false, trials)[1] <= 0.07, words


def test_a_planted_loss_is_found() -> None:
    """5 points of 400 items at 10% of flips: in at least 80% of 1,000 trials."""
    words = _simulate(0.075, 0.025, 400, 1000, seed=1)
    assert words["lost"] >= 800, words


def test_the_number_of_items_needed_would_do() -> None:
    """Without a difference, so many items are found the same within 5 points in 80% of trials."""
    words = _simulate(0.05, 0.05, 343, 1000, seed=2)
    assert words["the same within"] >= 760, words


@pytest.mark.parametrize("scale", [1.0, 0.1])
@pytest.mark.parametrize("heaviest", [1e17, 1e30])
def test_an_item_that_outweighs_all_others_proves_nothing(scale: float, heaviest: float) -> None:
    """Without it nothing is left, so that nothing tells its error; below that it has one."""
    differences = [scale * ((at % 3) - 1) for at in range(30)]
    test = paired_test(differences, weights=[heaviest] + [1.0] * 29)
    assert judge(test).word == "not enough evidence"
    assert test.interval()[1] - test.interval()[0] >= 1.9
    lighter = paired_test(differences, weights=[2.0] + [1.0] * 29)
    assert 0 < lighter.interval()[1] - lighter.interval()[0] < 1
