"""How long rows are: the usual figures, a histogram with round steps, and what a limit takes away.

Pure: works on numbers that encoding found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MOST_BINS = 12


@dataclass(frozen=True, slots=True)
class Bin:
    least: int
    most: int
    """Inclusive, as `least` is."""
    rows: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of whole rows in tokens, before anything is cut."""

    rows: int
    least: int
    median: int
    p95: int
    """As many as 95 rows of 100 have, or fewer."""
    most: int
    bins: tuple[Bin, ...]


def measure(lengths: Sequence[int]) -> Lengths:
    """The figures of one or more rows; each is the length of a row that is there (no mean of two).

    Quantiles are nearest-rank: the smallest length that at least this share of rows does not pass.
    """
    ordered = sorted(lengths)

    def rank(share: float) -> int:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Lengths(
        len(ordered), ordered[0], rank(0.5), rank(0.95), ordered[-1], tuple(_bins(ordered))
    )


def _bins(ordered: Sequence[int]) -> list[Bin]:
    """At most MOST_BINS of equal width, of 1, 2 or 5 times a power of ten; empty ones stay."""
    width = _width(ordered[0], ordered[-1])
    first = ordered[0] // width
    counts = [0] * (ordered[-1] // width - first + 1)
    for length in ordered:
        counts[length // width - first] += 1
    return [
        Bin((first + at) * width, (first + at + 1) * width - 1, count)
        for at, count in enumerate(counts)
    ]


def _width(least: int, most: int) -> int:
    power = 1
    while True:
        for factor in (1, 2, 5):
            width = factor * power
            if most // width - least // width < MOST_BINS:
                return width
        power *= 10
