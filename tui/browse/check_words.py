"""The checks of a prompt in words: what an answer must be like, and how many it meets.

Pure text; what a check counts, and whether it is met, is `engine.compare.checks`.
"""

from collections.abc import Mapping
from typing import Any

from engine.answer_parts import AnswerParts
from engine.compare.call_checks import say_expected
from engine.compare.checks import parts_met
from engine.text import one_line

_COUNTS = {
    "words": ("exactly", "word"),
    "most_words": ("at most", "word"),
    "least_words": ("at least", "word"),
    "sentences": ("exactly", "sentence"),
    "lines": ("exactly", "line"),
    "bullets": ("exactly", "bullet"),
    "numbered": ("exactly", "numbered item"),
}
_YES_OR_NO = {"capitals": "all capitals", "small_letters": "all lower case", "json": "valid JSON"}
_TEXTS = {
    "says": "contains",
    "mentions": "mentions",
    "omits": "does not contain",
    "begins": "begins with",
    "ends": "ends with",
    "equals": "equals",
    "pattern": "matches",
}


def check_words(checks: Mapping[str, Any]) -> str:
    """All checks on one line, clean: exactly 1 word, last number is 5."""
    return ", ".join(one_line(_one(name, value)) for name, value in checks.items())


def met_words(parts: AnswerParts, checks: Mapping[str, Any]) -> str:
    """How many of the checks an answer meets: 0 of 1 checks met."""
    return f"{round(parts_met(parts, checks) * len(checks))} of {len(checks)} checks met"


def _one(name: str, value: Any) -> str:
    if name in _COUNTS:
        how, what = _COUNTS[name]
        return f"{how} {value} {what}{'s' * (value != 1)}"
    if name in _YES_OR_NO:
        return _YES_OR_NO[name] if value else f"not {_YES_OR_NO[name]}"
    if name in _TEXTS:
        return f"{_TEXTS[name]} “{value}”"
    if name == "number":
        return f"last number is {value}"
    return say_expected(name, value) or f"a Python function {value}"
