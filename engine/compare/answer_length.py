"""What an answer looks like, in numbers: words, sentences, lines, calls, how it ended.

Counts in any script: words are those of `engine.words`, and "." ends a sentence as "。" and "؟" do.
"""

import re
from dataclasses import dataclass

from engine.compare.samples import Finish, Sample
from engine.words import count_words

_SENTENCE_END = re.compile(
    "(?<![.!?\u0589\u061f\u06d4\u0964…])[.!?\u0589\u061f\u06d4\u0964…]+[\"'”’»)\\]]*(?=\\s|$)|[。！？｡]+[」』”）]*"
)
_FINISHES: dict[Finish, str] = {
    "stop": "complete",
    "length": "truncated",
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
    calls: int = 0
    """Tool calls, malformed and lost ones too."""
    reasoning_words: int = 0
    """Words that the answer thinks; `words` are those that it says."""

    @property
    def ended(self) -> str:
        """The finish reason in words."""
        return _FINISHES[self.finish]


def measure(sample: Sample) -> Behaviour:
    """The numbers under an answer: its words, sentences and lines are those of what it says."""
    parts = sample.parts
    return Behaviour(
        words=count_words(parts.spoken),
        sentences=count_sentences(parts.spoken),
        lines=sum(1 for line in parts.spoken.splitlines() if line.strip()),
        tokens=len(sample.output_ids) or None,
        seconds=sample.timings.total,
        finish=sample.finish,
        calls=len(parts.tool_calls) + len(parts.malformed) + len(parts.lost),
        reasoning_words=count_words(parts.reasoning),
    )


def count_sentences(text: str) -> int:
    """Sentences: what ends in a sentence's mark or in the end of a line, and holds a word."""
    return sum(
        1
        for line in text.splitlines()
        for part in _SENTENCE_END.split(line)
        if count_words(part) > 0
    )
