"""How much two texts are alike: the Jaccard similarity of their sets of 5 characters in a row.

Short ones, in which a single letter changes that much, are alike where they are equal but for
letter case, white space and a stop at the end.
"""

import re

from engine.words import fold

SHINGLE = 5
"""Characters."""
SHORTEST = 50
"""Characters of a text that is compared by shingles: one changed letter is in 5 of them, which in a
shorter one would bring the similarity below .8."""
LONGEST = 50_000
"""Characters of a text that are compared."""
_SPACE = re.compile(r"\s+")
_STOPS = " .!?…。！？؟۔।"


def normalise(text: str) -> str:
    """The text as it is compared: folded, white space as one space, no stop at its end."""
    return _SPACE.sub(" ", fold(text[:LONGEST])).strip().rstrip(_STOPS)


def shingles_of(normal: str) -> frozenset[str]:
    """Of a text as `normalise` leaves it."""
    return frozenset(normal[at : at + SHINGLE] for at in range(len(normal) - SHINGLE + 1))


def jaccard(these: frozenset[str], those: frozenset[str]) -> float:
    """Shared shingles over all; 1 of two empty sets."""
    return len(these & those) / len(these | those) if these or those else 1.0


def compare_texts(one: str, other: str) -> float:
    """The similarity of two texts, from 0 to 1; of short ones 1 or 0."""
    first, second = normalise(one), normalise(other)
    if first == second:
        return 1.0
    if min(len(first), len(second)) < SHORTEST:
        return 0.0
    return jaccard(shingles_of(first), shingles_of(second))


def say_alike(similarity: float) -> str:
    """As in `0.91 alike to`."""
    return "the same as" if similarity == 1 else f"{similarity:.2f} alike to"
