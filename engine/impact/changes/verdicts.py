"""Verdicts: whether a score changed from one arm to another, and whether that can be said at all.

Owns the words that follow from the one test behind a cell of the skill matrix, and the family that
is corrected. The interval is the inversion of the test (`engine.statistics`), so that they never
contradict each other. A verdict never rests on a point estimate.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from engine.number_format import write_number
from engine.statistics import PairedTest

_Name = TypeVar("_Name", bound=Hashable)
DELTA = 0.05
"""A change up to this is of no interest, by default: 5 points."""
LEAST_ITEMS = 20
"""With fewer there is no verdict, whatever their scores: they are listed one by one."""

Word = Literal[
    "lost",
    "gained",
    "changed within",
    "the same within",
    "higher",
    "lower",
    "not enough evidence",
    "items only",
]
"""`higher` and `lower` are of values that no δ is defined of, such as nats per token."""


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
    delta: float | None
    """None: the interval alone is judged, by whether it leaves out 0."""
    is_beyond: bool = False
    """Of `lost` and `gained`: the whole interval lies beyond δ, not only part of it."""
    is_primary: bool = False
    """Of the family that is corrected by Holm; all else is exploratory and unadjusted."""

    @property
    def words(self) -> str:
        """The verdict with its δ: `lost beyond 5 points`, `the same within 5 points`."""
        if self.delta is None or self.word in ("higher", "lower", "items only"):
            return self.word
        points = f"{write_number(100 * self.delta, 0 if self.delta >= 0.01 else 1)} points"
        if self.word in ("changed within", "the same within"):
            return f"{self.word} {points}"
        return f"{self.word} beyond {points}" if self.is_beyond else self.word

    @property
    def items_needed(self) -> int | None:
        """How many items would do, where these do not; None where no number would."""
        if self.delta is None:
            return None
        needed = self.test.items_needed(self.delta)
        return None if needed is None else max(LEAST_ITEMS, needed)


def judge(
    test: PairedTest,
    delta: float | None = DELTA,
    confidence: float = 0.95,
    *,
    is_primary: bool = False,
) -> Verdict:
    """The verdict on one change.

    *lost* and *gained*: the interval leaves out 0 and reaches beyond ±δ; *changed within δ*: it
    leaves out 0 and lies in ±δ; *the same within δ*: the 90% interval lies in ±δ, which is the two
    one-sided tests of Schuirmann 1987 at 5%; else *not enough evidence*. With fewer than
    `LEAST_ITEMS` items there is no verdict. Without a δ *higher* or *lower* where the interval
    leaves out 0, else *not enough evidence*. Raises ValueError unless 0 < delta.
    """
    if delta is not None and delta <= 0:
        raise ValueError(f"delta {delta} is not above 0")
    low, high = test.interval(confidence)
    word: Word = "not enough evidence"
    is_beyond = False
    if test.items < LEAST_ITEMS:
        word = "items only"
    elif delta is None:
        word = "higher" if low > 0 else "lower" if high < 0 else word
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
    tests: Mapping[str, PairedTest],
    delta: float = DELTA,
    level: float = 0.05,
    without_delta: Collection[str] = (),
) -> dict[str, Verdict]:
    """Verdicts on a family of changes, by name, with Holm's correction.

    Each interval has the confidence of its own level, so that it leaves out 0 exactly where the
    test refuses it. What has too few items for a verdict is no part of the family. Those named in
    `without_delta` are judged without one.
    """
    family = {name: test.p_value() for name, test in tests.items() if test.items >= LEAST_ITEMS}
    levels = holm_levels(family, level)
    return {
        name: judge(
            test,
            None if name in without_delta else delta,
            1 - levels.get(name, level),
            is_primary=name in family,
        )
        for name, test in tests.items()
    }


def holm_levels(p_values: Mapping[_Name, float], level: float = 0.05) -> dict[_Name, float]:
    """The level at which each test of a family is made, by name (Holm 1979, Scandinavian Journal of
    Statistics 6, pages 65 to 70).

    The smallest p is tested at level / m, the next at level / (m − 1), and so on until one is not
    refused; it and all that follow are tested at its level.
    """
    levels: dict[_Name, float] = {}
    at_level = level
    stopped = False
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        if not stopped:
            at_level = level / (len(p_values) - rank)
            stopped = p_values[name] > at_level
        levels[name] = at_level
    return levels
