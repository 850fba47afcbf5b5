"""The difference between two answers, word by word: what both say, and what only one does.

Owns no drawing. Words (`engine.words`) and single characters are compared as `unify` makes them,
with their letter case; a run of white space equals any other.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.words import count_words, pieces_of, unify

Kind = Literal["same", "only_left", "only_right"]

MOST_PIECES = 4_000
"""Pieces of each text that are compared; the rest counts as changed. Matching is quadratic."""


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch that both texts have, or that only one of them has."""

    kind: Kind
    left: str
    """As the left text has it; empty where only the right one does."""
    right: str


@dataclass(frozen=True, slots=True)
class TextDifference:
    changes: tuple[Change, ...]
    same_words: int
    left_words: int
    right_words: int

    @property
    def share(self) -> float:
        """2 · common / (left + right), in words: 1.0 for equal texts, and for two empty ones."""
        both = self.left_words + self.right_words
        return 2 * self.same_words / both if both else 1.0


def compare(left: str, right: str) -> TextDifference:
    """What to show of two texts side by side. Joined, the left parts are `left`, the right `right`.

    Case and punctuation count; a run of white space equals any other.
    """
    ours, theirs = _pieces(left), _pieces(right)
    changes = list(_merged(_changes(ours, theirs)))
    same = sum(count_words(change.left) for change in changes if change.kind == "same")
    return TextDifference(tuple(changes), same, count_words(left), count_words(right))


def _pieces(text: str) -> list[str]:
    pieces = pieces_of(text)
    rest = "".join(pieces[MOST_PIECES:])
    return pieces[:MOST_PIECES] + ([rest] if rest else [])


def _changes(ours: list[str], theirs: list[str]) -> Iterator[Change]:
    for both, start, stop, begin, end in _joined(_align_words(ours, theirs)):
        left, right = "".join(ours[start:stop]), "".join(theirs[begin:end])
        if both:
            yield Change("same", left, right)
            continue
        if left:
            yield Change("only_left", left, "")
        if right:
            yield Change("only_right", "", right)


Step = tuple[bool, int, int, int, int]
"""Whether both have it; where it stands in one, from and to, and where in the other."""


def _align_words(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[Step]:
    """The steps that keep the most words, and between two of these the most of the rest.

    Aligned with the words, white space and punctuation would count as much as they do.
    """
    places = [
        [at for at, piece in enumerate(side) if count_words(piece)] for side in (ours, theirs)
    ]
    words = [
        [unify(side[at]) for at in at_words]
        for side, at_words in zip((ours, theirs), places, strict=True)
    ]
    kept = [
        (places[0][at], places[1][other])
        for both, start, stop, begin, end in align(*words)
        if both
        for at, other in zip(range(start, stop), range(begin, end), strict=True)
    ]
    here = there = 0
    for at, other in (*kept, (len(ours), len(theirs))):
        gap = [list(map(_key, ours[here:at])), list(map(_key, theirs[there:other]))]
        for both, start, stop, begin, end in align(*gap):
            yield both, here + start, here + stop, there + begin, there + end
        if (at, other) != (len(ours), len(theirs)):
            yield True, at, at + 1, other, other + 1
        here, there = at + 1, other + 1


def _joined(steps: Iterator[Step]) -> Iterator[Step]:
    """Steps of one kind that follow on each other as one."""
    last: Step | None = None
    for step in steps:
        if last is not None and last[0] == step[0]:
            last = (step[0], last[1], step[2], last[3], step[4])
            continue
        if last is not None:
            yield last
        last = step
    if last is not None:
        yield last


def align(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[Step]:
    """The steps from one to the other that keep the most: a longest common subsequence.

    By bits, a row a piece (Hyyrö 2004, Bit-parallel LCS-length computation revisited): the work is
    one sum of `len(theirs)` bits for each of ours, however often the pieces repeat.
    """
    rows = list(_rows(ours, theirs))
    matches: list[tuple[int, int]] = []
    at, other = len(ours), len(theirs)
    while at and other:
        bit = 1 << (other - 1)
        if rows[at - 1] & bit:
            other -= 1
        else:
            at -= 1
            if not at or rows[at - 1] & bit:
                other -= 1
                matches.append((at, other))
    return _steps(_gathered(matches[::-1], ours, theirs), len(ours), len(theirs))


def common_length(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """How many pieces a longest common subsequence has; as `align`, and keeps no row."""
    last = deque(_rows(ours, theirs), maxlen=1)
    return len(theirs) - last[0].bit_count() if last else 0


def _rows(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[int]:
    """After each of our pieces: 0 at the bits of theirs where the common length grows by one."""
    places: dict[str, int] = {}
    for at, piece in enumerate(theirs):
        places[piece] = places.get(piece, 0) | 1 << at
    whole = (1 << len(theirs)) - 1
    row = whole
    for piece in ours:
        matched = row & places.get(piece, 0)
        row = ((row + matched) | (row - matched)) & whole
        yield row


def _gathered(
    matches: Sequence[tuple[int, int]], ours: Sequence[str], theirs: Sequence[str]
) -> list[tuple[int, int]]:
    """As much is kept, in fewer stretches: a match moves to the end of the gap before the next one
    where the same piece stands there, so that what one text has alone is cut out in one."""
    moved = list(matches)
    here, there = len(ours), len(theirs)
    for place in range(len(moved) - 1, -1, -1):
        at, other = moved[place]
        if at + 1 == here and ours[at] == theirs[there - 1]:
            other = there - 1
        elif other + 1 == there and theirs[other] == ours[here - 1]:
            at = here - 1
        moved[place] = here, there = at, other
    return moved


def _steps(matches: Sequence[tuple[int, int]], left: int, right: int) -> Iterator[Step]:
    here = there = 0
    start, begin = 0, 0
    for at, other in (*matches, (left, right)):
        if (at, other) != (here, there):
            if here > start:
                yield True, start, here, begin, there
            yield False, here, at, there, other
            start, begin = at, other
        here, there = at + 1, other + 1
    if here - 1 > start:
        yield True, start, here - 1, begin, there - 1


def _key(piece: str) -> str:
    return " " if piece.isspace() else unify(piece)


def _merged(changes: Iterator[Change]) -> Iterator[Change]:
    """White space alone between two changes belongs to them: nobody wants it as common ground."""
    pending: list[Change] = []
    for change in changes:
        if change.kind == "same" and (change.left.strip() or not pending):
            yield from _together(pending)
            pending = []
            yield change
        else:
            pending.append(change)
    if pending and pending[-1].kind == "same":
        last = pending.pop()
        yield from _together(pending)
        yield last
    else:
        yield from _together(pending)


def _together(changes: list[Change]) -> Iterator[Change]:
    left, right = ("".join(getattr(one, side) for one in changes) for side in ("left", "right"))
    if left:
        yield Change("only_left", left, "")
    if right:
        yield Change("only_right", "", right)
