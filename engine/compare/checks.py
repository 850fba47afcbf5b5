"""How an answer's text is checked and scored: so many words, a list, a number, a choice, code.

Each check is a name and a value, as a file of items gives them. Refuses to judge what is said: it
counts and compares. Texts are compared by their words (`engine.words`), case and punctuation aside,
but by `exact` and `ends`.
Nothing is executed: code is parsed and compared as a syntax tree. The scores:

- exact: the same text, apart from white space at the ends of lines and of the whole. Capitals and
  punctuation count.
- number: the last number in the answer (`engine.written_numbers`) is the right one, exactly.
- choices: a right choice is there, and no wrong one (whole words, letter case aside); where
  one is a part of another one ("York" in "New York"), the longer one is meant.
- code: the same Python syntax tree, whatever the spacing; a fence of backticks is taken off.
- pattern: a regular expression (RE2's) is found in the answer, as a whole where it is written
  between ^ and $. Capitals count, unless it begins with (?i).
- checks: all checks of the item are met.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from engine.answer_parts import AnswerParts, split_text
from engine.charts.regex import BadPattern, Pattern, compile_pattern
from engine.compare.answer_length import count_sentences
from engine.compare.call_checks import CALL_CHECKS, explain_invalid
from engine.compare.items import Item
from engine.words import count_words, fold, folded_words, word_spans
from engine.written_numbers import exact, final_number, read_number

_BULLET = re.compile(r"^[^\S\n]*[-*+•–]\s+\S", re.MULTILINE)
_NUMBERED = re.compile(r"^[^\S\n]*\(?\d{1,3}[.)]\s+\S", re.MULTILINE)
_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)


def code_of(text: str) -> str:
    """The code of an answer: its first fenced block, or all of it where it has none."""
    fenced = _FENCE.search(text)
    return fenced.group(1) if fenced else text


def code_blocks(text: str) -> list[str]:
    """All fenced blocks of an answer, or all of it where it has none."""
    return _FENCE.findall(text) or [text]


def parse_code(text: str) -> ast.Module | None:
    """Python code, in a fence or bare, parsed and never run; None where it does not parse."""
    return parse_python(code_of(text))


def parse_python(code: str) -> ast.Module | None:
    """The same of bare code."""
    try:
        return ast.parse(code.strip() + "\n")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def syntax(text: str) -> str | None:
    """The syntax tree of Python code as a comparable text, or None where it does not parse."""
    tree = parse_code(text)
    try:
        return ast.dump(tree) if tree is not None else None
    except (RecursionError, MemoryError):
        return None


def says(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` stand in a row in the text."""
    words, sought = folded_words(text), folded_words(phrase)
    return any(words[at : at + len(sought)] == sought for at in range(len(words) - len(sought) + 1))


def mentions(text: str, phrase: str) -> bool:
    """Whether each word of `phrase`, one at least, is somewhere in the text."""
    sought = set(folded_words(phrase))
    return bool(sought) and sought <= set(folded_words(text))


def begins(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` are the first of the text."""
    sought = folded_words(phrase)
    return folded_words(text)[: len(sought)] == sought


def matches(text: str, pattern: str, *, any_case: bool = False) -> bool:
    """Whether a regular expression is found in the text, white space at its ends aside.

    Raises BadPattern where it is none of RE2's.
    """
    return _compile(pattern, any_case).search(text.strip())


def explain_pattern(pattern: str) -> str:
    """Why a regular expression cannot be used; empty where it can."""
    try:
        _compile(pattern, False)
    except BadPattern as error:
        return f"invalid pattern {pattern[:80]!r}: {error}, at character {error.at + 1}"
    return ""


@lru_cache(maxsize=256)
def _compile(pattern: str, any_case: bool) -> Pattern:
    return compile_pattern(pattern, case_sensitive=not any_case)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _defines(text: str, name: str) -> bool:
    """Whether it is Python that parses and defines a function of that name."""
    tree = parse_code(text)
    nodes = ast.walk(tree) if tree is not None else ()
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in nodes)


def _ends_in_number(text: str, value: float) -> bool:
    number = final_number(text)
    return number is not None and number == exact(value)


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
    "number": ((int, float), _ends_in_number),
    "says": (str, says),
    "mentions": (str, mentions),
    "omits": (str, lambda text, value: not says(text, value)),
    "begins": (str, begins),
    "ends": (str, lambda text, value: text.rstrip().endswith(value)),
    "equals": (str, lambda text, value: folded_words(text) == folded_words(value)),
    "python": (str, _defines),
    "pattern": (str, matches),
}
"""By name: the type of its value, and whether a text meets it. `number` is the last one in the
text, `python` a function of that name in code that parses, `pattern` a regular expression. Those
of tool calls are `CALL_CHECKS` of `engine.compare.call_checks`."""
_TYPES = {name: kind for name, (kind, _) in (*CHECKS.items(), *CALL_CHECKS.items())}
"""Of the value of each check."""


def problem(checks: object) -> str:
    """Why these cannot be checked; empty where they can."""
    if not isinstance(checks, Mapping):
        return "checks is not a JSON object"
    for name, value in checks.items():
        if name not in _TYPES:
            return f"unknown check {name!r}; checks: {', '.join(_TYPES)}"
        kind = _TYPES[name]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            return f"invalid value {value!r} for the check {name!r}"
        if wrong := explain_invalid(name, value):
            return wrong
        if name == "pattern" and (wrong := explain_pattern(str(value))):
            return wrong
    return ""


def met(text: str, checks: Mapping[str, Any]) -> float:
    """Share of the checks that an answer with this text meets; see `parts_met`."""
    return parts_met(split_text(text), checks)


def parts_met(parts: AnswerParts, checks: Mapping[str, Any]) -> float:
    """Share of the checks that an answer meets: those of texts by what it says, those of calls by
    what it calls. Raises ValueError where there are none."""
    if not checks:
        raise ValueError("no checks")
    count = sum(
        CALL_CHECKS[name][1](parts, value)
        if name in CALL_CHECKS
        else CHECKS[name][1](parts.spoken, value)
        for name, value in checks.items()
    )
    return count / len(checks)


def score(item: Item, text: str) -> float:
    """Whether the answer is right, 1.0 or 0.0; of several right answers one will do.

    `text` is as the model wrote it; what it thinks and calls is no part of what it says.
    Raises ValueError for an item without a right answer (perplexity, open).
    """
    return score_parts(item, split_text(text))


def score_parts(item: Item, parts: AnswerParts) -> float:
    """`score` of an answer whose parts are known: its text alone may not tell them."""
    if item.score == "checks" and item.checks:
        return float(parts_met(parts, item.checks) == 1)
    if not has_right_answer(item):
        raise ValueError(f"item {item.id}: score {item.score!r} needs a reference answer")
    return float(_SCORES[item.score](parts.spoken, item))


def has_right_answer(item: Item) -> bool:
    """Whether `score` can say of an answer to the item that it is right or wrong."""
    if item.score == "checks":
        return bool(item.checks)
    return item.score in _SCORES and bool(item.gold)


def _is_exact(text: str, item: Item) -> bool:
    return any(_trim(text) == _trim(gold) for gold in item.gold)


def _trim(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _has_number(text: str, item: Item) -> bool:
    number = final_number(text)
    return number is not None and any(number == read_number(gold) for gold in item.gold)


def _chooses(text: str, item: Item) -> bool:
    found = find_choices(text, (*item.gold, *item.choices))
    return bool(found) and found <= set(map(fold, item.gold))


def named_choice(item: Item, text: str) -> str:
    """The one choice of an item that an answer names; empty where it names none, or several."""
    found = find_choices(split_text(text).spoken, item.choices)
    if len(found) != 1:
        return ""
    (only,) = found
    return next(choice for choice in item.choices if fold(choice) == only)


def find_choices(text: str, choices: Sequence[str]) -> set[str]:
    """Those of the choices that a text names, folded: the longest first, each in its own place."""
    plain = fold(text)
    within = {at for start, end in word_spans(plain) for at in range(start + 1, end)}
    taken: set[int] = set()
    found = set()
    for choice in sorted(set(map(fold, choices)), key=len, reverse=True):
        for match in re.finditer(r"\s+".join(map(re.escape, choice.split())), plain):
            start, end = match.span()
            if start < end and not within & {start, end} and taken.isdisjoint(range(start, end)):
                taken.update(range(start, end))
                found.add(choice)
    return found


def _is_same_code(text: str, item: Item) -> bool:
    tree = syntax(text)
    return tree is not None and any(tree == syntax(gold) for gold in item.gold)


_SCORES: Mapping[str, Callable[[str, Item], bool]] = {
    "exact": _is_exact,
    "number": _has_number,
    "choices": _chooses,
    "code": _is_same_code,
    "pattern": lambda text, item: any(matches(text, gold) for gold in item.gold),
}


def overlap(text: str, reference: str) -> float:
    """F1 of the words of the text and the reference (Rajpurkar et al. 2016, arXiv 1606.05250).

    The words are those of `engine.words`; unlike SQuAD's own script it leaves articles in.
    """
    return share(folded_words(text), folded_words(reference))


def share(left: Sequence[str], right: Sequence[str]) -> float:
    """2 · common / (left + right), words that come several times counted as often."""
    common = (Counter(left) & Counter(right)).total()
    return 2 * common / (len(left) + len(right)) if common else 0.0
