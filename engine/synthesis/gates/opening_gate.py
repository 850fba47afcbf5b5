"""Texts that begin with the same words again and again, watched while rows are made.

An opening is the first words of a text, as the measures of wording count them. Which rows of a
frequent opening are held back depends on the order: the first ones pass.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from engine.compare.text_metrics import opener
from engine.synthesis.gates.candidate import RowCandidate

WORDS = 3
"""Of an opening; a text of fewer has none."""
FEWEST = 5
"""Rows that may begin alike whatever their share: of few rows a share says little."""


@dataclass(frozen=True, slots=True)
class OpeningShare:
    """How many rows begin alike."""

    field: str
    opening: str
    count: int
    rows: int
    """With an opening of that field, among them `count` with this one."""


class OpeningWatch:
    """The openings of rows that passed."""

    def __init__(self, most: float) -> None:
        """`most`: the share of rows, 0 to 1, that may begin alike."""
        self._most = most
        self._of_source: dict[str, dict[str, str]] = {}
        self._counts: dict[str, Counter[str]] = {}

    def check(self, candidate: RowCandidate) -> str:
        """A text whose opening would then stand in too many rows."""
        own = self._of_source.get(candidate.source.id, {})
        for name, opening in _openings(candidate).items():
            counts = self._counts.get(name, Counter())
            rows = counts.total() - (name in own)
            count = counts[opening] - (own.get(name) == opening)
            if count + 1 > max(FEWEST, self._most * (rows + 1)):
                return (
                    f'{name} begins with "{opening}", as {count} of {rows} rows that passed; '
                    f"at most {self._most:.0%} may"
                )
        return ""

    def add(self, candidate: RowCandidate) -> None:
        """Count a row that passed, in place of an earlier one of its source."""
        self.remove(candidate.source.id)
        openings = _openings(candidate)
        self._of_source[candidate.source.id] = openings
        for name, opening in openings.items():
            self._counts.setdefault(name, Counter())[opening] += 1

    def remove(self, source: str) -> None:
        """Forget the row of a source, where there is one."""
        for name, opening in self._of_source.pop(source, {}).items():
            self._counts[name][opening] -= 1


def commonest_openings(candidates: Iterable[RowCandidate], most: int = 5) -> list[OpeningShare]:
    """The openings that most rows have, at most so many, of those that two or more share."""
    counts: dict[str, Counter[str]] = {}
    for candidate in candidates:
        for name, opening in _openings(candidate).items():
            counts.setdefault(name, Counter())[opening] += 1
    shares = [
        OpeningShare(name, opening, count, openings.total())
        for name, openings in counts.items()
        for opening, count in openings.items()
        if count > 1
    ]
    return sorted(shares, key=lambda one: (-one.count, one.field, one.opening))[:most]


def _openings(candidate: RowCandidate) -> dict[str, str]:
    """Of each text that was asked for and has enough words."""
    openings = {name: opener(text, WORDS) for name, text in candidate.asked.items()}
    return {name: opening for name, opening in openings.items() if opening.count(" ") >= WORDS - 1}
