"""How an arm words its answers, where nothing says what is right: of one answer, and over several
answers to one item.

Numbers that `engine.compare.metrics` has as well are its numbers, under its names. Texts are as the
model wrote them and are counted by what they say, without reasoning and calls; what is counted on
token ids, of the whole answer. Diversity needs two answers: of one there is none, never 0.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from statistics import fmean

from engine.answer_parts import AnswerParts, split_text
from engine.compare.checks import overlap
from engine.compare.metrics import REPEATED
from engine.compare.repetition import repeated_characters, repeated_ids
from engine.compare.samples import Finish
from engine.compare.text_metrics import (
    ASPECTS,
    distinct_over,
    language_of,
    script_of,
    self_bleus,
)
from engine.words import folded_words

COMPLETE = "complete"
"""The model ended the answer itself; an answer that was cut or cancelled did not."""
TRUNCATED = "truncated"
"""Cut at max new tokens: it has no end."""
TOKENS = "tokens"
"""With the end token; left out where nobody knows the ids."""
CODE = "code"
"""Has a fenced block, or a line that begins as code does."""

DIFFERENT = "different answers"
"""Different answers over all."""
SELF_BLEU = "self-BLEU"
"""Mean BLEU of each answer against the others: 1 where all say the same."""
PAIRWISE = "pairwise difference"
"""Mean over pairs of 1 - F1 of their words: 0 where all say the same."""

_CODE_LINE = re.compile(
    r"^[ \t]*(?:(?:async )?def \w+\(|class \w+[ \t]*[:({]|from [\w.]+ import |import [\w.]+;?$"
    r"|#include ?[<\"]|(?:export )?(?:async )?function \w+ ?\(|(?:const|let|var) \w+ ?="
    r"|(?:public|private|static) [\w ]+[({]|func \w+\(|fn \w+[(<]|package \w+;?$"
    r"|SELECT .+ FROM |<\?php|<!DOCTYPE |<html|#!/)",
    re.MULTILINE,
)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


def measure_wording(
    text: str, output_ids: Sequence[int], finish: Finish, parts: AnswerParts | None = None
) -> dict[str, float]:
    """The numbers of one answer, by name: how it ended, its length, structure and manner.

    `output_ids` with the end token where it ended itself, empty where they are not known; `parts`
    where the text alone does not tell them.
    """
    spoken = (parts or split_text(text)).spoken
    numbers = {
        COMPLETE: float(finish == "stop"),
        TRUNCATED: float(finish == "length"),
        REPEATED: repeated_ids(output_ids, finish) if output_ids else repeated_characters(text),
        CODE: float(has_code(spoken)),
        **{aspect.name: float(aspect.count(spoken)) for aspect in ASPECTS},
    }
    return numbers | ({TOKENS: float(len(output_ids))} if output_ids else {})


def measure_samples(
    texts: Sequence[str], output_ids: Sequence[Sequence[int]], finishes: Sequence[Finish]
) -> dict[str, float]:
    """The numbers of several answers to one item: the mean of each number of one answer, and how
    diverse they are. Raises ValueError for no answer and for lengths that differ.

    distinct-1 and distinct-2 are those of all answers together. Answers are the same where their
    words are, letter case and punctuation aside.
    """
    each = [measure_wording(*row) for row in zip(texts, output_ids, finishes, strict=True)]
    if not each:
        raise ValueError("no answers")
    if not all(output_ids):
        # Characters and ids are not comparable, nor is a mean of both.
        for numbers, text in zip(each, texts, strict=True):
            numbers[REPEATED] = repeated_characters(text)
            numbers.pop(TOKENS, None)
    means = {name: fmean(numbers[name] for numbers in each) for name in each[0]}
    return means | measure_diversity([split_text(text).spoken for text in texts])


def measure_diversity(texts: Sequence[str]) -> dict[str, float]:
    """How much several texts differ, by name; nothing of fewer than two."""
    if len(texts) < 2:
        return {}
    said = Counter(tuple(folded_words(text)) for text in texts)
    bleus = [one for one in self_bleus(texts) if one is not None]
    numbers = {
        DIFFERENT: len(said) / len(texts),
        PAIRWISE: fmean(_difference(one, other) for one, other in combinations(texts, 2)),
        "distinct-1": distinct_over(texts, 1),
        "distinct-2": distinct_over(texts, 2),
    }
    return numbers | ({SELF_BLEU: fmean(bleus)} if bleus else {})


def count_languages(texts: Iterable[str]) -> Mapping[str, int]:
    """How many texts are in which language, the commonest first: a guess by function words in
    Latin script, else the script; empty for a text that neither tells."""
    return _count(language_of, texts)


def count_scripts(texts: Iterable[str]) -> Mapping[str, int]:
    """How many texts are in which script, the commonest first; empty for a text without letters."""
    return _count(script_of, texts)


def has_code(text: str) -> bool:
    """Whether a text has a fenced block, or a line that begins as code in a usual language does."""
    return bool(_FENCE.search(text) or _CODE_LINE.search(text))


def _count(classify: Callable[[str], str], texts: Iterable[str]) -> Mapping[str, int]:
    found = Counter(classify(split_text(text).spoken) for text in texts)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _difference(one: str, other: str) -> float:
    """1 - F1 of the words, and of two texts without words 0: they say the same."""
    return 0.0 if folded_words(one) == folded_words(other) else 1 - overlap(one, other)
