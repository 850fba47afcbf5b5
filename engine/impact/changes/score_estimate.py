"""One arm's mean score on a suite with its 95% interval, and how that interval was made.

Owns which interval belongs to which scores. Refuses to compare arms: two intervals that overlap say
nothing of a paired change, which is `engine.impact.changes.skill_changes`.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from engine.statistics import design_effect, mean_test, wilson

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class ScoreEstimate:
    """A mean over items, or the perplexity of texts."""

    value: float
    """Weighted where weights differ. Infinite or NaN where an item is."""
    low: float | None
    """Of the interval at 95%; None where there is none: one item, or a value that is not finite."""
    high: float | None
    method: str
    """Of the interval, in words; empty without one."""
    items: int

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)


def estimate_score(
    values: Sequence[float],
    groups: Sequence[Hashable] = (),
    weights: Sequence[float] = (),
    *,
    is_bounded: bool = False,
) -> ScoreEstimate:
    """The mean of scores: Wilson's interval where all are right or wrong, else Student's t.

    Of items in groups, or with weights, Wilson's with as many items as are left after the design
    effect (Kish 1965, Survey Sampling). `is_bounded`: no value can leave 0 to 1, so no mean can.
    Raises ValueError without values.
    """
    n = len(values)
    if not all(map(math.isfinite, values)):
        return ScoreEstimate(math.fsum(values) / n, None, None, "", n)
    test = mean_test(values, groups, weights)
    how = {"clustered t": ", clustered", "weighted t": ", weighted"}.get(test.name, "")
    if set(values) <= {0, 1}:
        effect, trials = design_effect(values, groups, weights)
        is_settled = len(set(values)) == 1  # no spread shows how much goes together
        effective = trials if is_settled else n / effect
        low, high = wilson(min(1.0, max(0.0, test.difference)) * effective, effective)
        return ScoreEstimate(test.difference, low, high, f"Wilson{how}", n)
    if test.degrees < 1:
        return ScoreEstimate(test.difference, None, None, "", n)
    low, high = test.interval(CONFIDENCE)
    if is_bounded:
        low, high = max(0.0, low), min(1.0, high)
    return ScoreEstimate(test.difference, low, high, f"Student's t{how}", n)


def estimate_perplexity(
    nats: Sequence[float],
    tokens: Sequence[int],
    groups: Sequence[Hashable] = (),
    weights: Sequence[float] = (),
) -> ScoreEstimate:
    """exp(Σ NLL / Σ predicted tokens), with Student's t of the mean NLL over documents, on the log
    scale: documents are what is resampled, never tokens.

    By document: its NLL in nats, its predicted tokens (at least 1), and its weight. Raises
    ValueError without documents.
    """
    n = len(nats)
    if not all(map(math.isfinite, nats)):
        return ScoreEstimate(math.inf, None, None, "", n)
    test = mean_test(per_token(nats, tokens), groups, by_token(tokens, weights))
    if test.degrees < 1:
        return ScoreEstimate(_exp(test.difference), None, None, "", n)
    low, high = test.interval(CONFIDENCE)
    return ScoreEstimate(
        _exp(test.difference), _exp(low), _exp(high), "Student's t of documents, log scale", n
    )


def per_token(nats: Sequence[float], tokens: Sequence[int]) -> list[float]:
    """The mean NLL of each document."""
    return [one / max(1, count) for one, count in zip(nats, tokens, strict=True)]


def by_token(tokens: Sequence[int], weights: Sequence[float] = ()) -> list[float]:
    """The weights of documents in a mean over their tokens."""
    of_each = weights or [1.0] * len(tokens)
    return [max(1, count) * weight for count, weight in zip(tokens, of_each, strict=True)]


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
