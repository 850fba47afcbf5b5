"""Contamination: which items of a suite stand among the rows that an arm was trained on.

The item's own text is compared, without any template: question and answer apart, as
`engine.impact.suites.word_runs` finds them. Owns what was found of each item. Training rows are
read once, in any number, and none is kept.
Refuses to say 0 of rows that nobody knows: what a base was pre-trained on, and a foreign adapter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.chat import Message
from engine.compare.items import Item
from engine.impact.suites.word_runs import GRAM, WordRunIndex
from engine.words import folded_words

Match = Literal["", "exact", "13-gram"]
"""Not found; all of its own words, without others or with a template before or after them; a run
of 13 of its own words."""


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
        self._texts = WordRunIndex()
        self.add(items)

    def add(self, items: Sequence[Item]) -> None:
        """Look for the items of one more suite, whose ids are no other's."""
        texts: list[tuple[str, bool, str]] = []
        for item in items:
            question, answers = texts_of(item)
            longest = max((len(folded_words(one)) for one in answers), default=0)
            self._found[item.id] = ItemContamination(is_long_answer=longest >= GRAM)
            texts.append((item.id, False, question))
            texts += [(item.id, True, answer) for answer in answers]
        self._texts.add(texts)

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

    def _look(self, text: str, source: str, *, is_answer: bool) -> None:
        for match in self._texts.find(text, is_answer=is_answer):
            kind: Match = "exact" if match.is_whole else "13-gram"
            self._keep(match.name, kind, source, is_answer=match.is_answer)

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


def texts_of(item: Item) -> tuple[str, tuple[str, ...]]:
    """What an item asks, or has read, and its right answers."""
    asked = item.text or "\n".join(one.content for one in item.messages if one.role == "user")
    return asked, (*item.gold, item.reference) if item.reference else item.gold
