"""All scores of one answer to one item that need no library: strict, flexible, and those of code.

Strict is `engine.compare.checks.score`. Flexible asks whether a right answer is found anywhere in
what the answer says, and is never less than strict; what that means depends on the item's score:

- exact: the words of a gold stand in it in a row, letter case and punctuation aside; a gold that
  is a number, as any of its numbers; one with symbols ("C++", "👍") with these.
- number: any of its numbers is right, and not only the last.
- choices: a right choice is named, be wrong ones named as well.
- code: one of its blocks of code parses and defines each function and class of a gold; where the
  gold defines none, has the gold's statements in a row.
- pattern: it is found where letter case does not count.
- checks: all are met by it, or by it without asterisks, its first line, its last line, or several
  of these: IFEval's loose accuracy (Zhou et al. 2023, arXiv 2311.07911).

What an answer thinks and what it calls is no part of what it says. ROUGE, chrF and BLEU need
libraries and are scored in the worker, against `references_of` an item.
"""

import ast
import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from engine.answer_parts import AnswerParts, split_text
from engine.compare.call_checks import read_reference
from engine.compare.checks import (
    code_blocks,
    code_of,
    find_choices,
    has_right_answer,
    matches,
    parse_code,
    parse_python,
    parts_met,
    says,
    score_parts,
)
from engine.compare.items import Item
from engine.impact.results.evaluation_results import FLEXIBLE, STRICT
from engine.impact.scores.code_bleu import PARTS, code_bleu
from engine.words import fold, folded_words, word_spans
from engine.written_numbers import numbers_in, read_number

PARSES = "parses"
"""Whether the code of an answer is Python; an answer without a statement is none."""
DEFINES = "defines"
"""Whether it defines each function and class that a gold defines."""

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_COUNTED = frozenset("#%&@")
"""Marks that are a part of a name, as in "C#", beside Unicode's symbols."""


def score_answers(item: Item, text: str, parts: AnswerParts | None = None) -> dict[str, float]:
    """The scores of an answer that apply to its item, by name, each 0 to 1.

    `text` is as the model wrote it; `parts` what it thinks, calls and says, where the text alone
    does not tell (`Sample.parts`).
    """
    if parts is None:
        parts = split_text(text)
    scores: dict[str, float] = {}
    if has_right_answer(item):
        strict = score_parts(item, parts)
        scores = {STRICT: strict, FLEXIBLE: max(strict, _score_flexibly(item, parts))}
    if item.score == "code":
        scores |= score_code(item.gold, parts.spoken)
    return scores


def score_code(golds: Sequence[str], text: str) -> dict[str, float]:
    """`parses`, `defines` where a gold defines something, and the parts of CodeBLEU.

    Of several golds the parts are those of the one gold that the answer is most like.
    """
    tree = parse_code(text)
    definitions = [names for gold in golds if (names := _defined(parse_code(gold)))]
    scores = {PARSES: float(tree is not None and bool(tree.body))}
    if definitions:
        scores[DEFINES] = float(any(names <= _all_defined(tree) for names in definitions))
    likenesses = [code_bleu(code_of(text), code_of(gold)) for gold in golds]
    return scores | max(likenesses, key=_mean_part, default={})


def references_of(item: Item) -> tuple[str, ...]:
    """The texts that an answer to the item may be like, word for word; none where a right answer
    is a number, a choice, a call or code, which have scores of their own."""
    texts = item.gold if item.score == "exact" else ()
    is_text = item.reference not in item.gold and not read_reference(item.reference)
    if is_text and item.score not in ("perplexity", "code"):
        texts = (*texts, item.reference)
    return tuple(dict.fromkeys(text for text in texts if text.strip()))


def _score_flexibly(item: Item, parts: AnswerParts) -> float:
    if item.score == "checks":
        return float(any(parts_met(each, item.checks) == 1 for each in _loosened(parts)))
    return float(_FLEXIBLE[item.score](parts.spoken, item))


def _says_gold(text: str, item: Item) -> bool:
    return any(_says_text(text, gold) for gold in item.gold)


def _says_text(text: str, gold: str) -> bool:
    number = read_number(gold)
    if number is not None:
        return number in numbers_in(text)
    if not folded_words(gold) or any(map(_is_symbol, gold)):
        return _has_phrase(text, gold)
    return says(text, gold)


def _is_symbol(character: str) -> bool:
    return character in _COUNTED or unicodedata.category(character)[0] == "S"


def _has_phrase(text: str, phrase: str) -> bool:
    """Whether a phrase with its marks stands in a text, not within a word, white space aside."""
    plain = fold(text)
    within = {at for start, end in word_spans(plain) for at in range(start + 1, end)}
    pattern = r"\s+".join(map(re.escape, fold(phrase).split()))
    return any(not within & set(match.span()) for match in re.finditer(pattern, plain))


def _has_number(text: str, item: Item) -> bool:
    return not {*map(read_number, item.gold)}.isdisjoint(numbers_in(text))


def _names_choice(text: str, item: Item) -> bool:
    found = find_choices(text, (*item.gold, *item.choices))
    return not found.isdisjoint(map(fold, item.gold))


def _has_code(text: str, item: Item) -> bool:
    # Code in a list is indented as a whole.
    found = (parse_python(textwrap.dedent(block)) for block in (*code_blocks(text), text))
    trees = [tree for tree in found if tree is not None]
    golds = [tree for gold in item.gold if (tree := parse_code(gold)) is not None]
    return any(_holds(tree, gold) for tree in trees for gold in golds)


def _holds(tree: ast.Module, gold: ast.Module) -> bool:
    if names := _defined(gold):
        return names <= _all_defined(tree)
    try:
        sought, found = ([ast.dump(one) for one in each.body] for each in (gold, tree))
    except RecursionError:
        return False
    starts = range(len(found) - len(sought) + 1)
    return bool(sought) and any(found[at : at + len(sought)] == sought for at in starts)


def _matches(text: str, item: Item) -> bool:
    return any(matches(text, gold, any_case=True) for gold in item.gold)


_FLEXIBLE: Mapping[str, Callable[[str, Item], bool]] = {
    "exact": _says_gold,
    "number": _has_number,
    "choices": _names_choice,
    "code": _has_code,
    "pattern": _matches,
}


def _loosened(parts: AnswerParts) -> Iterator[AnswerParts]:
    """The eight forms of an answer that IFEval accepts, those of them that say something."""
    for first, last, asterisks in product((False, True), repeat=3):
        lines = parts.spoken.strip().splitlines()
        kept = lines[first : len(lines) - last]
        text = "\n".join(kept).strip() if first or last else parts.spoken
        text = text.replace("*", "") if asterisks else text
        if text.strip():
            yield replace(parts, spoken=text)


def _defined(tree: ast.Module | None) -> set[str]:
    """The functions and classes of a code itself, and not those within them."""
    return {one.name for one in (tree.body if tree else ()) if isinstance(one, _Definition)}


def _all_defined(tree: ast.Module | None) -> set[str]:
    nodes = ast.walk(tree) if tree is not None else ()
    return {one.name for one in nodes if isinstance(one, _Definition)}


def _mean_part(scores: Mapping[str, float]) -> float:
    values = [scores[name] for name in PARTS if name in scores]
    return sum(values) / len(values) if values else 0.0
