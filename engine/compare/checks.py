"""What a prompt asks for that can be checked: so many words, a list, capital letters, a number.

Each check is a name and a value, as a file of prompts gives them. Refuses to judge what is said:
it counts and compares. Texts are compared by their words, case and marks aside.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.compare.answer_length import count_sentences
from engine.words import count_words, folded_words

_BULLET = re.compile(r"^\s*[-*+•–]\s+\S", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*\(?\d{1,3}[.)]\s+\S", re.MULTILINE)
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")
_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _defines(text: str, name: str) -> bool:
    """Whether it is Python that parses and defines a function of that name. Nothing is run."""
    fenced = _FENCE.search(text)
    try:
        tree = ast.parse((fenced.group(1) if fenced else text).strip() + "\n")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(tree))


def _last_number(text: str) -> float | None:
    numbers = _NUMBER.findall(text)
    return float(numbers[-1].replace(",", "")) if numbers else None


def says(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` stand in a row in the text."""
    words, sought = folded_words(text), folded_words(phrase)
    return any(words[at : at + len(sought)] == sought for at in range(len(words) - len(sought) + 1))


def begins(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` are the first of the text."""
    sought = folded_words(phrase)
    return folded_words(text)[: len(sought)] == sought


CHECKS: Mapping[str, tuple[type | tuple[type, ...], Callable[[str, Any], bool]]] = {
    "words": (int, lambda text, value: count_words(text) == value),
    "most_words": (int, lambda text, value: count_words(text) <= value),
    "least_words": (int, lambda text, value: count_words(text) >= value),
    "sentences": (int, lambda text, value: count_sentences(text) == value),
    "lines": (int, lambda text, value: len([x for x in text.splitlines() if x.strip()]) == value),
    "bullets": (int, lambda text, value: len(_BULLET.findall(text)) == value),
    "numbered": (int, lambda text, value: len(_NUMBERED.findall(text)) == value),
    "capitals": (bool, lambda text, value: text.isupper() == value),
    "small_letters": (bool, lambda text, value: text.islower() == value),
    "json": (bool, lambda text, value: _is_json(text) == value),
    "number": ((int, float), lambda text, value: _last_number(text) == value),
    "says": (str, says),
    "omits": (str, lambda text, value: not says(text, value)),
    "begins": (str, begins),
    "ends": (str, lambda text, value: text.rstrip().endswith(value)),
    "equals": (str, lambda text, value: folded_words(text) == folded_words(value)),
    "python": (str, _defines),
}
"""By name: the type of its value, and whether a text meets it. `number` is the last one in the
text, `python` a function of that name in code that parses."""


def problem(checks: object) -> str:
    """Why these cannot be checked; empty where they can."""
    if not isinstance(checks, Mapping):
        return "checks is not a JSON object"
    for name, value in checks.items():
        if name not in CHECKS:
            return f"unknown check {name!r}; checks: {', '.join(CHECKS)}"
        kind = CHECKS[name][0]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            return f"invalid value {value!r} for the check {name!r}"
    return ""


def met(text: str, checks: Mapping[str, Any]) -> float:
    """Share of the checks that the text meets. Raises ValueError where there are none."""
    if not checks:
        raise ValueError("no checks")
    return sum(CHECKS[name][1](text, value) for name, value in checks.items()) / len(checks)


def overlap(text: str, reference: str) -> float:
    """F1 of the words of the text and the reference (Rajpurkar et al. 2016, arXiv 1606.05250).

    The words are those of `engine.words`; unlike SQuAD's own script it leaves articles in.
    """
    return share(folded_words(text), folded_words(reference))


def share(left: Sequence[str], right: Sequence[str]) -> float:
    """2 · common / (left + right), words that come several times counted as often."""
    common = (Counter(left) & Counter(right)).total()
    return 2 * common / (len(left) + len(right)) if common else 0.0
