"""A random sample of the rows made, which a person reviews, and what it says of the rest.

The sample is an order: by a hash of the seed and the source, so that the first rows of it are a
simple random sample however many a person reviews, and whatever is made later. Only such rows say
something of the others: rows that a person picked do not, and then nothing is said.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import prod

from engine.synthesis.accepted_rows import Standing
from engine.synthesis.shares import Share

CHANCE = 0.01
"""That rows picked otherwise come first in the order by chance, at most."""
_BAD: Collection[Standing] = ("rejected", "edited", "edit held back", "ask again")
"""What a person makes of a row that should not be trained on as it is."""


@dataclass(frozen=True, slots=True)
class SampledReview:
    """What a review says of the rows that nobody looked at."""

    reviewed: int
    """Of the rows that passed the gates."""
    drawn: int
    """The first of the order, all of them reviewed; 0 where they may have been picked."""
    bad: Share
    """Of those that were drawn, the rows that should not be trained on as they are."""
    edited: int
    """Those of `bad` that a person mended."""
    rest: int
    """Rows that passed and that nobody reviewed."""

    @property
    def words(self) -> str:
        """One sentence; empty where no row was reviewed."""
        if not self.reviewed:
            return ""
        if not self.rest:
            return f"all rows that passed ({self.reviewed:,}) were reviewed"
        if not self.drawn:
            return (
                f"the rows that were reviewed ({self.reviewed:,}) were not drawn at random: they "
                f"say nothing of the other {self.rest:,}"
            )
        what = "rejected or edited" if self.edited else "rejected"
        low, high = (f"{100 * bound:.0f}" for bound in self.bad.interval)
        return (
            f"{self.bad.count:,} of {self.drawn:,} drawn at random were {what}: "
            f"{100 * (self.bad.value or 0):.0f}% [{low}, {high}] of the other {self.rest:,} are "
            "likely bad"
        )


def sample_order(sources: Iterable[str], seed: int) -> list[str]:
    """Ids of sources in the order of a random sample: the first n of it are one of n.

    Each source's place among any two others is the same whichever sources there are.
    """
    return sorted(sources, key=lambda source: _draw(source, seed))


def judge_sample(passed: Mapping[str, Standing], seed: int) -> SampledReview:
    """What a review says; `passed`: by source what a person decided of rows that passed.

    The rows that were drawn are the first of the order up to the first that is not reviewed. So
    many of them would come first by chance, were they picked, with the probability that all of so
    many drawn without replacement are among those reviewed; above CHANCE none counts as drawn.
    """
    order = sample_order(passed, seed)
    reviewed = sum(standing != "undecided" for standing in passed.values())
    first = next((at for at, one in enumerate(order) if passed[one] == "undecided"), len(order))
    chance = prod((reviewed - at) / (len(order) - at) for at in range(first))
    drawn = order[:first] if chance <= CHANCE or reviewed == len(order) else []
    standings = [passed[source] for source in drawn]
    return SampledReview(
        reviewed=reviewed,
        drawn=len(drawn),
        bad=Share(sum(one in _BAD for one in standings), len(drawn)),
        edited=sum(one in ("edited", "edit held back") for one in standings),
        rest=len(order) - reviewed,
    )


def _draw(source: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {source}".encode("utf-8", "surrogatepass")).digest()
