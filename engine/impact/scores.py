"""How an answer is scored: pure functions of the item and the answer's text.

Nothing is executed: code is parsed and compared as a syntax tree. A score is 1.0 or 0.0.

- exact: the same text, apart from white space at the ends of lines and of the whole. Capitals and
  punctuation count.
- number: the last number in the answer is the right one.
- choices: the right words are there, and none of the wrong ones (letter case aside, whole words).
- words: exactly that many words (`engine.words`), and the topic is among them.
- code: the same Python syntax tree, whatever the spacing; a fence of backticks is taken off.
"""

import ast
import re
from collections.abc import Mapping

from engine.words import folded_words

from .suites import Item

_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")
_FENCE = re.compile(r"```[a-zA-Z]*\n(.*?)(?:```|\Z)", re.DOTALL)


def score(item: Item, text: str) -> float:
    """How right the answer is, 0.0 to 1.0.

    Raises ValueError for an item without one right answer (perplexity, open).
    """
    answer = item.answer
    if item.score == "exact" and isinstance(answer, str):
        return float(_trimmed(text) == _trimmed(answer))
    if item.score == "number" and isinstance(answer, int | float):
        return float(final_number(text) == float(answer))
    if item.score == "choices" and isinstance(answer, Mapping):
        return float(_chooses(text, str(answer["right"]), answer["wrong"]))
    if item.score == "words" and isinstance(answer, Mapping):
        return float(_counts(text, int(answer["count"]), str(answer["topic"])))
    if item.score == "code" and isinstance(answer, str):
        tree = syntax(text)
        return float(tree is not None and tree == syntax(answer))
    raise ValueError(f"item {item.id}: score {item.score!r} needs a reference answer")


def final_number(text: str) -> float | None:
    """The last number written in digits, or None."""
    numbers = _NUMBER.findall(text)
    return float(numbers[-1].replace(",", "")) if numbers else None


def syntax(text: str) -> str | None:
    """The syntax tree of Python code as a comparable text, or None where it does not parse."""
    fenced = _FENCE.search(text)
    code = fenced.group(1) if fenced else text
    try:
        return ast.dump(ast.parse(code.strip() + "\n"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _chooses(text: str, right: str, wrong: list[str]) -> bool:
    # A wrong choice inside the right one ("York" in "New York") is no sign of the wrong one.
    left = _phrase(right).sub(" ", text)
    return left != text and not any(_phrase(choice).search(left) for choice in wrong)


def _phrase(choice: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(choice)}(?!\w)", re.IGNORECASE)


def _counts(text: str, count: int, topic: str) -> bool:
    words, sought = folded_words(text), folded_words(topic)
    return len(words) == count and bool(sought) and set(sought) <= set(words)
