"""Intervals and tests for what is measured. Standard library only."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, exp, fsum, inf, isfinite, lgamma, log, sqrt
from statistics import NormalDist
from typing import Literal

COVERAGE = (
    "Means: Student's t on the paired differences. Covers 95% of normal ones at every n, 92% of "
    "exponential ones at n = 20 (88% at 6), 90% of lognormal ones at n = 50 (87% at 20).",
    "Right or wrong (0, 1): adjusted Wald of paired proportions, 94% or more at every n; with no "
    "change at all the exact bound.",
)
"""What the 95% intervals of this module hold, as simulated by its tests; for help texts."""


def wilson(k: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion of `k` in `n`: its lower and upper bound in [0, 1].

    Both are counts; of items that are no independent trials, the counts after the design effect.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22, pages 209 to 212, without continuity correction.
    With no trials nothing is known: (0, 1). Raises ValueError unless 0 <= k <= n and
    0 < confidence < 1.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} successes in {n} trials")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = k / n
    centre = share + z * z / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if k == 0 else (centre - spread) / scale
    high = 1.0 if k == n else (centre + spread) / scale
    return low, high


@lru_cache(maxsize=1024)
def t_quantile(p: float, df: int) -> float:
    """The quantile of Student's t with `df` degrees of freedom at 0.5 <= p < 1.

    The distribution function is 1 − I_x(df / 2, 1 / 2) / 2 at x = df / (df + t²) (Abramowitz and
    Stegun 1964, 26.7.1), inverted by bisection. Raises ValueError for other arguments.
    """
    if not 0.5 <= p < 1 or df < 1:
        raise ValueError(f"no quantile of t at {p} with {df} degrees of freedom")
    low, high = 0.0, 1.0
    while _t_below(high, df) < p:
        low, high = high, high * 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_below(middle, df) < p else (low, middle)
    return (low + high) / 2


def t_tail(t: float, df: int) -> float:
    """The probability that Student's t with `df` degrees of freedom is above `t` >= 0, as small as
    it may be."""
    return incomplete_beta(df / 2, 0.5, df / (df + t * t)) / 2


def _t_below(t: float, df: int) -> float:
    return 1 - t_tail(t, df)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), regularised, by its continued fraction (Abramowitz and Stegun 1964, 26.5.8)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d)
            c = 1 + term / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return front * fraction


def paired_mean(differences: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The interval of the mean of paired differences: mean ± t sqrt(Var(d) / n), n − 1 degrees.

    Miller 2024, arXiv 2411.00640, with Student's t. Its coverage is exact for normal differences;
    for an exponential it is 0.92 from n = 20 on, for a lognormal 0.90 even at n = 50. Raises
    ValueError for fewer than two.
    """
    if len(differences) < 2:
        raise ValueError("an interval needs two differences at least")
    return mean_test(differences).interval(confidence)


def paired_proportions(
    gained: int, lost: int, n: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of (gained − lost) / n: of `n` pairs so many went up by 1, so many down.

    Adjusted Wald of Bonett and Price 2012 (Journal of Educational and Behavioral Statistics 37,
    pages 479 to 488), with Student's t in place of the normal quantile: its exact coverage is then
    0.946 at least at every n from 6 on (with the normal one 0.915 at n = 8). Where nothing changed,
    the bound at which no change in n trials has a chance of 1 − confidence. Raises ValueError for
    impossible counts.
    """
    if min(gained, lost) < 0 or gained + lost > n or n < 2:
        raise ValueError(f"{gained} gained and {lost} lost of {n}")
    return proportions_test(gained, lost, n).interval(confidence)


Test = Literal[
    "paired proportions",
    "clustered proportions",
    "weighted proportions",
    "exact bound",
    "paired t",
    "clustered t",
    "weighted t",
]
"""Adjusted Wald of Bonett and Price 2012 with Student's t, for scores that are right or wrong; of
items that come in groups, or have weights, with as many trials as are left after the design effect
(Kish 1965, Survey Sampling, sections 8.2 and 11.7); the exact bound where nothing changed;
Student's t of the differences, of sums over groups (Miller 2024, arXiv 2411.00640), and of a
weighted mean (Cochran 1977, Sampling Techniques, section 6.4: the ratio estimator)."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The test that the mean difference of paired scores is some value."""

    name: Test
    items: int
    difference: float
    """Mean of after − before over the items."""
    centre: float
    """Of the interval: the difference, or for proportions its adjusted value."""
    error: float
    """Standard error; 0 where nothing changed."""
    degrees: int
    """Of freedom of Student's t."""
    variance: float
    """Of one item's difference, times the design effect: what says how many items would do."""
    trials: int = 0
    """Independent ones where nothing changed: items, or groups of them."""

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """All values that the test does not refuse at 1 − confidence."""
        if self.name == "exact bound":
            reach = 1 - (1 - confidence) ** (1 / self.trials)
        elif self.degrees < 1:
            reach = inf
        else:
            reach = t_quantile((1 + confidence) / 2, self.degrees) * self.error
        low, high = self.centre - reach, self.centre + reach
        return (max(-1.0, low), min(1.0, high)) if self.name in _PROPORTIONS else (low, high)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided, that the mean difference is `null`."""
        if self.name == "exact bound":
            return float((1 - min(1.0, abs(null))) ** self.trials)
        if self.degrees < 1:
            return 1.0
        if not self.error:
            return float(self.centre == null)
        return min(1.0, 2 * t_tail(abs(self.centre - null) / self.error, self.degrees))

    def items_needed(self, delta: float) -> int | None:
        """Items with which two arms that do not differ would be found the same within `delta`; None
        for items of one group, of which no number would do.

        n = (z_{0.95} + z_{0.9})² ω² / δ², of two one-sided tests with a power of 80% (Schuirmann
        1987, Journal of Pharmacokinetics and Biopharmaceutics 15, pages 657 to 680), with ω² the
        variance of one item's difference: 343 items at 10% of flips and 5 points.
        """
        if not isfinite(self.variance):
            return None
        reach = _Z_ONE_SIDED + NormalDist().inv_cdf((1 + _POWER) / 2)
        return ceil(reach**2 * self.variance / delta**2 - 1e-9)


_PROPORTIONS: tuple[Test, ...] = (
    "paired proportions",
    "clustered proportions",
    "weighted proportions",
    "exact bound",
)
_Z_ONE_SIDED = NormalDist().inv_cdf(0.95)
_POWER = 0.8


def paired_test(
    differences: Sequence[float], groups: Sequence[Hashable] = (), weights: Sequence[float] = ()
) -> PairedTest:
    """The test for these differences of paired scores, after − before, item by item.

    `groups`, where it is given, says of each item to which group it belongs: items of one group are
    no independent observations, and the standard error is that of sums over groups (Miller 2024,
    arXiv 2411.00640, section 2.2). `weights` are those of the mean. Raises ValueError without
    differences, for lengths that do not match, for differences that are not finite, and for weights
    that are not above 0.
    """
    _check(differences, groups, weights)
    if not set(differences) <= {-1, 0, 1}:
        return mean_test(differences, groups, weights)
    n = len(differences)
    shares = _shares(weights, n)
    gained, lost = (
        fsum(share for one, share in zip(differences, shares, strict=True) if one == step)
        for step in (1, -1)
    )
    effect, trials = design_effect(differences, groups, weights)
    name: Test = "paired proportions"
    if groups and len(set(groups)) < n:
        name = "clustered proportions"
    elif _is_uneven(weights):
        name = "weighted proportions"
    return proportions_test(gained, lost, n, trials, effect, name)


def mean_test(
    differences: Sequence[float], groups: Sequence[Hashable] = (), weights: Sequence[float] = ()
) -> PairedTest:
    """Student's t of a mean, whatever the values are; arguments and errors as `paired_test`.

    Of a mean over tokens, such as that of an NLL: a value a document, with its tokens as weights,
    so that documents are what is resampled.
    """
    _check(differences, groups, weights)
    n, shares = len(differences), _shares(weights, len(differences))
    mean = fsum(one * share for one, share in zip(differences, shares, strict=True)) / n
    error, trials = _error(differences, groups, weights), _trials(n, groups, weights)
    name: Test = "weighted t" if _is_uneven(weights) else "paired t"
    if groups and len(set(groups)) < n:
        name = "clustered t"
    return PairedTest(name, n, mean, mean, error, trials - 1, n * error**2)


def design_effect(
    values: Sequence[float], groups: Sequence[Hashable] = (), weights: Sequence[float] = ()
) -> tuple[float, int]:
    """By how much the variance of a mean exceeds that of as many equal and independent items, at
    least what the weights alone make of it (Kish 1965), and how many independent trials there are
    where the values say nothing of it: groups, or items after the weights."""
    n = len(values)
    trials = _trials(n, groups, weights)
    if trials == n:
        return 1.0, n
    least = fsum(share**2 for share in _shares(weights, n)) / n
    if (alone := _error(values, ())) and isfinite(alone):
        return max(least, (_error(values, groups, weights) / alone) ** 2), trials
    return least, trials


def _check(
    differences: Sequence[float], groups: Sequence[Hashable], weights: Sequence[float]
) -> None:
    n = len(differences)
    if not n or (groups and len(groups) != n) or (weights and len(weights) != n):
        raise ValueError(f"{n} differences in {len(groups)} groups with {len(weights)} weights")
    if not all(map(isfinite, differences)):
        raise ValueError("a difference is not finite")
    if not all(isfinite(one) and one > 0 for one in weights):
        raise ValueError("a weight is not above 0")


def _is_uneven(weights: Sequence[float]) -> bool:
    return len(set(weights)) > 1


def _shares(weights: Sequence[float], n: int) -> list[float]:
    """The weights, divided by their mean."""
    if not _is_uneven(weights):
        return [1.0] * n
    total = fsum(weights)
    return [one * n / total for one in weights]


def _trials(n: int, groups: Sequence[Hashable], weights: Sequence[float]) -> int:
    """Groups, or items where these are none; with weights that differ, (Σ w)² / Σ w² of them."""
    if not _is_uneven(weights):
        return len(set(groups)) if groups else n
    sums: dict[Hashable, float] = defaultdict(float)
    for at, one in enumerate(weights):
        sums[groups[at] if groups else at] += one
    return int(fsum(sums.values()) ** 2 / fsum(one**2 for one in sums.values()) + 1e-9)


def proportions_test(
    gained: float,
    lost: float,
    n: int,
    count: int | None = None,
    effect: float = 1.0,
    name: Test = "paired proportions",
) -> PairedTest:
    """The test of so many gained and lost in `n` pairs, shares of them where these have weights.
    `count` independent trials, each item one where it is None, and their design effect."""
    count = n if count is None else count
    if not gained and not lost:
        # Items of a group may go together: as many independent trials as there are groups.
        return PairedTest("exact bound", n, 0.0, 0.0, 0.0, count - 1, 2 / (n + 2), count)
    trials = n / effect + 2
    up, down = (gained / effect + 1) / trials, (lost / effect + 1) / trials
    variance = up + down - (up - down) ** 2
    error = sqrt(variance / trials)
    return PairedTest(name, n, (gained - lost) / n, up - down, error, count - 1, variance * effect)


def _error(
    differences: Sequence[float], groups: Sequence[Hashable], weights: Sequence[float] = ()
) -> float:
    """The standard error of a mean of items that come in groups; without groups, of single items.

    Of a weighted mean by the jackknife, which leaves out each group in turn (for weights that do
    not differ it is the same). Infinite for fewer than two groups, which have no spread, and where
    one outweighs the others so far that nothing is left without it.
    """
    n, shares = len(differences), _shares(weights, len(differences))
    mean = fsum(one * share for one, share in zip(differences, shares, strict=True)) / n
    sums: dict[Hashable, float] = defaultdict(float)
    parts: dict[Hashable, float] = defaultdict(float)
    for at, one in enumerate(differences):
        group = groups[at] if groups else at
        sums[group] += (one - mean) * shares[at]
        parts[group] += shares[at] / n
    count = len(sums)
    if count < 2 or max(parts.values()) >= 1:
        return inf
    if _is_uneven(weights):
        left = fsum((sums[group] / (1 - parts[group])) ** 2 for group in sums)
        return sqrt(left * (count - 1) / count) / n
    # count / (count − 1): the spread of few groups is too small by that.
    return sqrt(fsum(value**2 for value in sums.values()) * count / (count - 1)) / n
