"""Contamination: which items of a suite stand among the rows that an arm was trained on.

The item's own text is compared, without any template: question and answer apart, word by word as a
whole, and by runs of 13 words (Brown et al. 2020, arXiv 2005.14165, appendix C). An instruction
that many items of a suite begin or end with is a template too: with it, a few words of an item's
own would make up a run. Owns the index of the items and what was found of each. Training rows are
read once, in any number, and none is kept.
Refuses to say 0 of rows that nobody knows: what a base was pre-trained on, and a foreign adapter.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.chat import Message
from engine.compare.items import Item
from engine.words import folded_words

GRAM = 13
"""Words of a run."""
TEMPLATE_SHARE = 0.1
"""Of a suite's items; what so many begin or end with is a template."""
TEMPLATE_ITEMS = 3
"""At least."""
SHORTEST_OWN = 8
"""Words of an item's own text that are looked for at either end of a row's (the same appendix: no
run of fewer is compared)."""

Match = Literal["", "exact", "13-gram"]
"""Not found; all of its own words, without others or with a template before or after them; a run
of 13 of its own words."""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ItemContamination:
    """What of one item stands in the training rows."""

    question: Match = ""
    answer: Match = ""
    """Of its right answer or reference."""
    row: str = ""
    """Where the question stands, else where the answer does: the source of the first such row."""
    is_long_answer: bool = False
    """Of 13 words or more: a short one, as a label, stands in many rows of other questions."""

    @property
    def is_flagged(self) -> bool:
        """Whether the item's score may be that of memory."""
        return bool(self.question) or (bool(self.answer) and self.is_long_answer)


class ContaminationCheck:
    """Items to be looked for, and what has been found of them so far."""

    def __init__(self, items: Sequence[Item] = ()) -> None:
        self._found: dict[str, ItemContamination] = {}
        self._whole: dict[Words, set[tuple[str, bool]]] = {}
        """The words of questions and answers, to item id and whether it is an answer."""
        self._own: dict[Words, set[tuple[str, bool]]] = {}
        """The same without templates, of less than a run."""
        self._lengths: set[int] = set()
        """Of these."""
        self._grams: dict[Words, set[tuple[str, bool]]] = {}
        self.add(items)

    def add(self, items: Sequence[Item]) -> None:
        """Look for the items of one more suite, whose ids are no other's."""
        texts: list[tuple[str, bool, Words]] = []
        for item in items:
            answers = (*item.gold, item.reference) if item.reference else item.gold
            longest = max((len(folded_words(one)) for one in answers), default=0)
            self._found[item.id] = ItemContamination(is_long_answer=longest >= GRAM)
            asked = item.text or "\n".join(
                one.content for one in item.messages if one.role == "user"
            )
            texts.append((item.id, False, tuple(folded_words(asked))))
            texts += [(item.id, True, tuple(folded_words(answer))) for answer in answers]
        for is_answer in (False, True):
            each = [(name, words) for name, kind, words in texts if kind == is_answer]
            template = _Templates([words for _, words in each])
            for name, words in each:
                self._index(name, words, template.strip(words), is_answer=is_answer)

    def read(self, rows: Iterable[tuple[str, Sequence[Message]]]) -> None:
        """Look at training rows: the source of each, and its messages."""
        for source, messages in rows:
            asked = [one.content for one in messages if one.role == "user"]
            for text in dict.fromkeys((*asked, "\n".join(asked))):
                self._look(text, source, is_answer=False)
            for message in messages:
                if message.role == "assistant":
                    self._look(message.content, source, is_answer=True)

    @property
    def found(self) -> dict[str, ItemContamination]:
        """By item id, in the order of the items."""
        return dict(self._found)

    def _index(self, item: str, words: Words, own: Words, *, is_answer: bool) -> None:
        if words:
            self._whole.setdefault(words, set()).add((item, is_answer))
        if SHORTEST_OWN <= len(own) < GRAM:
            self._own.setdefault(own, set()).add((item, is_answer))
            self._lengths.add(len(own))
        for gram in _grams(own):
            self._grams.setdefault(gram, set()).add((item, is_answer))

    def _look(self, text: str, source: str, *, is_answer: bool) -> None:
        words = tuple(folded_words(text))
        for item, is_of_answer in self._whole.get(words, ()):
            if is_of_answer == is_answer:
                self._keep(item, "exact", source, is_answer=is_of_answer)
        for length in self._lengths:
            for end in (words[:length], words[-length:]) if len(words) >= length else ():
                for item, is_of_answer in self._own.get(end, ()):
                    if is_of_answer == is_answer:
                        self._keep(item, "exact", source, is_answer=is_of_answer)
        # A question copied into an answer, or an answer into a question, is seen all the same.
        for gram in _grams(words):
            for item, is_of_answer in self._grams.get(gram, ()):
                self._keep(item, "13-gram", source, is_answer=is_of_answer)

    def _keep(self, item: str, match: Match, source: str, *, is_answer: bool) -> None:
        before = self._found[item]
        known = before.answer if is_answer else before.question
        if known == "exact" or known == match:
            return
        if is_answer:
            row = before.row or source
            after = ItemContamination(before.question, match, row, before.is_long_answer)
        else:
            row = before.row if before.question else source
            after = ItemContamination(match, before.answer, row, before.is_long_answer)
        self._found[item] = after


class _Templates:
    """What many texts of a suite begin or end with."""

    def __init__(self, texts: Sequence[Words]) -> None:
        least = math.ceil(max(TEMPLATE_ITEMS, TEMPLATE_SHARE * len(texts)))
        distinct = list(dict.fromkeys(texts))
        self._starts = _count_shared(distinct, least)
        ends = _count_shared([words[::-1] for words in distinct], least)
        self._ends = {words[::-1]: count for words, count in ends.items()}

    def strip(self, words: Words) -> Words:
        """One of the texts: its own words; all of them where nothing else is left."""
        return words[self._starts[words] : len(words) - self._ends[words]] or words


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


def _grams(words: Words) -> Iterable[Words]:
    return (words[at : at + GRAM] for at in range(len(words) - GRAM + 1))
