"""The tokens that ROUGE counts: those of `rouge-score` on ASCII text, and in every script else.

`rouge-score`'s own tokenizer keeps runs of a-z and 0-9 alone: Persian, Chinese and Russian have no
token and score 0, and "café" becomes "caf". Here a token is a word of `engine.words`, letter case
aside, cut at each mark within it ("don't" is two, "3.5" is two), as ROUGE always did. Han and kana
are cut into characters; so are Thai, Lao, Khmer and Burmese, which have no spaces, each with the
marks that stand on it: no dictionary tells their words. No stemming.
"""

import re
import unicodedata

from engine.words import folded_words

_MARKS = re.compile("['\\-.,:٫٬]+")
"""Within a word, after `engine.words.fold`; a joiner of width zero belongs to its letters."""
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")


def rouge_tokens(text: str) -> list[str]:
    """The tokens of a text, in order; none where it has no letter and no digit."""
    parts = (part for word in folded_words(text) for part in _MARKS.split(word) if part)
    return [token for part in parts for token in _characters(part)]


def _characters(word: str) -> list[str]:
    """The characters of a word in a script without spaces, each with its marks; else the word."""
    if not _UNSPACED.search(word):
        return [word]
    found: list[str] = []
    for character in word:
        if found and unicodedata.category(character)[0] == "M":
            found[-1] += character
        else:
            found.append(character)
    return found
