"""Whether chosen answers are longer than rejected ones, in words: what a model that prefers pairs
learns besides, and what DPO is known to exaggerate (Park et al. 2024, arXiv 2403.19159).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.statistics import mean_test
from engine.synthesis.shares import Share, count_share
from engine.words import count_words


@dataclass(frozen=True, slots=True)
class PairOfTexts:
    """The answers of one row."""

    chosen: str
    rejected: str
    group: str
    """Rows of one source are no independent observations."""


@dataclass(frozen=True, slots=True)
class PairLengths:
    pairs: int
    longer: Share
    """Of the pairs whose answers differ in words, those whose chosen answer is the longer one."""
    difference: float
    """Mean of chosen − rejected over all pairs, in words."""
    low: float | None
    """Of its 95% interval, by sources. None of fewer than two, and where all pairs differ alike:
    what does not vary tells nothing of others."""
    high: float | None

    @property
    def words(self) -> str:
        """A sentence without its full stop."""
        interval = "" if self.low is None else f" [{self.low:.1f}, {self.high:.1f}]"
        return (
            "the chosen answer is longer than the rejected one, where they differ in length: "
            f"{self.longer.words}; mean difference {self.difference:+.1f} words{interval} "
            f"of {self.pairs:,} pairs"
        )

    def to_table(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "pairs": self.pairs,
            "longer": self.longer.to_table(),
            "difference": self.difference,
            "interval": None if self.low is None else [self.low, self.high],
        }


def measure_lengths(pairs: Sequence[PairOfTexts]) -> PairLengths | None:
    """None where there are no pairs."""
    if not pairs:
        return None
    differences = [float(count_words(one.chosen) - count_words(one.rejected)) for one in pairs]
    groups = [one.group for one in pairs]
    uneven = [(value > 0, group) for value, group in zip(differences, groups, strict=True) if value]
    low = high = None
    if len(set(groups)) > 1 and len(set(differences)) > 1:
        low, high = mean_test(differences, groups).interval()
    return PairLengths(
        len(pairs),
        count_share([longer for longer, _ in uneven], [group for _, group in uneven]),
        sum(differences) / len(differences),
        low,
        high,
    )
