"""Contamination: which items of a suite stand among the rows that an arm was trained on.

The item's own text is compared, without any template: question and answer apart, word by word as a
whole, and by runs of 13 words (Brown et al. 2020, arXiv 2005.14165, appendix C). Owns the index of
the items and what was found of each. Training rows are read once, in any number, and none is kept.
Refuses to say 0 of rows that nobody knows: what a base was pre-trained on, and a foreign adapter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.chat import Message
from engine.compare.items import Item
from engine.words import folded_words

GRAM = 13
"""Words of a run."""

Match = Literal["", "exact", "13-gram"]
"""Not found; the same words, all of them; a run of 13 words."""


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

    def __init__(self, items: Sequence[Item]) -> None:
        self._found: dict[str, ItemContamination] = {}
        self._whole: dict[tuple[str, ...], set[tuple[str, bool]]] = {}
        """The words of questions and answers, to item id and whether it is an answer."""
        self._grams: dict[tuple[str, ...], set[tuple[str, bool]]] = {}
        for item in items:
            answers = (*item.gold, item.reference) if item.reference else item.gold
            longest = max((len(folded_words(one)) for one in answers), default=0)
            self._found[item.id] = ItemContamination(is_long_answer=longest >= GRAM)
            asked = item.text or "\n".join(
                one.content for one in item.messages if one.role == "user"
            )
            self._index(item.id, asked, is_answer=False)
            for answer in answers:
                self._index(item.id, answer, is_answer=True)

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

    def _index(self, item: str, text: str, *, is_answer: bool) -> None:
        words = tuple(folded_words(text))
        if words:
            self._whole.setdefault(words, set()).add((item, is_answer))
        for gram in _grams(words):
            self._grams.setdefault(gram, set()).add((item, is_answer))

    def _look(self, text: str, source: str, *, is_answer: bool) -> None:
        words = tuple(folded_words(text))
        for item, is_of_answer in self._whole.get(words, ()):
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


def _grams(words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    return (words[at : at + GRAM] for at in range(len(words) - GRAM + 1))
