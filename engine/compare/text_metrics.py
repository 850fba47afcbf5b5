"""What a text is like, as named numbers: its structure, its habits, how diverse its words are.

Counts in any script where that can be. Refuses to judge: each aspect says what it counts, and the
examples that stand behind a difference are for the reader to open.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import exp, log

from engine.compare.answer_length import count_sentences
from engine.compare.refusals import AS_MODEL, REACH, UNABLE
from engine.words import count_words, folded_words

_ITEM = re.compile(r"^[^\S\n]*(?:[-*+•–]|\(?\d{1,3}[.)]|[a-z]\))\s+\S", re.MULTILINE)
_HEADING = re.compile(r"^(?:#{1,6}\s+\S|\*\*[^*\n]{1,80}\*\*:?\s*$)", re.MULTILINE)
_FENCE = re.compile(r"^[^\S\n]*(?:```|~~~)", re.MULTILINE)
_STEP = re.compile(
    r"\bstep\s+(?:\d+|one|two|three|four|five)\b|^[^\S\n]*\d{1,2}[.)]\s"
    r"|^[^\S\n]*(?:first|firstly|second|secondly|third|thirdly|next|then|finally|therefore|so)\b[,:]",
    re.IGNORECASE | re.MULTILINE,
)
_REFUSAL = re.compile(rf"\bI(?:'|’)?(?:m| am) sorry\b|{UNABLE}|{AS_MODEL}", re.IGNORECASE)

_SCRIPTS = (
    "LATIN", "ARABIC", "CYRILLIC", "GREEK", "HEBREW", "DEVANAGARI", "BENGALI", "THAI", "HANGUL",
    "HIRAGANA", "KATAKANA", "CJK", "ARMENIAN", "GEORGIAN", "TAMIL", "TELUGU", "ETHIOPIC",
)  # fmt: skip
_COMMON = {
    "English": "the of and to in is that it for you was with on are this have be as",
    "French": "le la les de des et un une est que qui dans pour pas vous je il elle sur",
    "German": "der die das und ist nicht ein eine zu mit den von sich auf ich sie es für",
    "Spanish": "el los las de y que en un una es por con para no se lo su como más",
    "Italian": "il lo gli di e che un una è per con non si sono del della come più",
    "Portuguese": "o os as de e que em um uma é por com para não se da do como mais",
    "Dutch": "de het een en van is dat niet op te in met voor zijn ik je ook maar",
}
"""The commonest little words of a language, by which it is told where its script tells little."""
_LITTLE = {language: frozenset(words.split()) for language, words in _COMMON.items()}


@dataclass(frozen=True, slots=True)
class Aspect:
    """One number of a text."""

    name: str
    group: str
    """`length`, `structure`, `step by step`, `diversity` or `manner`."""
    about: str
    count: Callable[[str], float]


def distinct(text: str, size: int) -> float:
    """distinct-n: different n-grams over all (Li et al. 2016, arXiv 1510.03055); 1 if too short."""
    return distinct_over([text], size)


def distinct_over(texts: Sequence[str], size: int) -> float:
    """distinct-n of several texts together: an n-gram of two of them counts as different once."""
    grams = [gram for text in texts for gram in _grams(folded_words(text), size)]
    return len(set(grams)) / len(grams) if grams else 1.0


def script_of(text: str) -> str:
    """The script of most letters, in lower case; empty where there are no letters."""
    if text.isascii():
        return "latin" if any(map(str.isalpha, text)) else ""
    counts: Counter[str] = Counter()
    for letter in filter(str.isalpha, text):
        name = unicodedata.name(letter, "")
        counts[next((one for one in _SCRIPTS if name.startswith(one)), "OTHER")] += 1
    return counts.most_common(1)[0][0].lower() if counts else ""


@lru_cache(maxsize=256)
def language_of(text: str) -> str:
    """A guess by little words for Latin script, else the script; empty where neither tells."""
    script = script_of(text)
    if script != "latin":
        return script
    counts = Counter(folded_words(text))
    shares = {
        language: sum(counts[word] for word in little) for language, little in _LITTLE.items()
    }
    ranked = sorted(shares.items(), key=lambda one: -one[1])
    (first, most), (_, second) = ranked[0], ranked[1]
    return first if most >= 2 and most > second else ""


def opener(text: str, words: int = 3) -> str:
    """The first words, as the phrase that answers begin with."""
    return " ".join(folded_words(text)[:words])


def self_bleus(texts: Sequence[str], size: int = 4) -> list[float | None]:
    """BLEU of each text against all others (Zhu et al. 2018, arXiv 1802.01886), each 0 to 1.

    None where it, or all others, have no words.

    Clipped n-gram precisions of 1 to `size`, add-one smoothed above 1 (Lin and Och 2004), with the
    brevity penalty against the closest length.
    """
    tokens = [folded_words(text) for text in texts]
    with_words = [at for at, words in enumerate(tokens) if words]
    scores: list[float | None] = [None] * len(texts)
    if len(with_words) < 2:
        return scores
    counts = [[Counter(_grams(tokens[at], n)) for n in range(1, size + 1)] for at in with_words]
    best = [_two_best([one[n] for one in counts]) for n in range(size)]
    lengths = Counter(len(tokens[at]) for at in with_words)
    for place, at in enumerate(with_words):
        scores[at] = _bleu(place, counts[place], best, lengths, len(tokens[at]))
    return scores


_Best = dict[tuple[str, ...], tuple[int, int, int]]


def _two_best(counts: Sequence[Counter[tuple[str, ...]]]) -> _Best:
    """Of each n-gram its highest count, the text that has it, and the highest of the others."""
    best: _Best = {}
    for at, one in enumerate(counts):
        for gram, count in one.items():
            most, owner, other = best.get(gram, (0, -1, 0))
            if count > most:
                best[gram] = (count, at, most)
            else:
                best[gram] = (most, owner, max(other, count))
    return best


def _bleu(
    at: int,
    counts: Sequence[Counter[tuple[str, ...]]],
    best: Sequence[_Best],
    lengths: Counter[int],
    length: int,
) -> float:
    total = 0.0
    for n, own in enumerate(counts):
        matched = 0
        for gram, count in own.items():
            most, owner, other = best[n][gram]
            matched += min(count, other if owner == at else most)
        smooth = 1 if n else 0
        precision = (matched + smooth) / max(own.total() + smooth, 1)
        if not precision:
            return 0.0
        total += log(precision) / len(counts)
    others = (one for one, count in lengths.items() if one != length or count > 1)
    closest = min(others, key=lambda one: (abs(one - length), one))
    return exp(total) * (1.0 if length > closest else exp(1 - closest / length))


def _grams(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def _code_blocks(text: str) -> int:
    """Fenced blocks; one that is not closed counts as well."""
    return -(-len(_FENCE.findall(text)) // 2)


def _prose(text: str) -> str:
    """The text without its fenced code: a comment in code is no heading."""
    parts = re.split(r"^[^\S\n]*(?:```|~~~).*$", text, flags=re.MULTILINE)
    return "\n".join(parts[::2])


def _doubled(text: str) -> int:
    words = folded_words(text)
    return sum(one == other for one, other in pairwise(words))


ASPECTS = (
    Aspect("words", "length", "words", count_words),
    Aspect("sentences", "length", "sentences", count_sentences),
    Aspect("list items", "structure", "bullets and numbers at line starts",
           lambda text: len(_ITEM.findall(_prose(text)))),
    Aspect("headings", "structure", "lines that start with # or are all bold",
           lambda text: len(_HEADING.findall(_prose(text)))),
    Aspect("code blocks", "structure", "fenced code blocks", _code_blocks),
    Aspect("step markers", "step by step", "step 1, first, then, finally, therefore, 1.",
           lambda text: len(_STEP.findall(_prose(text)))),
    Aspect("refusals", "manner", "starts with an apology or refusal",
           lambda text: float(bool(_REFUSAL.search(text[:REACH])))),
    Aspect("questions", "manner", "question marks in any script",
           lambda text: sum(text.count(mark) for mark in "?\uff1f\u061f\u037e")),
    Aspect("doubled words", "diversity", "a word repeated immediately", _doubled),
    Aspect("distinct-1", "diversity", "distinct words / all words", lambda text: distinct(text, 1)),
    Aspect("distinct-2", "diversity", "distinct word pairs / all word pairs",
           lambda text: distinct(text, 2)),
)  # fmt: skip
"""Every aspect of a single text, in the order in which tables show them."""
