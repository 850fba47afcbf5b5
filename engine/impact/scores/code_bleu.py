"""CodeBLEU of Python code, its four parts apart (Ren et al. 2020, arXiv 2009.10297).

- `code_ngram`: BLEU of the code's tokens, 1 to 4 of them, with the brevity penalty.
- `code_weighted_ngram`: the same by recall, a keyword counting five times as much as another token,
  and without the penalty, for recall is less of a short answer by itself.
- `code_syntax`: the share of the reference's subtrees that the candidate has, names and values
  aside, each as often as it stands there. Trees are those of the standard library's `ast`.
- `code_dataflow`: the same share of the items of data flow (`engine.impact.scores.data_flow`).

The first two equal the package `codebleu` 0.7 with these tokens, but that a reference of fewer than
four tokens has only the n-grams that it has, and a text is 1 against itself, however short. The
other two follow the paper by another parser, and differ in three things from the package: what
does not parse is 0 and no tree of errors; matches are clipped; and a reference without data flow
has no such part, where the package counts 0/0 as 1 and gives an empty answer a quarter of the
points. Python is the only language; comments and docstrings are no part of trees.
"""

import ast
import keyword
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp, fsum, log
from typing import TypeVar

from engine.compare.checks import parse_python
from engine.impact.scores.data_flow import data_flow

PARTS = ("code_ngram", "code_weighted_ngram", "code_syntax", "code_dataflow")
TOTAL = "codebleu"

_ORDER = 4
_EPSILON = 0.1
"""In place of no match of an order (Chen and Cherry 2014, smoothing 1)."""
_OTHER_WEIGHT = 0.2
"""Of a token that is no keyword, which has 1."""
_KEYWORDS = frozenset((*keyword.kwlist, "match", "case", "type"))
_Key = TypeVar("_Key")
_TOKEN = re.compile(r"[^\W\d]\w*|\d[\w.]*|\*\*=?|//=?|<<=?|>>=?|[-+*/%@&|^<>=!:]=|->|\.{3}|\S")


def code_bleu(code: str, reference: str) -> dict[str, float]:
    """The parts of a code against a reference that are defined, each 0 to 1, and their mean as
    `codebleu` where all four are.

    Both are bare code, without a fence. A reference that does not parse has n-grams alone.
    """
    tokens, reference_tokens = code_tokens(code), code_tokens(reference)
    if not reference_tokens:
        return {}
    scores = {
        "code_ngram": _ngrams_matched(tokens, reference_tokens),
        "code_weighted_ngram": _weighted_recall(tokens, reference_tokens),
    }
    gold = parse_python(reference)
    if gold is not None:
        tree = parse_python(code)
        shapes: dict[object, int] = {}
        _add_share(scores, "code_syntax", _count_subtrees(tree, shapes),
                   _count_subtrees(gold, shapes))  # fmt: skip
        try:
            flow = data_flow(tree) if tree is not None else Counter()
            _add_share(scores, "code_dataflow", flow, data_flow(gold))
        except RecursionError:
            pass  # nested too deeply to be followed: that part is not defined
    if all(part in scores for part in PARTS):
        scores[TOTAL] = fsum(scores[part] for part in PARTS) / len(PARTS)
    return scores


def code_tokens(code: str) -> list[str]:
    """Names, numbers, operators and single marks; white space is none."""
    return _TOKEN.findall(code)


def _ngrams_matched(tokens: Sequence[str], reference: Sequence[str]) -> float:
    counts = []
    for size in range(1, min(_ORDER, len(reference)) + 1):
        own, theirs = _grams(tokens, size), _grams(reference, size)
        counts.append(((own & theirs).total(), max(own.total(), 1)))
    # Papineni et al. 2002: the penalty of an answer that is shorter than its reference.
    penalty = min(0.0, 1 - len(reference) / len(tokens)) if tokens else 0.0
    return exp(penalty) * _mean_of_orders(counts)


def _weighted_recall(tokens: Sequence[str], reference: Sequence[str]) -> float:
    counts: list[tuple[float, float]] = []
    for size in range(1, min(_ORDER, len(reference)) + 1):
        theirs = _grams(reference, size)
        matched = _grams(tokens, size) & theirs
        counts.append(
            (_weigh(matched), _weigh(theirs)) if size == 1 else (matched.total(), theirs.total())
        )
    return _mean_of_orders(counts)


def _mean_of_orders(counts: Sequence[tuple[float, float]]) -> float:
    """The geometric mean of matched over all, by size; 0 where no token matches."""
    if not counts[0][0]:
        return 0.0
    logs = (log((matched or _EPSILON) / whole) for matched, whole in counts)
    return exp(fsum(logs) / len(counts))


def _grams(tokens: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1))


def _weigh(counts: Mapping[tuple[str, ...], int]) -> float:
    return fsum(
        count * (1.0 if gram[0] in _KEYWORDS else _OTHER_WEIGHT) for gram, count in counts.items()
    )


def _add_share(
    scores: dict[str, float], name: str, own: Counter[_Key], reference: Counter[_Key]
) -> None:
    """Not where the reference has none of what is counted: then there is no such score."""
    if reference:
        scores[name] = (own & reference).total() / reference.total()


def _count_subtrees(tree: ast.Module | None, shapes: dict[object, int]) -> Counter[int]:
    """How often each subtree of more than one node stands in a tree, as numbers of `shapes`, in
    which equal subtrees have one; from the leaves up, for trees may be deeper than Python's stack.
    """
    counts: Counter[int] = Counter()
    if tree is None:
        return counts
    numbers: dict[int, int] = {}
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, is_ready = waiting.pop()
        children = _children(node)
        if not is_ready:
            waiting.append((node, True))
            waiting += [(child, False) for _, child in children]
            continue
        kind = type(node.value).__name__ if isinstance(node, ast.Constant) else ""
        parts = tuple((name, numbers[id(child)]) for name, child in children)
        shape = shapes.setdefault((type(node), kind, parts), len(shapes))
        numbers[id(node)] = shape
        if children:
            counts[shape] += 1
    return counts


def _children(node: ast.AST) -> list[tuple[str, ast.AST]]:
    """The nodes in a node with their fields: without docstrings, and without what only says
    whether a name is read or set."""
    found: list[tuple[str, ast.AST]] = []
    for name, value in ast.iter_fields(node):
        values = value if isinstance(value, list) else [value]
        if name == "body" and isinstance(node, _DOCUMENTED) and _is_docstring(values[:1]):
            values = values[1:]
        found += [
            (name, one)
            for one in values
            if isinstance(one, ast.AST) and not isinstance(one, ast.expr_context)
        ]
    return found


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _is_docstring(statements: Sequence[object]) -> bool:
    return any(
        isinstance(one, ast.Expr)
        and isinstance(one.value, ast.Constant)
        and isinstance(one.value.value, str)
        for one in statements
    )
