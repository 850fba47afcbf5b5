"""Intervals against values worked out elsewhere."""

import itertools
import math
import random
from collections.abc import Callable

import pytest

from engine.statistics import COVERAGE, paired_mean, paired_proportions, t_quantile, wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),  # the same
        (1, 29, 0.0061, 0.1718),  # the same
    ],
)
def test_wilson_gives_published_bounds(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=6e-5)


def test_more_confidence_is_wider_and_more_trials_narrower() -> None:
    low, high = wilson(90, 100)
    wide_low, wide_high = wilson(90, 100, confidence=0.99)
    many_low, many_high = wilson(900, 1000)
    assert wide_low < low < many_low < 0.9 < many_high < high < wide_high


def test_no_trials_say_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3), (1, 0)])
def test_impossible_counts_are_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(k, n)


def test_impossible_confidence_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, confidence=95)


@pytest.mark.parametrize("df", [1, 2, 5, 9, 19, 49, 1000])
@pytest.mark.parametrize("p", [0.5, 0.8, 0.95, 0.975, 0.9995])
def test_quantiles_of_t_are_scipys(p: float, df: int) -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    assert t_quantile(p, df) == pytest.approx(scipy_stats.t.ppf(p, df), rel=1e-9, abs=1e-12)


def test_the_mean_of_normal_differences_is_covered() -> None:
    """Exactly 95%; in 4,000 trials a share within 3 standard errors of it."""
    drawn = random.Random(7)
    for n in (6, 10, 20, 50):
        covered = 0
        for _ in range(4000):
            low, high = paired_mean([drawn.gauss(0.3, 2) for _ in range(n)])
            covered += low <= 0.3 <= high
        assert 0.93 <= covered / 4000 <= 0.97, n


def test_the_mean_of_exponential_differences_is_covered_from_20_on() -> None:
    drawn = random.Random(7)
    for n in (20, 50):
        pairs = [paired_mean([drawn.expovariate(1) for _ in range(n)]) for _ in range(4000)]
        assert sum(low <= 1 <= high for low, high in pairs) / 4000 >= 0.9, n


@pytest.mark.parametrize(
    ("draw", "mean", "n", "stated"),
    [
        (lambda drawn: drawn.expovariate(1), 1.0, 6, 0.88),
        (lambda drawn: drawn.expovariate(1), 1.0, 20, 0.92),
        (lambda drawn: drawn.lognormvariate(0, 1), math.exp(0.5), 20, 0.87),
        (lambda drawn: drawn.lognormvariate(0, 1), math.exp(0.5), 50, 0.90),
    ],
)
def test_the_coverage_of_skewed_differences_is_that_of_the_help(
    draw: Callable[[random.Random], float], mean: float, n: int, stated: float
) -> None:
    drawn = random.Random(7)
    pairs = [paired_mean([draw(drawn) for _ in range(n)]) for _ in range(6000)]
    covered = sum(low <= mean <= high for low, high in pairs) / 6000
    assert covered == pytest.approx(stated, abs=0.015)
    assert f"{stated:.0%}" in COVERAGE[0]


def test_changes_of_right_and_wrong_are_covered_at_every_n() -> None:
    """The exact coverage, over chances of going up and down."""
    chances = (0.005, 0.02, 0.1, 0.3, 0.45, 0.5)
    for n in (6, 7, 8, 9, 10, 12, 20, 50):
        intervals = {
            (up, down): paired_proportions(up, down, n)
            for up in range(n + 1) for down in range(n + 1 - up)
        }  # fmt: skip
        for rise, fall in itertools.product(chances, repeat=2):
            if rise + fall >= 1:
                continue
            covered = sum(
                _chance(up, down, n, rise, fall)
                for (up, down), (low, high) in intervals.items()
                if low - 1e-9 <= rise - fall <= high + 1e-9
            )
            assert covered >= 0.94, (n, rise, fall)


def _chance(up: int, down: int, n: int, rise: float, fall: float) -> float:
    """Of so many up and so many down in n: trinomial."""
    ways = math.comb(n, up) * math.comb(n - up, down)
    return ways * rise**up * fall**down * (1 - rise - fall) ** (n - up - down)


@pytest.mark.parametrize(("n", "bound"), [(300, 0.00994), (60, 0.0487), (6, 0.393)])
def test_without_a_change_the_bound_is_exact(n: int, bound: float) -> None:
    assert paired_proportions(0, 0, n) == pytest.approx((-bound, bound), abs=1e-4)


def test_impossible_changes_are_refused() -> None:
    for up, down, n in ((-1, 0, 9), (5, 5, 9), (0, 0, 1)):
        with pytest.raises(ValueError, match="gained"):
            paired_proportions(up, down, n)
    with pytest.raises(ValueError, match="two differences"):
        paired_mean([1.0])
    with pytest.raises(ValueError, match="quantile"):
        t_quantile(0.4, 3)
