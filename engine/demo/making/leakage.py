"""Whether held-out items occur in training text, by their words and by their combinations.

Looks at the finished text, so that it finds what the rule that holds combinations out has missed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.demo.making.corpus.document import Document

_WORD = re.compile(r"\w+|[-+=*%]")
_REACH = 3
"""Words of a phrase that it is looked up by."""

Words = tuple[str, ...]


class Phrases:
    """A set of phrases to look for in much text, letter case and punctuation aside."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._by_start: dict[Words, list[str]] = defaultdict(list)
        for phrase in set(phrases):
            if words := _split(phrase):
                self._by_start[words[:_REACH]].append(f" {' '.join(words)} ")
        self._starts: dict[int, set[Words]] = defaultdict(set)
        for start in self._by_start:
            self._starts[len(start)].add(start)

    def within(self, text: str) -> set[str]:
        """The phrases, as `plain` spells them, that the text holds as whole words in a row."""
        words = _split(text)
        found: set[str] = set()
        for size, known in self._starts.items():
            for start in known.intersection(zip(*(words[at:] for at in range(size)), strict=False)):
                joined = f" {' '.join(words)} "
                found.update(each.strip() for each in self._by_start[start] if each in joined)
        return found


def plain(phrase: str) -> str:
    """A phrase as it is compared: its words in lower case, and signs of arithmetic."""
    return " ".join(_split(phrase))


def phrases(row: Mapping[str, Any]) -> Iterator[str]:
    """What must not occur of a suite's item: its request or text, and its combination in words."""
    if row["score"] == "perplexity":
        yield row["text"]
        return
    yield row["messages"][-1]["content"]
    skill, *parts = str(row["key"]).split(":")
    if skill == "arithmetic":
        sign, low, high = parts
        yield f"{low} {sign} {high}"
        if sign != "-":
            yield f"{high} {sign} {low}"
    elif skill == "french" or (skill == "formats" and len(parts) == 1):
        yield parts[0]


def leaked(rows: Iterable[Mapping[str, Any]], documents: Iterable[Document]) -> set[str]:
    """The ids of the items that occur in the documents, by key, request or combination."""
    by_phrase: dict[str, set[str]] = defaultdict(set)
    by_key: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_key[row["key"]].add(row["id"])
        for phrase in phrases(row):
            by_phrase[plain(phrase)].add(row["id"])
    searched, found = Phrases(by_phrase), set[str]()
    for document in documents:
        for key in document.keys:
            found |= by_key.get(key, set())
        for text in (document.text, *(content for _, content in document.messages)):
            for phrase in searched.within(text):
                found |= by_phrase[phrase]
    return found


def _split(text: str) -> Words:
    return tuple(_WORD.findall(text.lower()))
