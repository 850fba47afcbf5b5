"""A count of a whole with the interval of the rate behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.statistics import design_effect, wilson


@dataclass(frozen=True, slots=True)
class Share:
    """A count of a whole, and the 95% interval of the rate behind it (Wilson 1927)."""

    count: int
    of: int
    design_effect: float = 1.0
    """By how much the count varies more than one of independent trials would: rows of one source
    go together (Kish 1965)."""

    @property
    def value(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound, from 0 to 1: of the rate at which others like these would come to
        this. Of those that were counted the share is exact."""
        return wilson(self.count / self.design_effect, self.of / self.design_effect)

    @property
    def words(self) -> str:
        """As in `9 of 50: 18% [10, 31]`; without a whole its count alone."""
        if self.value is None:
            return f"{self.count:,}"
        low, high = (f"{100 * bound:.0f}" for bound in self.interval)
        return f"{self.count:,} of {self.of:,}: {100 * self.value:.0f}% [{low}, {high}]"

    def to_table(self) -> dict[str, Any]:
        low, high = self.interval
        return {"count": self.count, "of": self.of, "value": self.value, "interval": [low, high]}


def count_share(values: Sequence[bool], groups: Sequence[str]) -> Share:
    """The share of true values, with a group for each: those of one go together."""
    numbers = [float(value) for value in values]
    effect = design_effect(numbers, groups)[0] if len(numbers) > 1 else 1.0
    return Share(sum(values), len(values), max(1.0, effect))
