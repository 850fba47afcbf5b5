"""Flips: which items one arm gets right and the other does not, item by item, and their test.

Owns the four classes of pairs and what follows from their counts. An item counts as right at a
score of 1; scores in between are never rounded up, and what is not finite is not right.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Flip = Literal["kept", "lost", "gained", "never"]
"""Right before and after; right before only; right after only; right neither time."""


@dataclass(frozen=True, slots=True)
class Flips:
    """The items that both arms answered, in their order in the first one."""

    kept: tuple[str, ...]
    lost: tuple[str, ...]
    gained: tuple[str, ...]
    never: tuple[str, ...]

    @property
    def items(self) -> int:
        return len(self.kept) + len(self.lost) + len(self.gained) + len(self.never)

    def p_value(self, *, mid: bool = False) -> float:
        """Of McNemar's test, that as many are lost as gained; see `mcnemar`."""
        return mcnemar(len(self.lost), len(self.gained), mid=mid)

    def adjusted(self, choices: int) -> tuple[float, float]:
        """Shares of items lost and gained beyond what guessing among `choices` answers flips.

        lost − (1 − a)(1 − b) / (k − 1), not below 0, with a and b the accuracies before and after,
        gained likewise: arXiv 2510.17776. Raises ValueError without items or for fewer than two
        choices.
        """
        if not self.items or choices < 2:
            raise ValueError(f"{self.items} items with {choices} choices")
        before = (len(self.kept) + len(self.lost)) / self.items
        after = (len(self.kept) + len(self.gained)) / self.items
        by_chance = (1 - before) * (1 - after) / (choices - 1)
        lost, gained = len(self.lost) / self.items, len(self.gained) / self.items
        return max(0.0, lost - by_chance), max(0.0, gained - by_chance)


def find_flips(before: Mapping[str, float], after: Mapping[str, float]) -> Flips:
    """Scores by item id; items that only one arm has are left out."""
    classes: dict[Flip, list[str]] = {"kept": [], "lost": [], "gained": [], "never": []}
    for item, score in before.items():
        if item in after:
            classes[flip_of(score, after[item])].append(item)
    return Flips(*(tuple(classes[name]) for name in ("kept", "lost", "gained", "never")))


def flip_of(before: float, after: float) -> Flip:
    if is_right(before):
        return "kept" if is_right(after) else "lost"
    return "gained" if is_right(after) else "never"


def is_right(score: float) -> bool:
    return 1 <= score < math.inf


def find_regained(
    stages: Sequence[Mapping[str, float]], items: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The items that were right at the first stage and wrong at one before the last, and those of
    them that are right again at the last. Scores by item, a mapping a stage; all have all items.
    With fewer than three stages none."""
    if len(stages) < 3:
        return (), ()
    first, *between, last = stages
    lost = tuple(
        item
        for item in items
        if is_right(first[item]) and not all(is_right(stage[item]) for stage in between)
    )
    return lost, tuple(item for item in lost if is_right(last[item]))


def find_loss_step(scores: Mapping[int, float], base: float) -> int | None:
    """The first step at which an item that was right at `base` is wrong, and wrong at the next too.

    `scores` by step. Two checkpoints in a row have to agree, since a single one flips by chance;
    the last one alone is no evidence. None where it was never lost, or came back each time.
    """
    if not is_right(base):
        return None
    steps = sorted(scores)
    for step, following in pairwise(steps):
        if not is_right(scores[step]) and not is_right(scores[following]):
            return step
    return None


def mcnemar(lost: int, gained: int, *, mid: bool = False) -> float:
    """The exact two-sided p-value of McNemar's test: a binomial test of `lost` in all flips at 1/2.

    McNemar 1947, Psychometrika 12, pages 153 to 157; with `mid`, half of the probability of the
    observed count is taken off each tail (Fagerland, Lydersen and Laake 2013, BMC Medical Research
    Methodology 13:91). Without flips 1. Raises ValueError for negative counts.
    """
    if lost < 0 or gained < 0:
        raise ValueError(f"{lost} lost and {gained} gained")
    flips, fewer = lost + gained, min(lost, gained)
    below, ways = 0, 1
    for count in range(fewer):
        below += ways
        ways = ways * (flips - count) // (count + 1)
    tail = 2 * below + ways if mid else 2 * (below + ways)  # of 2 ** flips
    return min(1.0, tail / 2**flips) if flips < 1000 else min(1.0, _ratio(tail, flips))


def _ratio(numerator: int, power: int) -> float:
    """numerator / 2 ** power, of numbers that no float holds."""
    excess = max(0, numerator.bit_length() - 64)
    shift = excess - power
    return float(numerator >> excess) * 2.0**shift if shift > -1074 else 0.0
