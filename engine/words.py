"""What a word of a text is: the one definition behind every count, check, score and difference.

A word is a run of letters and digits with their marks; an apostrophe, a hyphen or a joiner between
two letters belongs to it ("don't", "e-mail"), as does a point, comma or colon between two digits
("3.5", "1,000", "10:45"). Each character of Han and kana is a word, for there no spaces tell. This
is Unicode's default rule for word boundaries (UAX #29), with hyphens joined, as people count, and
kana one by one. Scripts that need a dictionary (Thai, Lao, Khmer) are not cut: there what stands
between two spaces or marks is one word. Punctuation, underscores and emoji are none.

Two words are the same where they are so in NFC with one kind of apostrophe and hyphen, and, where
texts are compared and not shown, without letter case. NFKC would make "x²" of "x2".
"""

import re
import unicodedata
from functools import lru_cache

_SINGLE = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_JOINERS = "'’\\-‐\u2011\u200c\u200d"
_IN_NUMBERS = ".,:٫٬"
_ONE_MARK = str.maketrans({"’": "'", "ʼ": "'", "‐": "-", "\u2011": "-"})


def words_of(text: str) -> list[str]:
    """The words of a text as they stand in it."""
    return _pattern(_marks(text)).findall(text)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where each word of a text begins and ends."""
    return [match.span() for match in _pattern(_marks(text)).finditer(text)]


def unify(text: str) -> str:
    """The text in NFC, with one kind of apostrophe and hyphen."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(_ONE_MARK)


def fold(text: str) -> str:
    """The text as it is compared: as `unify` makes it, and without letter case."""
    if text.isascii():
        return text.lower()
    return unify(unicodedata.normalize("NFC", text).casefold())


def folded_words(text: str) -> list[str]:
    """The words of a text as they are compared, see `fold`."""
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
    return tuple(map(fold, words_of(text)))


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
