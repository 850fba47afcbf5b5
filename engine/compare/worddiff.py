"""The difference between two answers, word by word: what both say, and what only one does.

Owns no drawing. Words, runs of white space and marks are compared as they stand.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "only_left", "only_right"]

MOST_PIECES = 4_000
"""Pieces of each text that are compared; the rest counts as changed. Matching is quadratic."""

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
    # Without junk heuristics: a word that is frequent is a word all the same.
    matcher = SequenceMatcher(
        None, [_key(piece) for piece in ours], [_key(piece) for piece in theirs], autojunk=False
    )
    for tag, start, stop, begin, end in matcher.get_opcodes():
        left, right = "".join(ours[start:stop]), "".join(theirs[begin:end])
        if tag == "equal":
            yield Change("same", left, right)
            continue
        if left:
            yield Change("only_left", left, "")
        if right:
            yield Change("only_right", "", right)


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
