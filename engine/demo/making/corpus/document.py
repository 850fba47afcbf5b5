"""The values a corpus is made of, and the rule that holds combinations out of it."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

HELD_OUT_PERCENT = 12

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer."""

    skill: str
    prompt: str
    answer: str
    key: str
    """The filled-in combination, the same for every way to ask for it."""
    score: str = "exact"
    gold: object = None
    """What the scorer compares with; the answer itself where this is None."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the corpus: a conversation, or plain text."""

    skill: str
    messages: tuple[tuple[str, str], ...]
    """Role and content; empty for plain text."""
    text: str
    """Plain text; empty for a conversation."""
    learned_from: int
    """Plain text: the character from which on the loss counts."""
    keys: tuple[str, ...]


def held_out(key: str) -> bool:
    """Whether a combination is kept for tests. Decided by the key alone, so for all its forms."""
    return zlib.crc32(f"finetop:{key}".encode()) % 100 < HELD_OUT_PERCENT


def pick(rng: Random, values: Sequence[T]) -> T:
    """One of the values, each as likely; the same on every version of Python."""
    return values[int(rng.random() * len(values))]


def several(rng: Random, values: Sequence[T], count: int) -> list[T]:
    """`count` different values in random order."""
    left = list(values)
    return [left.pop(int(rng.random() * len(left))) for _ in range(count)]


def listed(text: str, separator: str | None = None) -> tuple[str, ...]:
    """The words of a text, or its parts between separators, without white space around them."""
    return tuple(part.strip() for part in text.split(separator))


def capital(text: str) -> str:
    """The text with its first letter as a capital, the rest untouched."""
    return text[:1].upper() + text[1:]


def articled(text: str) -> str:
    """The text with "a" turned into "an" before a vowel."""
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)


def article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
