"""CodeBLEU's parts: n-grams as the package counts them, trees and data flow by hand."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.impact.scores.code_bleu import PARTS, TOTAL, code_bleu, code_tokens

GOLD = """def total(values):
    result = 0
    for value in values:
        result += value
    return result
"""
RENAMED = GOLD.replace("values", "xs").replace("value", "x").replace("result", "s")
SUM = "def total(values):\n    return sum(values)\n"
LONGER = """import os

def total(values, start=0):
    # adds them
    result = start
    for value in values:
        if value is not None:
            result += value
    return result
"""
OTHER = "class A:\n    def b(self):\n        while True:\n            pass\n"
BROKEN = "def total(values)\n    return sum(values)"


@pytest.mark.parametrize(
    ("code", "reference", "ngram", "weighted"),
    [
        (GOLD, GOLD, 1.0, 1.0),
        (RENAMED, GOLD, 0.10657284, 0.11306082),
        (SUM, GOLD, 0.23976097, 0.27358384),
        (LONGER, GOLD, 0.34291266, 0.63776532),
        (OTHER, GOLD, 0.02604171, 0.02692051),
        (BROKEN, GOLD, 0.17372193, 0.21409093),
        (GOLD, SUM, 0.26801652, 0.51469066),
        (SUM, LONGER, 0.03705044, 0.08645131),
        ("", GOLD, 0.0, 0.0),
        ("hello world", GOLD, 0.0, 0.0),
    ],
)
def test_ngrams_are_those_of_the_package(
    code: str, reference: str, ngram: float, weighted: float
) -> None:
    """codebleu 0.7.0: `calc_codebleu([reference], [code], "python", tokenizer=code_tokens)`."""
    scores = code_bleu(code, reference)
    assert scores["code_ngram"] == pytest.approx(ngram, abs=1e-8)
    assert scores["code_weighted_ngram"] == pytest.approx(weighted, abs=1e-8)


@pytest.mark.parametrize(
    ("code", "reference", "matched", "subtrees"),
    [
        # Module, its Expr, the BinOp and that in it; operators are a part of a shape.
        ("a + b * c", "x + y * z", 4, 4),
        ("a * b", "x + y * z", 1, 4),
        # Two of the three equal statements, `Assign` each, and not the Module.
        ("a = 1\nb = 2", "x = 1\ny = 2\nz = 3", 2, 4),
        ("a = 'one'", "a = 1", 0, 2),
        ("def f():\n    'says'\n    return 1", "def f():\n    return 1", 3, 3),
        ("# first\nf(x)", "f(x)  # last", 3, 3),
        ("f(", "f(x)", 0, 3),
        ("", "f(x)", 0, 3),
    ],
)
def test_subtrees_are_counted_by_hand(
    code: str, reference: str, matched: int, subtrees: int
) -> None:
    assert code_bleu(code, reference)["code_syntax"] == pytest.approx(matched / subtrees)


def test_data_flow_is_a_share_of_the_reference() -> None:
    """GOLD reads `values`, computes `value` from it, reads that, computes `result` from it and from
    itself, and reads it at the end: five items. SUM has one, its variable that is read."""
    assert code_bleu(RENAMED, GOLD)["code_dataflow"] == 1.0
    assert code_bleu(SUM, GOLD)["code_dataflow"] == pytest.approx(1 / 5)
    assert code_bleu(BROKEN, GOLD)["code_dataflow"] == 0.0


def test_a_total_needs_all_four_parts() -> None:
    scores = code_bleu(SUM, GOLD)
    assert scores[TOTAL] == pytest.approx(sum(scores[part] for part in PARTS) / 4)
    without_flow = code_bleu("print(1)", "print(1)")
    assert without_flow == dict.fromkeys(PARTS[:3], 1.0)
    assert code_bleu("", GOLD)[TOTAL] == 0.0, "an empty answer is worth nothing"
    assert code_bleu("f = () => 1", "f = () => 1") == dict.fromkeys(PARTS[:2], 1.0)
    assert code_bleu("x", "# nothing else") == {
        "code_ngram": 0.0,
        "code_weighted_ngram": 0.0,
    }
    assert code_bleu("x", " \n") == {}


@pytest.mark.parametrize("code", ["x", "f(x)", "pass", "a = 1", GOLD, LONGER, OTHER])
def test_a_code_is_like_itself(code: str) -> None:
    assert set(code_bleu(code, code).values()) == {1.0}


def test_tokens_are_names_numbers_and_marks() -> None:
    tokens = code_tokens("def f(x1)->None: y **= 1.5e3 // é_2; z='a b' ... !=")
    assert tokens == [
        *("def", "f", "(", "x1", ")", "->", "None", ":", "y", "**=", "1.5e3", "//", "é_2", ";"),
        *("z", "=", "'", "a", "b", "'", "...", "!="),
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_have_scores_from_0_to_1(code: str, reference: str) -> None:
    assert all(0 <= value <= 1 for value in code_bleu(code, reference).values())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([GOLD, RENAMED, SUM, OTHER, "x = 1\n", "for a in b:\n    c = a\n"])),
    st.lists(st.sampled_from([GOLD, SUM, "y = x\n"]), min_size=1),
)
def test_pieces_of_code_have_scores_from_0_to_1(code: list[str], reference: list[str]) -> None:
    scores = code_bleu("".join(code), "".join(reference))
    assert all(0 <= value <= 1 + 1e-12 for value in scores.values())


@pytest.mark.parametrize("code", ["(" * 5000, "-" * 50_000 + "1", "1" * 10_000, "a+" * 20_000 + "a",
                                  "[" * 90 + "]" * 90, "\0", "\ud800", "x = '\ud800'"])  # fmt: skip
def test_what_is_nested_too_deeply_is_scored_as_far_as_it_goes(code: str) -> None:
    before = sys.getrecursionlimit()
    for scores in (code_bleu(code, GOLD), code_bleu(GOLD, code), code_bleu(code, code)):
        assert all(0 <= value <= 1 + 1e-12 for value in scores.values())
    assert sys.getrecursionlimit() == before
