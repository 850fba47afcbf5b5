"""What an answer looks like, in numbers: words, sentences, lines, how it ended.

Counts in any script: letters with their marks are words, each CJK character is one, and "." ends a
sentence as "。" and "؟" do.
"""

import re
import unicodedata
from dataclasses import dataclass

from engine.compare.samples import Finish, Sample

# Scripts without spaces between words: kana, Han with its extensions.
_SINGLE = re.compile(
    "[\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_IN_NUMBERS = re.compile(r"(?<=\d)[.,:٫٬](?=\d)")
_ASCII_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9'\-]*")
_JOINERS = frozenset("'’-\u200c\u200d\u2011")
_SENTENCE_END = re.compile(
    "[.!?\u0589\u061f\u06d4\u0964…]+[\"'”’»)\\]]*(?=\\s|$)|[。！？｡]+[」』”）]*"
)
_FINISHES: dict[Finish, str] = {
    "stop": "ended by itself",
    "length": "cut at the limit",
    "cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    words: int
    sentences: int
    lines: int
    """That are not blank."""
    tokens: int | None
    """None where they are not known: an endpoint tells no ids."""
    seconds: float
    finish: Finish

    @property
    def ended(self) -> str:
        """The finish reason in words."""
        return _FINISHES[self.finish]


def measure(sample: Sample) -> Behaviour:
    """The numbers under an answer."""
    return Behaviour(
        words=count_words(sample.text),
        sentences=count_sentences(sample.text),
        lines=sum(1 for line in sample.text.splitlines() if line.strip()),
        tokens=len(sample.output_ids) or None,
        seconds=sample.timings.total,
        finish=sample.finish,
    )


def count_words(text: str) -> int:
    """Words: runs of letters, digits and marks, joined by apostrophes, hyphens and joiners."""
    text = _IN_NUMBERS.sub("", text)
    if text.isascii():
        return len(_ASCII_WORD.findall(text))  # the same, at a tenth of the time
    count, inside = 0, False
    for character in text:
        if _SINGLE.match(character):
            count, inside = count + 1, False
        elif unicodedata.category(character)[0] in "LN":
            count, inside = count + (not inside), True
        elif unicodedata.category(character)[0] != "M" and character not in _JOINERS:
            inside = False
    return count


def count_sentences(text: str) -> int:
    """Sentences: what ends in a sentence's mark or in the end of a line, and holds a word."""
    return sum(
        1
        for line in text.splitlines()
        for part in _SENTENCE_END.split(line)
        if count_words(part) > 0
    )
