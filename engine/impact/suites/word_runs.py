"""Runs of words that texts share with texts of a suite: as a whole, or so many words in a row.

Word by word as a whole, and by runs of 13 words (Brown et al. 2020, arXiv 2005.14165, appendix C).
An instruction that many texts of a suite begin or end with is a template: with it, a few words of
a text's own would make up a run. Owns the index of a suite's texts; what a match means is for those
who look: `engine.impact.suites.contamination`, and the gates of rows made.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.words import folded_words, word_spans

GRAM = 13
"""Words of a run."""
TEMPLATE_SHARE = 0.1
"""Of a suite's items; what so many begin or end with is a template."""
TEMPLATE_ITEMS = 3
"""At least."""
SHORTEST_OWN = 8
"""Words of a text of its own that are looked for at either end of another (the same appendix: no
run of fewer is compared)."""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunMatch:
    """A text of the index that another one repeats."""

    name: str
    is_answer: bool
    """Whether it is an answer of that name's, or its question."""
    words: Words
    """The words that stand in both: all of its own where `is_whole`, else the run."""
    is_whole: bool


class WordRunIndex:
    """Texts to be looked for, by name; questions and answers apart."""

    def __init__(self, size: int = GRAM) -> None:
        """`size`: words of a run."""
        self._size = size
        self._whole: dict[Words, set[tuple[str, bool]]] = {}
        """The words of questions and answers, to their names and whether it is an answer."""
        self._own: dict[Words, set[tuple[str, bool]]] = {}
        """The same without templates, of less than a run."""
        self._lengths: set[int] = set()
        """Of these."""
        self._grams: dict[Words, set[tuple[str, bool]]] = {}

    def add(self, texts: Sequence[tuple[str, bool, str]]) -> None:
        """Look for the texts of one more suite: name, whether it is an answer, text."""
        for is_answer in (False, True):
            each = [
                (name, tuple(folded_words(text)))
                for name, of_answer, text in texts
                if of_answer == is_answer
            ]
            template = TextTemplates([words for _, words in each])
            for name, words in each:
                self._index(name, words, template.strip(words), is_answer=is_answer)

    def find(self, text: str, *, is_answer: bool | None = None) -> Iterator[RunMatch]:
        """What the text repeats: wholes, then runs, each in the order of the text and of names.

        A whole question is looked for in questions, a whole answer in answers; in either where
        `is_answer` is None. A question copied into an answer is seen all the same by its runs.
        """
        words = tuple(folded_words(text))
        if words in self._whole:
            yield from _match(words, self._whole[words], is_answer)
        for length in sorted(self._lengths):
            for end in (words[:length], words[-length:]) if len(words) >= length else ():
                if end in self._own:
                    yield from _match(end, self._own[end], is_answer)
        for gram in word_grams(words, self._size):
            if gram in self._grams:
                yield from _match(gram, self._grams[gram], None, is_whole=False)

    def _index(self, name: str, words: Words, own: Words, *, is_answer: bool) -> None:
        if words:
            self._whole.setdefault(words, set()).add((name, is_answer))
        if SHORTEST_OWN <= len(own) < self._size:
            self._own.setdefault(own, set()).add((name, is_answer))
            self._lengths.add(len(own))
        for gram in word_grams(own, self._size):
            self._grams.setdefault(gram, set()).add((name, is_answer))


def word_grams(words: Words, size: int) -> Iterable[Words]:
    """All runs of so many words, in order."""
    return (words[at : at + size] for at in range(len(words) - size + 1))


def _match(
    words: Words, texts: set[tuple[str, bool]], is_answer: bool | None, *, is_whole: bool = True
) -> Iterator[RunMatch]:
    for name, of_answer in sorted(texts):
        if is_answer is None or of_answer == is_answer:
            yield RunMatch(name, of_answer, words, is_whole)


class TextTemplates:
    """What many texts of a suite begin or end with."""

    def __init__(self, texts: Sequence[Words]) -> None:
        least = math.ceil(max(TEMPLATE_ITEMS, TEMPLATE_SHARE * len(texts)))
        distinct = list(dict.fromkeys(texts))
        self._starts = _count_shared(distinct, least)
        ends = _count_shared([words[::-1] for words in distinct], least)
        self._ends = {words[::-1]: count for words, count in ends.items()}

    def strip(self, words: Words) -> Words:
        """One of the texts: its own words; all of them where nothing else is left."""
        begin, end = self.bounds(words)
        return words[begin:end]

    def bounds(self, words: Words) -> tuple[int, int]:
        """Where the own words of one of the texts begin and end."""
        begin, end = self._starts[words], len(words) - self._ends[words]
        return (begin, end) if begin < end else (0, len(words))


def strip_templates(texts: Sequence[str]) -> list[str]:
    """Texts of a suite as they stand there, from the first of their own words to the last."""
    folded = [tuple(folded_words(text)) for text in texts]
    templates = TextTemplates(folded)
    own = []
    for text, words in zip(texts, folded, strict=True):
        begin, end = templates.bounds(words)
        spans = word_spans(text)
        first = spans[begin][0] if begin else 0
        own.append(text[first : spans[end - 1][1] if end < len(words) else len(text)])
    return own


def _count_shared(texts: Sequence[Words], least: int) -> dict[Words, int]:
    """By text, which are distinct, how many of its first words at least so many texts begin with.

    These stand side by side in order, and what the outer two of a row share, all of it do: a text
    shares most of the rows that it stands in.
    """
    ordered = sorted(texts)
    rows = [
        _count_alike(first, last)
        for first, last in zip(ordered, ordered[least - 1 :], strict=False)
    ]
    shared, best = {}, deque[int]()  # places of rows, of which a later one is a smaller one
    for at, words in enumerate(ordered):
        if at < len(rows):
            while best and rows[best[-1]] <= rows[at]:
                best.pop()
            best.append(at)
        while best and best[0] <= at - least:
            best.popleft()
        shared[words] = rows[best[0]] if best else 0
    return shared


def _count_alike(first: Words, last: Words) -> int:
    pairs = enumerate(zip(first, last, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(last)))
