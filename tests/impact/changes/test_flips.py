"""Flips and McNemar's test, against counts by hand and against reference implementations."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.impact.changes.flips import find_flips, find_loss_step, find_regained, mcnemar

COUNTS = st.integers(0, 60)


def test_the_four_classes_by_item() -> None:
    before = {"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.0, "half": 0.5, "before only": 1.0}
    after = {"a": 1.0, "b": 0.0, "c": 1.0, "d": 0.0, "half": 1.0, "after only": 1.0}
    flips = find_flips(before, after)
    assert (flips.kept, flips.lost, flips.gained, flips.never) == (
        ("a",), ("b",), ("c", "half"), ("d",)
    )  # fmt: skip
    assert flips.items == 5


@pytest.mark.parametrize(
    ("lost", "gained", "exact", "mid"),
    [
        (0, 0, 1.0, 1.0),
        (0, 5, 0.0625, 0.03125),
        (30, 10, 0.0022213, 0.0014505),  # 7.5% and 2.5% of 400
        (10, 30, 0.0022213, 0.0014505),
        (1, 1, 1.0, 1.0),
    ],
)
def test_mcnemar_of_known_counts(lost: int, gained: int, exact: float, mid: float) -> None:
    assert mcnemar(lost, gained) == pytest.approx(exact, rel=1e-4)
    assert mcnemar(lost, gained, mid=True) == pytest.approx(mid, rel=1e-4)


@given(COUNTS, COUNTS)
def test_mcnemar_by_its_definition(lost: int, gained: int) -> None:
    flips, fewer = lost + gained, min(lost, gained)
    chances = [math.comb(flips, k) / 2**flips for k in range(flips + 1)]
    below, at = math.fsum(chances[:fewer]), chances[fewer]
    assert mcnemar(lost, gained) == pytest.approx(min(1, 2 * (below + at)))
    assert mcnemar(lost, gained, mid=True) == pytest.approx(min(1, 2 * below + at))


@pytest.mark.parametrize(("lost", "gained"), [(3, 12), (40, 61), (700, 600), (2000, 1500)])
def test_mcnemar_is_that_of_statsmodels(lost: int, gained: int) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    known = tables.mcnemar([[5, lost], [gained, 5]], exact=True).pvalue
    assert mcnemar(lost, gained) == pytest.approx(known, rel=1e-9)


def test_many_flips_are_counted_exactly() -> None:
    assert mcnemar(5000, 5000) == 1.0
    assert mcnemar(0, 2000) == 0.0  # 2 ** -1999 is below the least float
    assert mcnemar(4900, 5100) == pytest.approx(0.0466, abs=2e-4)  # normal: z = 1.99


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="-1 lost"):
        mcnemar(-1, 2)
    with pytest.raises(ValueError, match="0 items"):
        find_flips({}, {}).adjusted(4)


def test_what_guessing_flips_is_no_loss() -> None:
    """Two arms that guess among four: 3/16 of the items are lost, and as many gained, by chance."""
    before = {str(at): float(at % 4 == 0) for at in range(16)}
    after = {str(at): float(at // 4 == 0) for at in range(16)}
    flips = find_flips(before, after)
    assert (len(flips.lost), len(flips.gained)) == (3, 3)
    assert flips.adjusted(4) == pytest.approx((0.0, 0.0))
    knowing = find_flips({str(at): 1.0 for at in range(10)}, {str(at): 0.0 for at in range(10)})
    assert knowing.adjusted(4) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("scores", "base", "step"),
    [
        ({10: 1, 20: 0, 30: 0, 40: 1}, 1, 20),
        ({10: 1, 20: 0, 30: 1, 40: 0}, 1, None),  # one checkpoint alone is no evidence
        ({40: 0, 30: 0, 20: 1}, 1, 30),
        ({10: 0, 20: 0}, 0, None),  # never right, so never lost
        ({10: 0}, 1, None),
        ({}, 1, None),
    ],
)
def test_the_step_at_which_an_item_was_lost(
    scores: dict[int, float], base: float, step: int | None
) -> None:
    assert find_loss_step(scores, base) == step


def test_what_was_lost_between_and_came_back() -> None:
    base = {"kept": 1.0, "back": 1.0, "gone": 1.0, "learned": 0.0, "late": 1.0}
    middle = {"kept": 1.0, "back": 0.0, "gone": 0.5, "learned": 1.0, "late": 1.0}
    last = {"kept": 1.0, "back": 1.0, "gone": 0.0, "learned": 1.0, "late": 0.0}
    assert find_regained([base, middle, last], base) == (("back", "gone"), ("back",))
    assert find_regained([base, last], base) == ((), ())


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [(30, 10, 0.0022214337732293643), (3, 0, 0.25), (7, 7, 1.0), (120, 95, 0.10145232764870649)],
)
def test_mcnemar_as_statsmodels_has_it(lost: int, gained: int, p: float) -> None:
    """statsmodels 0.15.0: mcnemar(table, exact=True), pinned."""
    assert mcnemar(lost, gained) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_a_diverged_arm_scores_is_not_right(value: float) -> None:
    """`results.json` has it as null, which is read as infinite."""
    before, after = {"a": 1.0, "b": 0.0}, {"a": value, "b": value}
    flips = find_flips(before, after)
    assert (flips.lost, flips.never) == (("a",), ("b",))
    assert find_flips(after, before).gained == ("a",)
    assert find_regained([before, after, before], ["a", "b"]) == (("a",), ("a",))
    assert find_loss_step({5: value, 10: value}, 1.0) == 5
    assert find_loss_step({5: 0.0, 10: 0.0}, value) is None
