"""Whether an answer is the source again: the longest run of words that both share.

Words are those of `engine.words`, folded. A short answer is not judged: a name or a quotation that
was asked for stands in the source as a matter of course.
"""

from collections.abc import Sequence

import numpy as np

from engine.synthesis.gates.candidate import NotJudged, RowCandidate
from engine.words import folded_words

FEWEST = 8
"""Words of an answer that is judged."""
_QUOTED = 12
"""Words of the run that the reviewer reads."""


def check_copy(candidate: RowCandidate, most: float) -> str:
    """An answer of which more than this share of its words stands in the source in one run.

    Raises NotJudged where all texts that were asked for are short.
    """
    source = folded_words(candidate.source.text)
    judged = False
    for name, text in candidate.asked.items():
        words = folded_words(text)
        if len(words) < FEWEST:
            continue
        judged = True
        begin, length = longest_shared_run(words, source)
        if length > most * len(words):
            run = " ".join(words[begin : begin + min(length, _QUOTED)])
            rest = " …" if length > _QUOTED else ""
            return (
                f"{length} of {len(words)} words of {name} stand in the source in one run: "
                f'"{run}{rest}"'
            )
    if not judged:
        raise NotJudged(f"fewer than {FEWEST} words")
    return ""


def longest_shared_run(words: Sequence[str], others: Sequence[str]) -> tuple[int, int]:
    """Where in `words` the longest run of words begins that stands in `others` too, the first of
    them, and how many words it has; 0 where they share none.

    Time in the product of both lengths, a row of the table at a time.
    """
    ids: dict[str, int] = {}
    theirs = np.array([ids.setdefault(word, len(ids)) for word in others], dtype=np.int64)
    ending = np.zeros(len(others) + 1, dtype=np.int64)  # [others + 1]: runs that end before each
    begin = longest = 0
    for at, word in enumerate(words):
        ending[1:] = np.where(theirs == ids.get(word, -1), ending[:-1] + 1, 0)
        best = int(ending.max())
        if best > longest:
            begin, longest = at + 1 - best, best
    return begin, longest
