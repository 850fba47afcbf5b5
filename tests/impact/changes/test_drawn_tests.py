"""Tests of draws as arrays: every number against the tests of `engine.statistics`."""

import dataclasses

import numpy as np
import pytest

from engine.impact.changes.drawn_tests import prepare_items
from engine.statistics import PairedTest, mean_test, paired_test


def check_same(found: PairedTest, expected: PairedTest) -> None:
    assert (found.name, found.items, found.degrees, found.trials) == (
        expected.name, expected.items, expected.degrees, expected.trials,
    )  # fmt: skip
    for name in ("difference", "centre", "error", "variance"):
        own, other = (dataclasses.asdict(one)[name] for one in (found, expected))
        assert own == pytest.approx(other, rel=1e-12, abs=1e-15), name


@pytest.mark.parametrize("count", [2, 7, 90])
@pytest.mark.parametrize("groups_of", [0, 1, 2, 5, 1000])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_draw_has_the_test_of_its_differences(
    count: int, groups_of: int, is_weighted: bool
) -> None:
    random = np.random.default_rng(count + groups_of)
    groups = [f"g{at // groups_of}" for at in range(count)] if groups_of else []
    weights = random.uniform(0.2, 3, count).tolist() if is_weighted else []
    items = prepare_items(count, groups, weights)
    draws = [random.choice([-1.0, 0.0, 0.0, 1.0], count) for _ in range(20)]
    for drawn in [*draws, np.zeros(count), np.full(count, -1.0)]:
        expected = paired_test(drawn.tolist(), groups, weights)
        check_same(items.proportions_test(drawn), expected)
        normal = drawn + random.normal(size=count)
        check_same(items.mean_test(normal), mean_test(normal.tolist(), groups, weights))
