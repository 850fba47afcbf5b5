"""Verdicts: whether a score changed from one arm to another, and whether that can be said at all.

Owns the one test behind a cell of the skill matrix, its interval, and the words that follow from
it. The interval is the inversion of the test, so that they never contradict each other. A verdict
never rests on a point estimate.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, fsum, inf, isfinite, sqrt
from statistics import NormalDist
from typing import Literal

from engine.statistics import t_quantile, t_tail

DELTA = 0.05
"""A change up to this is of no interest, by default: 5 points."""
LEAST_ITEMS = 20
"""With fewer there is no verdict, whatever their scores: they are listed one by one."""
POWER = 0.8

Test = Literal[
    "paired proportions", "clustered proportions", "no change in n", "paired t", "clustered t"
]
"""Adjusted Wald of Bonett and Price 2012 with Student's t, for scores that are right or wrong; of
items that come in groups with as many trials as are left after the design effect (Kish 1965, Survey
Sampling, section 8.2); the exact bound where nothing changed; Student's t of the differences, and
of sums over groups (Miller 2024, arXiv 2411.00640)."""
Word = Literal[
    "lost", "gained", "changed within", "the same within", "not enough evidence", "items only"
]


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
        if self.name == "no change in n":
            reach = 1 - (1 - confidence) ** (1 / self.trials)
        elif self.degrees < 1:
            reach = inf
        else:
            reach = t_quantile((1 + confidence) / 2, self.degrees) * self.error
        low, high = self.centre - reach, self.centre + reach
        return (max(-1.0, low), min(1.0, high)) if self.name in _PROPORTIONS else (low, high)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided, that the mean difference is `null`."""
        if self.name == "no change in n":
            return float((1 - min(1.0, abs(null))) ** self.trials)
        if self.degrees < 1:
            return 1.0
        if not self.error:
            return float(self.centre == null)
        return min(1.0, 2 * t_tail(abs(self.centre - null) / self.error, self.degrees))

    def items_needed(self, delta: float = DELTA) -> int | None:
        """Items with which two arms that do not differ would be found the same within `delta`; None
        for items of one group, of which no number would do.

        n = (z_{0.95} + z_{0.9})² ω² / δ², of two one-sided tests with a power of 80% (Schuirmann
        1987, Journal of Pharmacokinetics and Biopharmaceutics 15, pages 657 to 680), with ω² the
        variance of one item's difference: 343 items at 10% of flips and 5 points.
        """
        if not isfinite(self.variance):
            return None
        reach = _Z_ONE_SIDED + NormalDist().inv_cdf((1 + POWER) / 2)
        return max(LEAST_ITEMS, ceil(reach**2 * self.variance / delta**2 - 1e-9))


_PROPORTIONS: tuple[Test, ...] = (
    "paired proportions",
    "clustered proportions",
    "no change in n",
)
_Z_ONE_SIDED = NormalDist().inv_cdf(0.95)


def paired_test(differences: Sequence[float], groups: Sequence[Hashable] = ()) -> PairedTest:
    """The test for these differences of paired scores, after − before, item by item.

    `groups`, where it is given, says of each item to which group it belongs: items of one group are
    no independent observations, and the standard error is that of sums over groups (Miller 2024,
    arXiv 2411.00640, section 2.2). Raises ValueError without differences, for lengths that do not
    match, and for differences that are not finite.
    """
    n = len(differences)
    if not n or (groups and len(groups) != n):
        raise ValueError(f"{n} differences in {len(groups)} groups")
    if not all(map(isfinite, differences)):
        raise ValueError("a difference is not finite")
    mean = fsum(differences) / n
    error = _error(differences, groups, mean)
    count = len(set(groups)) if groups else n
    is_clustered = count < n
    if not set(differences) <= {-1, 0, 1}:
        name: Test = "clustered t" if is_clustered else "paired t"
        return PairedTest(name, n, mean, mean, error, count - 1, n * error**2)
    gained, lost = (sum(one == step for one in differences) for step in (1, -1))
    if not gained and not lost:
        # Items of a group may go together: as many independent trials as there are groups.
        return PairedTest("no change in n", n, 0.0, 0.0, 0.0, count - 1, 2 / (n + 2), count)
    # Of the design effect: that of items on their own is 1.
    effect = max(1.0, (error / _error(differences, (), mean)) ** 2) if is_clustered else 1.0
    trials = n / effect + 2
    up, down = (gained / effect + 1) / trials, (lost / effect + 1) / trials
    variance = up + down - (up - down) ** 2
    name = "clustered proportions" if is_clustered else "paired proportions"
    return PairedTest(
        name, n, mean, up - down, sqrt(variance / trials), count - 1, variance * effect
    )


def _error(differences: Sequence[float], groups: Sequence[Hashable], mean: float) -> float:
    """The standard error of a mean of items that come in groups; without groups, of single items.

    Infinite for fewer than two groups, which have no spread.
    """
    sums: dict[Hashable, float] = defaultdict(float)
    for at, one in enumerate(differences):
        sums[groups[at] if groups else at] += one - mean
    n, count = len(differences), len(sums)
    if count < 2:
        return inf
    # count / (count − 1): the spread of few groups is too small by that.
    return sqrt(fsum(value**2 for value in sums.values()) * count / (count - 1)) / n


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of one change."""

    word: Word
    test: PairedTest
    low: float
    """Of the interval at `confidence`."""
    high: float
    confidence: float
    p: float
    """Of no difference, not adjusted."""
    delta: float
    is_beyond: bool = False
    """Of `lost` and `gained`: the whole interval lies beyond δ, not only part of it."""
    is_primary: bool = False
    """Of the family that is corrected by Holm; all else is exploratory and unadjusted."""

    @property
    def items_needed(self) -> int | None:
        """How many items would do, where these do not; None where no number would."""
        return self.test.items_needed(self.delta)


def judge(
    test: PairedTest, delta: float = DELTA, confidence: float = 0.95, *, is_primary: bool = False
) -> Verdict:
    """The verdict on one change.

    *lost* and *gained*: the interval leaves out 0 and reaches beyond ±δ; *changed within δ*: it
    leaves out 0 and lies in ±δ; *the same within δ*: the 90% interval lies in ±δ, which is the two
    one-sided tests of Schuirmann 1987 at 5%; else *not enough evidence*. With fewer than
    `LEAST_ITEMS` items there is no verdict. Raises ValueError unless 0 < delta.
    """
    if delta <= 0:
        raise ValueError(f"delta {delta} is not above 0")
    low, high = test.interval(confidence)
    word: Word = "not enough evidence"
    is_beyond = False
    if test.items < LEAST_ITEMS:
        word = "items only"
    elif low > 0 or high < 0:
        if -delta <= low and high <= delta:
            word = "changed within"
        else:
            word = "lost" if high < 0 else "gained"
            is_beyond = low > delta or high < -delta
    else:
        near, far = test.interval(0.9)
        if -delta <= near and far <= delta:
            word = "the same within"
    return Verdict(word, test, low, high, confidence, test.p_value(), delta, is_beyond, is_primary)


def judge_family(
    tests: Mapping[str, PairedTest], delta: float = DELTA, level: float = 0.05
) -> dict[str, Verdict]:
    """Verdicts on a family of changes, by name, with Holm's correction (Holm 1979, Scandinavian
    Journal of Statistics 6, pages 65 to 70).

    The smallest p is tested at level / m, the next at level / (m − 1), and so on until one is not
    refused; it and all that follow are tested at its level. Each interval has the confidence of its
    own level, so that it leaves out 0 exactly where the test refuses it. What has too few items for
    a verdict is no part of the family.
    """
    family = [name for name, test in tests.items() if test.items >= LEAST_ITEMS]
    family.sort(key=lambda name: tests[name].p_value())
    levels = dict.fromkeys(tests, level)
    at_level = level
    stopped = False
    for rank, name in enumerate(family):
        if not stopped:
            at_level = level / (len(family) - rank)
            stopped = tests[name].p_value() > at_level
        levels[name] = at_level
    return {
        name: judge(test, delta, 1 - levels[name], is_primary=name in family)
        for name, test in tests.items()
    }


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjusted p-values, by name: the least level at which each would be refused."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}
