"""One-sided bounds: their errors at the limit, enumerated where they are exact, else simulated."""

from collections.abc import Callable
from math import cbrt, comb, exp, fsum, log1p, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.one_sided_bounds import (
    bound_change,
    bound_proportions,
    chance_to_pass,
    items_needed,
    least_items,
)
from engine.statistics import paired_proportions, t_quantile

LIMITS = (0.01, 0.02, 0.03, 0.05, 0.1)


def _trinomial(up: int, down: int, n: int, rise: float, fall: float) -> float:
    ways = comb(n, up) * comb(n - up, down)
    return ways * rise**up * fall**down * (1 - rise - fall) ** (n - up - down)


def _passes(n: int, limit: float, most: int) -> list[int]:
    """By the number of changed items up to `most`, the least gained of them with which a loss at
    the limit is excluded. It rises by 0 or 1 with each changed item, as is checked."""
    least: list[int] = []
    for changed in range(most + 1):
        gained = least[-1] if least else 0
        while gained <= changed and bound_proportions(gained, changed - gained, n) <= -limit:
            gained += 1
        if least and least[-1] <= changed:
            assert gained - least[-1] in (0, 1)
            before = least[-1] - 1
            assert before < 0 or bound_proportions(before, changed - before, n) <= -limit
        least.append(gained)
    return least


@pytest.mark.parametrize(
    ("n", "limits", "most"),
    [(20, (*LIMITS, -0.05, -0.1), 20), (50, (0.02, 0.05, 0.1, -0.05), 34), (100, (0.03,), 56)],
)
def test_a_loss_at_the_limit_passes_in_at_most_5_percent(
    n: int, limits: tuple[float, ...], most: int
) -> None:
    """All results of n items, with a discordance from the least possible one (no item gained) to
    40%. More than `most` changed items have a chance below 1e-3 there, all of which are taken to
    pass."""
    for limit in limits:
        least = _passes(n, limit, most)
        shares = [abs(limit) + (0.4 - abs(limit)) * (at / 40) ** 2 for at in range(41)]
        worst = 0.0
        for share in shares:
            rise, fall = (share - limit) / 2, (share + limit) / 2
            known = fsum(
                _trinomial(gained, changed - gained, n, max(0.0, rise), max(0.0, fall))
                for changed in range(most + 1)
                for gained in range(least[changed], changed + 1)
            )
            beyond = fsum(
                comb(n, changed) * share**changed * (1 - share) ** (n - changed)
                for changed in range(most + 1, n + 1)
            )
            assert beyond < 1e-3
            worst = max(worst, known + beyond)
        assert worst <= 0.05
        assert worst > 0.04, "the bound would be needlessly weak"


def test_half_of_an_interval_does_not_promise_that() -> None:
    """Why the bounds are not those of `engine.statistics`: 3 points, 128 items, none gained."""
    n, limit = 128, 0.03

    def errors(bound: Callable[[int], float]) -> float:
        return fsum(_trinomial(0, one, n, 0, limit) for one in range(6) if bound(one) > -limit)

    assert errors(lambda lost: paired_proportions(0, lost, n, 0.9)[0]) > 0.1
    assert errors(lambda lost: bound_proportions(0, lost, n)) <= 0.05


@pytest.mark.parametrize("n", [20, 59, 99, 300, 950])
def test_without_a_change_the_bound_is_that_of_no_loss_in_n(n: int) -> None:
    assert bound_proportions(0, 0, n) == pytest.approx(-(1 - 0.0499 ** (1 / n)), abs=1e-6)


def test_the_least_items_are_those_with_which_no_change_passes() -> None:
    assert least_items(0.03) == 99
    assert bound_proportions(0, 0, 99) > -0.03 > bound_proportions(0, 0, 98)
    assert least_items(1.0) == 1


@pytest.mark.parametrize(("gained", "lost", "n"), [(0, 3, 40), (4, 7, 40), (10, 2, 40)])
def test_the_bound_is_where_as_good_a_result_becomes_likely(gained: int, lost: int, n: int) -> None:
    """By another way: a plain sum over all results and many more shares of changed items."""

    def rank(up: int, down: int) -> float:
        return up - down - 1.6448536269514722 * sqrt(up + down + 2)

    as_good = [
        (up, down)
        for up in range(n + 1)
        for down in range(n + 1 - up)
        if rank(up, down) >= rank(gained, lost) - 1e-9
    ]

    def tail(k: int, share: float) -> float:
        """Of at least k changed items."""
        return fsum(comb(n, one) * share**one * (1 - share) ** (n - one) for one in range(k, n + 1))

    changed = gained + lost
    shares = [at / 400 for at in range(1, 400)]
    known = [
        share for share in shares if min(tail(changed, share), 1 - tail(changed + 1, share)) > 5e-5
    ]

    def chance(difference: float) -> float:
        return max(
            fsum(
                _trinomial(up, down, n, (share + difference) / 2, (share - difference) / 2)
                for up, down in as_good
            )
            for share in known
            if share >= abs(difference)
        )

    bound = bound_proportions(gained, lost, n)
    assert chance(bound - 0.004) < 0.0499 < chance(bound + 0.004)


def test_for_many_items_it_is_the_normal_one() -> None:
    assert bound_proportions(500, 500, 10_000) == pytest.approx(
        -1.645 * (0.1 / 10_000) ** 0.5, abs=2e-4
    )


@given(st.integers(20, 60), st.data())
def test_more_gained_is_never_worse_and_more_lost_never_better(n: int, data: st.DataObject) -> None:
    """Of as many items as a verdict needs. Of six, one more that changes may widen the shares that
    are searched so far that the bound falls by a point."""
    gained = data.draw(st.integers(0, n - 1))
    lost = data.draw(st.integers(0, n - 1 - gained))
    bound = bound_proportions(gained, lost, n)
    assert -1 <= bound < (gained - lost) / n
    assert bound_proportions(gained + 1, lost, n) >= bound - 1e-7
    assert bound_proportions(gained, lost + 1, n) <= bound + 1e-7


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=40))
def test_the_upper_bound_is_the_lower_one_of_the_mirror_image(differences: list[float]) -> None:
    low, high = bound_change(differences, is_bounded=True)
    mirrored = bound_change([-one for one in differences], is_bounded=True)
    assert (low, high) == (-mirrored[1], -mirrored[0])
    assert low <= fsum(differences) / len(differences) <= high


@pytest.mark.parametrize(
    ("arguments", "confidence"),
    [((-1, 0, 5), 0.95), ((3, 3, 5), 0.95), ((0, 0, 0), 0.95), ((0, 0, 5), 0.4)],
)
def test_impossible_counts_and_confidence_are_refused(
    arguments: tuple[int, int, int], confidence: float
) -> None:
    with pytest.raises(ValueError, match=r"gained|confidence"):
        bound_proportions(*arguments, confidence)


def test_all_items_lost_bound_nothing_and_one_group_neither() -> None:
    assert bound_change([-1.0] * 5, is_bounded=True)[0] == -1.0
    assert bound_change([0.5, 0.2], ["a", "a"], is_bounded=True) == (-1.0, 1.0)
    assert bound_change([0.5, 0.2], ["a", "a"], is_bounded=False) == (-float("inf"), float("inf"))


Draw = Callable[[Random], tuple[list[float], list[int], list[float]]]


def _rare_losses(chance: Random) -> tuple[list[float], list[int], list[float]]:
    """Scores that hardly move, but for a few that fall to nothing: a mean loss of 3 points."""
    return [
        -1.0 if chance.random() < 0.03 else chance.gauss(0, 0.001) for _ in range(100)
    ], [], []  # fmt: skip


def _rouge(chance: Random) -> tuple[list[float], list[int], list[float]]:
    """Three of ten answers are others: scores between 0 and 1, whose mean falls by 3 points."""
    return [
        (chance.betavariate(2, 2) - chance.betavariate(2, 2)) * (chance.random() < 0.3) - 0.03
        for _ in range(300)
    ], [], []  # fmt: skip


def _groups(chance: Random) -> tuple[list[float], list[int], list[float]]:
    """100 groups of three items that are lost together."""
    lost = [chance.random() < 0.03 for _ in range(100)]
    return [-float(one) for one in lost for _ in range(3)], [at // 3 for at in range(300)], []


def _weights(chance: Random) -> tuple[list[float], list[int], list[float]]:
    return (
        [-float(chance.random() < 0.05) for _ in range(300)],
        [],
        [exp(chance.gauss(0, 0.3)) for _ in range(300)],
    )


@pytest.mark.parametrize(
    ("draw", "limit"),
    [(_rare_losses, 0.03), (_rouge, 0.03), (_groups, 0.03), (_weights, 0.05)],
    ids=["rare losses", "ROUGE", "groups", "weights"],
)
def test_where_it_is_not_exact_the_errors_are_those_of_the_help(draw: Draw, limit: float) -> None:
    """At most 5% in long simulations; 500 of them lie within 3 points of that."""
    chance, count = Random(20), 500
    passed = sum(bound_change(*draw(chance), is_bounded=True)[0] > -limit for _ in range(count))
    assert passed / count <= 0.08


def test_students_t_alone_would_let_rare_losses_pass() -> None:
    """What the further items are for."""
    chance, passed = Random(20), 0
    for _ in range(300):
        values = _rare_losses(chance)[0]
        mean = fsum(values) / 100
        error = (fsum((one - mean) ** 2 for one in values) / 99 / 100) ** 0.5
        passed += mean - t_quantile(0.95, 99) * error > -0.03
    assert passed / 300 > 0.14


@pytest.mark.parametrize(
    ("draw", "least", "most"),
    [
        (lambda chance, limit: chance.gauss(limit, 0.1), 0.02, 0.09),
        (lambda chance, limit: chance.expovariate(1 / limit), 0.03, 0.11),
    ],
    ids=["normal", "exponential"],
)
def test_of_nats_a_rise_at_the_limit_seldom_passes(
    draw: Callable[[Random, float], float], least: float, most: float
) -> None:
    """100 documents of different lengths, whose perplexity rises by 5%."""
    chance, limit, passed = Random(3), log1p(0.05), 0
    for _ in range(600):
        tokens = [exp(chance.gauss(5, 0.5)) for _ in range(100)]
        rises = [draw(chance, limit) for _ in tokens]
        passed += bound_change(rises, [], tokens, is_bounded=False)[1] < limit
    assert least < passed / 600 < most


def test_skewness_widens_the_bound_towards_the_rare_values_alone() -> None:
    """Hall's transformation of 20 values by hand: skewness 4.472 of one among equal ones."""
    rises = [1.0] + [0.0] * 19
    low, high = bound_change(rises, is_bounded=False)
    error, quantile = sqrt(0.05 * 0.95 * 20 / 19 / 20), t_quantile(0.95, 19)
    skewness = 4.4721 / sqrt(20)
    # The bound below of the mirror image: a skewness below 0.
    reach = -3 / skewness * (cbrt(1 - skewness * (quantile + skewness / 6)) - 1)
    assert low == pytest.approx(0.05 - quantile * error)
    assert high == pytest.approx(0.05 + reach * error, rel=1e-3)
    assert reach > quantile


def test_three_points_need_952_items_at_10_percent_discordant() -> None:
    assert items_needed(0.03, 0.1) == 952
    assert chance_to_pass(0.03, 0.1, 952) == pytest.approx(0.892, abs=0.003)
    assert chance_to_pass(0.03, 0.1, 300) == pytest.approx(0.459, abs=0.01)
    assert chance_to_pass(0.03, 0.0, 300) == 1
    with pytest.raises(ValueError, match="margin"):
        items_needed(0, 0.1)


def test_the_chance_to_pass_is_about_the_exact_one() -> None:
    n, share, limit = 100, 0.1, 0.03
    least = _passes(n, limit, 30)
    exact = fsum(
        _trinomial(gained, changed - gained, n, share / 2, share / 2)
        for changed in range(31)
        for gained in range(least[changed], changed + 1)
    )
    assert exact == pytest.approx(0.213, abs=0.001)
    assert chance_to_pass(limit, share, n) == pytest.approx(exact, abs=0.04)
