"""What a word of a text is: the one definition behind every count, check, score and difference.

A word is a run of letters and digits with their marks; an apostrophe, a hyphen or a joiner between
two letters belongs to it ("don't", "e-mail"), as does a point, comma or colon between two digits
("3.5", "1,000", "10:45"). Each character of Han and kana is a word, for there no spaces tell. This
is Unicode's default rule for word boundaries (UAX #29), with hyphens joined, as people count, and
kana one by one. Scripts that need a dictionary (Thai, Lao, Khmer) are not cut: there what stands
between two spaces or marks is one word. Punctuation, underscores and emoji are none.
"""

import re
import unicodedata
from functools import lru_cache

_SINGLE = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_JOINERS = "'’\\-‐\u2011\u200c\u200d"
_IN_NUMBERS = ".,:٫٬"


def words_of(text: str) -> list[str]:
    """The words of a text as they stand in it."""
    return _pattern(_marks(text)).findall(text)


def folded_words(text: str) -> list[str]:
    """The words of a text as they are compared: without letter case, marks composed (NFC)."""
    return list(_folded(text))


def count_words(text: str) -> int:
    """How many words a text has."""
    return len(words_of(text))


def pieces_of(text: str) -> list[str]:
    """The words, the runs of white space, and each character between them; joined, the text."""
    word = _pattern(_marks(text)).pattern
    return re.findall(rf"{word}|\s+|.", text, re.DOTALL)


@lru_cache(maxsize=64)
def _folded(text: str) -> tuple[str, ...]:
    """Many measures ask for the words of one text, one after the other."""
    words = words_of(text)
    if text.isascii():
        return tuple(word.lower() for word in words)
    return tuple(unicodedata.normalize("NFC", word.casefold()) for word in words)


def _marks(text: str) -> str:
    """The combining marks of a text: `re` has no class for them."""
    if text.isascii():
        return ""
    return "".join(sorted(each for each in set(text) if unicodedata.category(each)[0] == "M"))


@lru_cache(maxsize=64)
def _pattern(marks: str) -> re.Pattern[str]:
    """What a word is, in a text that has these marks."""
    letter = f"(?![{_SINGLE}])[^\\W_]"
    trailing = f"[{marks}]*" if marks else ""
    run = f"(?:{letter}{trailing})+"
    joined = f"(?:[{_JOINERS}]|(?<=\\d)[{_IN_NUMBERS}](?=\\d))"
    return re.compile(f"(?=[^\\W_])[{_SINGLE}]{trailing}|{run}(?:{joined}{run})*")
