"""Rows that repeat the evaluation side, word by word: what is evaluated would have been trained on.

The index is that of contamination (`engine.impact.suites.word_runs`): held-out texts as a whole,
and runs of their own words. Looks at all texts of a row, also those taken from the source.
"""

from collections.abc import Sequence
from itertools import chain

from engine.impact.suites.word_runs import RunMatch, WordRunIndex
from engine.synthesis.gates.candidate import HeldOutText, RowCandidate
from engine.words import count_words

_QUOTED = 13
"""Words of a run that the reviewer reads."""


class OverlapCheck:
    """The evaluation side, to be looked for in rows."""

    def __init__(self, held_out: Sequence[HeldOutText], size: int) -> None:
        """`size`: words of a run. An answer of fewer words is not looked for: as a label, it stands
        in many rows of other questions."""
        self._size = size
        self._index = WordRunIndex(size)
        self._index.add(
            [
                (each.name, each.is_answer, each.text)
                for each in held_out
                if not each.is_answer or count_words(each.text) >= size
            ]
        )

    def check(self, candidate: RowCandidate) -> str:
        """Which text of the row repeats which one of the evaluation side."""
        for name, text in candidate.texts.items():
            own = self._index.find(candidate.own[name])
            whole = (match for match in self._index.find(text) if match.is_whole)
            match = next(chain(own, whole), None)
            if match:
                return f"{name} {_describe(match)}"
        return ""


def _describe(match: RunMatch) -> str:
    what = "answer" if match.is_answer else "text"
    run = " ".join(match.words[:_QUOTED]) + (" …" if len(match.words) > _QUOTED else "")
    if match.is_whole:
        return f'has all of a held-out {what}, {match.name}: "{run}"'
    return f'shares {len(match.words)} words in a row with a held-out {what}, {match.name}: "{run}"'
