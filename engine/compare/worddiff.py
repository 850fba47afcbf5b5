"""The difference between two answers, word by word: what both say, and what only one does.

Owns no drawing. Words, runs of white space and marks are compared as they stand.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "only_left", "only_right"]

MOST_PIECES = 4_000
"""Pieces of each text that are compared; the rest counts as changed. Matching is quadratic."""

_SHORT = 400
"""Pieces of both texts up to which they are compared as they are."""
_DEPTH = 16

_PIECE = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"  # scripts without spaces: one by one
    r"|[^\W_]+(?:['’\-‐‑\u200c\u200d][^\W_]+)*|\s+|."
)


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch that both texts have, or that only one of them has."""

    kind: Kind
    left: str
    """As the left text has it; empty where only the right one does."""
    right: str


@dataclass(frozen=True, slots=True)
class Difference:
    changes: tuple[Change, ...]
    same_words: int
    left_words: int
    right_words: int

    @property
    def share(self) -> float:
        """2 · common / (left + right), in words: 1.0 for equal texts, and for two empty ones."""
        both = self.left_words + self.right_words
        return 2 * self.same_words / both if both else 1.0


def compare(left: str, right: str) -> Difference:
    """What to show of two texts side by side. Joined, the left parts are `left`, the right `right`.

    Case and punctuation count; a run of white space equals any other.
    """
    ours, theirs = _pieces(left), _pieces(right)
    changes = list(_merged(_changes(ours, theirs)))
    same = sum(_words(change.left) for change in changes if change.kind == "same")
    return Difference(tuple(changes), same, _words(left), _words(right))


def _pieces(text: str) -> list[str]:
    found = [match[0] for match in _PIECE.finditer(text)]
    return found[:MOST_PIECES] + (["".join(found[MOST_PIECES:])] if found[MOST_PIECES:] else [])


def _changes(ours: list[str], theirs: list[str]) -> Iterator[Change]:
    keys = [_key(piece) for piece in ours], [_key(piece) for piece in theirs]
    for tag, start, stop, begin, end in _joined(_matched(*keys)):
        left, right = "".join(ours[start:stop]), "".join(theirs[begin:end])
        if tag == "equal":
            yield Change("same", left, right)
            continue
        if left:
            yield Change("only_left", left, "")
        if right:
            yield Change("only_right", "", right)


_Step = tuple[str, int, int, int, int]
"""As `SequenceMatcher.get_opcodes` gives it."""


def _matched(
    ours: list[str], theirs: list[str], start: int = 0, begin: int = 0, depth: int = 0
) -> Iterator[_Step]:
    """Steps from one to the other, which stand at `start` and `begin`. Long ones are cut first at
    the words that each has just once, in the same order (patience diff, Cohen 2003), and the parts
    between them likewise."""
    long = len(ours) + len(theirs) > _SHORT and depth < _DEPTH
    anchors = _anchors(ours, theirs) if long else []
    if not anchors:
        # Without junk heuristics: a word that is frequent is a word all the same.
        matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
        for tag, one, two, three, four in matcher.get_opcodes():
            yield tag, start + one, start + two, begin + three, begin + four
        return
    here = there = 0
    for at, other in anchors:
        between = ours[here:at], theirs[there:other]
        yield from _matched(*between, start + here, begin + there, depth + 1)
        yield "equal", start + at, start + at + 1, begin + other, begin + other + 1
        here, there = at + 1, other + 1
    yield from _matched(ours[here:], theirs[there:], start + here, begin + there, depth + 1)


def _joined(steps: Iterator[_Step]) -> Iterator[_Step]:
    """Neighbouring steps that are equal as one."""
    equal: _Step | None = None
    for step in steps:
        if step[0] != "equal":
            if equal is not None:
                yield equal
            equal = None
            yield step
        else:
            equal = step if equal is None else ("equal", equal[1], step[2], equal[3], step[4])
    if equal is not None:
        yield equal


def _anchors(ours: list[str], theirs: list[str]) -> list[tuple[int, int]]:
    """The longest rising run of places of what stands once in each."""
    once = [
        {key for key, count in Counter(side).items() if count == 1 and not key.isspace()}
        for side in (ours, theirs)
    ]
    place = {key: at for at, key in enumerate(theirs) if key in once[0] and key in once[1]}
    ends: list[int] = []
    """The least last place of a rising run, by its length."""
    runs: list[tuple[int, int, int]] = []
    """Place here and there, and the run's member before it."""
    members: list[int] = []
    for at, key in enumerate(ours):
        if key in place:
            length = bisect_left(ends, place[key])
            runs.append((at, place[key], members[length - 1] if length else -1))
            ends[length : length + 1] = [place[key]]
            members[length : length + 1] = [len(runs) - 1]
    found: list[tuple[int, int]] = []
    at = members[-1] if members else -1
    while at >= 0:
        here, there, at = runs[at]
        found.append((here, there))
    return found[::-1]


def _key(piece: str) -> str:
    return " " if piece.isspace() else piece


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


def _words(text: str) -> int:
    return sum(1 for match in _PIECE.finditer(text) if any(map(str.isalnum, match[0])))
