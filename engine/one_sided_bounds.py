"""One-sided bounds of a change of paired scores: what a limit is judged by.

Each bound holds with its confidence alone: a true change at the limit passes in at most 5% of
cases. Half of a two-sided interval of `engine.statistics` does not promise that: where few items
change, and nearly all in one direction, an adjusted Wald lets 10% pass, and Student's t of scores
with rare losses far more. Owns the bounds and how sure they are; refuses to judge. Standard library
only.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from math import cbrt, ceil, exp, fsum, inf, lgamma, log, log1p, sqrt
from operator import mul
from statistics import NormalDist

from engine.statistics import incomplete_beta, mean_test, t_quantile

_NUISANCE_ERROR = 1e-4
"""That the share of changed items lies outside of the interval that is searched for it."""
_SHARES = 24
"""At which the chance is computed, of that interval; with 300 no bound moves by 1e-4."""
FURTHER = 1.5
"""Trials: with 1 up to 6.3% of changes at a limit passed in simulations of groups and weights, with
1.5 at most 4.7%."""
_STEPS = 26
"""Of bisection: to 3e-8."""
_ORDER = NormalDist().inv_cdf(0.95)


def bound_change(
    differences: Sequence[float],
    groups: Sequence[Hashable] = (),
    weights: Sequence[float] = (),
    *,
    is_bounded: bool,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """The lower and the upper bound of the mean difference, after − before, each of which holds
    with `confidence` alone.

    Of independent scores that are right or wrong by `bound_proportions`, which is exact. Of other
    scores, and of items in groups or with weights, by Student's t with one and a half more items,
    or groups, that changed by a whole score to the worse: of a change at the bound at most 5% of
    errors in simulations, fewer where the items of a group do not go together. Of unbounded values,
    such as nats per token, by Student's t, made wider for skewness: 5% of normal rises; of
    exponential ones 5 to 8% and of lognormal ones 6 to 10% from 100 documents on.

    Arguments and errors as `engine.statistics.paired_test`; `is_bounded`: of scores from 0 to 1, so
    that no difference leaves −1 to 1. Infinite where one group or a single unbounded value leaves
    no spread.
    """
    negated = [-change for change in differences]
    low, high = (
        _bound_below(values, groups, weights, is_bounded, confidence)
        for values in (differences, negated)
    )
    return low, -high


def _bound_below(
    differences: Sequence[float],
    groups: Sequence[Hashable],
    weights: Sequence[float],
    is_bounded: bool,
    confidence: float,
) -> float:
    test = mean_test(differences, groups, weights)
    trials = test.degrees + 1
    is_plain = test.name == "paired t" and trials == len(differences)
    if is_bounded and is_plain and set(differences) <= {-1, 0, 1}:
        gained, lost = (sum(change == step for change in differences) for step in (1, -1))
        return bound_proportions(gained, lost, trials, confidence)
    if trials < 2:
        return -1.0 if is_bounded else -inf
    if is_bounded:
        return _bound_mean(test.difference, test.error, trials, confidence)
    quantile = t_quantile(confidence, trials - 1)
    reach = max(quantile, _transform(quantile, _skewness(differences, groups, weights)))
    return test.difference - reach * test.error


def _bound_mean(mean: float, error: float, trials: int, confidence: float) -> float:
    """Of scores that are bounded: Student's t with `FURTHER` more trials of the worst value, −1,
    and no nearer to the mean than the exact bound where nothing changes, which is the bound there.

    As Bonett and Price add a pair to paired proportions: a rare loss that these items happen not to
    show leaves no spread, and Student's t alone then lets up to 80% of true losses pass.
    """
    unchanged: float = 1 - (1 - confidence) ** (1 / trials)
    if not mean and not error:
        return -unchanged
    count, square = trials + FURTHER, error**2 * trials
    centre = (trials * mean - FURTHER) / count
    spread = (trials - 1) * square + trials * mean**2 + FURTHER - count * centre**2
    reach = t_quantile(confidence, trials - 1) * sqrt(max(0.0, spread) / (count - 1) / count)
    return max(-1.0, min(centre - reach, mean - unchanged))


def _skewness(
    differences: Sequence[float], groups: Sequence[Hashable], weights: Sequence[float]
) -> float:
    """Of the mean: that of what each item, or group, adds to it, over the root of their number."""
    shares = weights or [1.0] * len(differences)
    mean = fsum(map(mul, differences, shares)) / fsum(shares)
    sums: dict[Hashable, float] = defaultdict(float)
    for at, (change, share) in enumerate(zip(differences, shares, strict=True)):
        sums[groups[at] if groups else at] += (change - mean) * share
    count, square = len(sums), fsum(part**2 for part in sums.values())
    if count < 3 or not square:
        return 0.0
    third = fsum(part**3 for part in sums.values())
    return float(third / square**1.5 * sqrt(count * (count - 1)) / (count - 2))


def _transform(quantile: float, skewness: float) -> float:
    """The quantile of Student's t of a mean with so much skewness: the inverse of the cubic
    transformation of Hall 1992 (Journal of the Royal Statistical Society B 54, pages 221 to 228).
    """
    if abs(skewness) < 1e-6:
        return quantile
    return 3 / skewness * (cbrt(1 + skewness * (quantile - skewness / 6)) - 1)


def bound_proportions(gained: int, lost: int, n: int, confidence: float = 0.95) -> float:
    """The exact lower bound of the share gained minus the share lost, of `n` independent pairs.

    Results are ordered by gained − lost − z sqrt(gained + lost + 2): the lower end of the adjusted
    Wald interval of Bonett and Price 2012, but for its square. The bound is the least difference at
    which a result in that order as good as this one, or better, has a chance above 1 − confidence
    (Buehler 1957, Journal of the American Statistical Association 52, pages 482 to 493; of paired
    proportions Lloyd and Moldovan 2007, Statistics in Medicine 26, pages 3369 to 3384). Of the
    share of pairs that change, which is not known, the worst one counts, of the interval that holds
    it in all but 0.01% of cases, which are added (Berger and Boos 1994, Journal of the American
    Statistical Association 89, pages 1012 to 1016). The order is monotone, so that the chance rises
    with the difference. Raises ValueError for impossible counts or 0.5 > confidence.
    """
    if min(gained, lost) < 0 or gained + lost > n or n < 1:
        raise ValueError(f"{gained} gained and {lost} lost of {n}")
    if not 0.5 <= confidence < 1:
        raise ValueError(f"confidence {confidence} is not from 0.5 to 1")
    if lost == n:
        return -1.0
    return _bound_proportions(gained, lost, n, confidence)


@lru_cache(maxsize=1024)
def _bound_proportions(gained: int, lost: int, n: int, confidence: float) -> float:
    least = _least_gained(gained, lost, n)
    fewest, most = _clopper_pearson(gained + lost, n, _NUISANCE_ERROR)

    def is_refused(difference: float) -> bool:
        shares = _list_shares(max(fewest, abs(difference)), most)
        return all(
            _chance(least, n, (share + difference) / 2, (share - difference) / 2)
            <= 1 - confidence - _NUISANCE_ERROR
            for share in shares
        )

    low, high = -1.0, (gained - lost) / n
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_refused(middle) else (low, middle)
    return low


def _least_gained(gained: int, lost: int, n: int) -> list[int]:
    """By the number of lost pairs, how many must be gained to be as good as this result or better;
    for as many lost ones as that is possible with."""
    limit = _rank(gained, lost) - 1e-9
    least, needed = [], 0
    for count in range(n + 1):
        while needed <= n - count and _rank(needed, count) < limit:
            needed += 1
        if needed > n - count:
            break
        least.append(needed)
    return least


def _rank(gained: int, lost: int) -> float:
    return gained - lost - _ORDER * sqrt(gained + lost + 2)


def _list_shares(fewest: float, most: float) -> list[float]:
    """Denser at the lower end, near which the chance has its steps; none where none is possible."""
    if fewest > most:
        return []
    return [fewest + (most - fewest) * (at / _SHARES) ** 2 for at in range(_SHARES + 1)]


def _chance(least: Sequence[int], n: int, rise: float, fall: float) -> float:
    """That of `n` pairs, each gained with the chance `rise` and lost with `fall`, at least
    `least[lost]` are gained."""
    rise, fall = max(0.0, rise), max(0.0, fall)
    if fall >= 1:
        return 0.0
    # Of the pairs that are not lost; one where none keeps its score.
    gain = min(1.0, rise / (1 - fall))
    middle, reach = n * fall, 8 * sqrt(n * fall * (1 - fall)) + 8
    first, last = max(0, int(middle - reach)), min(len(least) - 1, int(middle + reach))
    if first > last:
        return 0.0
    lose, win = _binomial(fall), _binomial(gain)
    left, needed = n - first, least[first]
    tail = 1.0 if needed <= 0 else incomplete_beta(needed, left - needed + 1, gain)
    total = 0.0
    for lost in range(first, last + 1):
        if lost > first:  # one pair fewer can be gained: the tail follows from the one before
            left -= 1
            tail -= gain * win(needed - 1, left)
            while needed < least[lost]:
                tail -= win(needed, left)
                needed += 1
        total += lose(lost, n) * max(0.0, tail)
    return total


def _binomial(p: float) -> Callable[[int, int], float]:
    """The chance of k successes in n trials."""
    if p <= 0 or p >= 1:
        return lambda k, n: float(k == (n if p >= 1 else 0))
    success, failure = log(p), log1p(-p)

    def chance(k: int, n: int) -> float:
        if not 0 <= k <= n:
            return 0.0
        ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
        return exp(ways + k * success + (n - k) * failure)

    return chance


def _clopper_pearson(k: int, n: int, error: float) -> tuple[float, float]:
    """The exact interval of a proportion (Clopper and Pearson 1934, Biometrika 26)."""

    def invert(a: int, b: int, p: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if incomplete_beta(a, b, middle) < p else (low, middle)
        return low if p < 0.5 else high

    return (
        invert(k, n - k + 1, error / 2) if k else 0.0,
        invert(k + 1, n - k, 1 - error / 2) if k < n else 1.0,
    )


def items_needed(margin: float, variance: float) -> int:
    """How many items show, in nine of ten cases, that a change is not beyond a limit from which it
    is truly `margin` away, with `variance` that of one item's difference.

    n = (z_{0.95} + z_{0.9})² ω² / margin²: the one-sided test of Schuirmann 1987 (Journal of
    Pharmacokinetics and Biopharmaceutics 15, pages 657 to 680) with a power of 90%; 952 at 10% of
    flips and 3 points. Raises ValueError unless 0 < margin.
    """
    if margin <= 0:
        raise ValueError(f"margin {margin} is not above 0")
    reach = _ORDER + NormalDist().inv_cdf(0.9)
    return ceil(reach**2 * variance / margin**2 - 1e-9)


def least_items(limit: float, confidence: float = 0.95) -> int:
    """With fewer, not even items of which none changed bound a loss at `limit`, above 0."""
    if limit >= 1:
        return 1
    return ceil(log(1 - confidence - _NUISANCE_ERROR) / log1p(-limit) - 1e-9)


def chance_to_pass(margin: float, variance: float, n: int) -> float:
    """How often so many items show what `items_needed` is about: by the normal distribution, with
    half an item off the margin, since counts are whole; within 4 points of the exact chance for
    100 to 952 items that are right or wrong."""
    if not variance:
        return 1.0
    return NormalDist().cdf((margin - 1 / (2 * n)) * sqrt(n / variance) - _ORDER)
