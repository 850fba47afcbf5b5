"""One definition of words, and that everything which counts or compares words has it."""

import ast
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import word_diff
from engine.compare import checks, text_metrics
from engine.compare.answer_length import count_sentences
from engine.compare.checks import score
from engine.compare.item_reader import parse_item
from engine.compare.metrics import numbers_of
from engine.words import count_words, folded_words, pieces_of, words_of
from tests.compare.test_samples import sample

HARD = {
    "3.5": ["3.5"],
    "It costs 1,000.50 at 10:45.": ["It", "costs", "1,000.50", "at", "10:45"],
    "don't": ["don't"],
    "the dogs’ tails, ’twas": ["the", "dogs", "tails", "twas"],
    "e-mail": ["e-mail"],
    "well--maybe - no": ["well", "maybe", "no"],
    "naïve": ["naïve"],
    "nai\u0308ve cafe\u0301": ["nai\u0308ve", "cafe\u0301"],
    "你好，世界。": ["你", "好", "世", "界"],
    "これはペンです": ["こ", "れ", "は", "ペ", "ン", "で", "す"],
    "か\u3099る・ー": ["か\u3099", "る", "ー"],
    "한국어 문장": ["한국어", "문장"],
    "ฉันกินข้าว": ["ฉันกินข้าว"],
    "मैं घर": ["मैं", "घर"],
    "می\u200cخواهم": ["می\u200cخواهم"],
    "https://a.example/b?c=1_2": ["https", "a", "example", "b", "c", "1", "2"],
    "snake_case": ["snake", "case"],
    "x²+½": ["x²", "½"],
    "... --- !!! \u200c 👩\u200d🚀": [],
    "\u0301": [],
    "": [],
}
TEXTS = st.text(
    st.one_of(
        st.sampled_from("ab1 .,:-_'’\n\t٫٬٣\u0301\u0308\u3099\u200d你好かカー・กขม👩"),
        st.characters(),
    ),
    max_size=60,
)


@pytest.mark.parametrize("text", HARD)
def test_hard_texts(text: str) -> None:
    assert words_of(text) == HARD[text]


@pytest.mark.parametrize("text", HARD)
def test_all_that_count_or_compare_words_have_the_same(text: str) -> None:
    words, folded = HARD[text], folded_words(text)
    count = len(words)
    assert len(folded) == count
    assert checks.met(text, {"words": count, "most_words": count, "least_words": count}) == 1
    assert checks.met(text, {"words": count + 1}) == 0
    assert checks.says(f"Before {text} after", text)
    assert checks.met(text, {"begins": text, "equals": text}) == 1
    assert checks.overlap(text, text) == bool(words)
    gold = {"count": count, "topic": words[0] if words else ""}
    item = parse_item({"prompt": "a", "score": "words", "answer": gold})
    assert score(item, text) == bool(words)
    aspects = {aspect.name: aspect.count for aspect in text_metrics.ASPECTS}
    assert aspects["words"](text) == count
    assert text_metrics.distinct(text, 1) == (len(set(folded)) / count if count else 1)
    assert text_metrics.opener(text, 2) == " ".join(folded[:2])
    assert bool(count_sentences(text)) == bool(words)
    difference = word_diff.compare(text, "")
    assert (difference.left_words, difference.right_words) == (count, 0)
    assert word_diff.compare(text, text).same_words == count
    assert numbers_of(replace(sample(), text=text))["words"] == count


SAME = [("don’t", "don't"), ("e‑mail", "e-mail"), ("nai\u0308ve", "naïve")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_word_written_in_two_ways_is_one_everywhere(one: str, other: str) -> None:
    assert folded_words(one) == folded_words(other)
    assert checks.says(f"He {one} it", other)
    assert checks.overlap(one, other) == 1
    assert word_diff.compare(f"He {one} it", f"He {other} it").same_words == 3
    choice = parse_item({"prompt": "q", "choices": [other, "no"], "gold": [other]})
    assert score(choice, f"It is {one}.") == 1
    assert text_metrics.distinct(f"{one} {other}", 1) == 0.5


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("York", True), ("New York", False), ("It is new  york.", False), ("Yorkshire", False),
        ("York-on-sea", False), ("C++", False), ("York’s", False), ("York, not", True),
    ],
)  # fmt: skip
def test_a_choice_is_whole_words_and_the_longest_is_meant(text: str, right: bool) -> None:
    item = parse_item({"prompt": "q", "choices": ["York", "New York", "C"], "gold": ["York"]})
    assert score(item, text) == right


def test_a_choice_without_words_is_found_as_it_stands() -> None:
    item = parse_item({"prompt": "q", "choices": ["C++", "C"], "gold": ["C++"]})
    assert [score(item, text) for text in ("C++", "C", "It is c++!", "C or C++")] == [1, 0, 1, 0]


def test_words_are_compared_without_case_and_however_marks_are_written() -> None:
    assert folded_words("Nai\u0308ve STRASSE") == ["naïve", "strasse"]
    assert folded_words("Naïve straße") == ["naïve", "strasse"]
    assert checks.says("It was NAI\u0308VE.", "naïve")


@given(TEXTS)
def test_pieces_joined_are_the_text_and_hold_its_words(text: str) -> None:
    pieces = pieces_of(text)
    assert "".join(pieces) == text
    assert [piece for piece in pieces if words_of(piece)] == words_of(text)
    assert all(len(piece) == 1 or piece.isspace() or words_of(piece) for piece in pieces)


@given(TEXTS)
def test_letters_and_digits_are_all_in_words_and_nothing_else_begins_one(text: str) -> None:
    words = words_of(text)
    assert count_words(text) == len(words)
    letters = [each for each in text if each.isalnum()]
    assert [each for word in words for each in word if each.isalnum()] == letters
    assert all(word[0].isalnum() for word in words)
    assert all(word[-1].isalnum() or unicodedata.category(word[-1])[0] == "M" for word in words)


@given(st.lists(TEXTS, max_size=4))
def test_lines_hold_the_words_of_the_whole(lines: list[str]) -> None:
    assert [word for line in lines for word in words_of(line)] == words_of("\n".join(lines))


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_of_ascii_it_is_one_expression(text: str) -> None:
    run = r"[A-Za-z0-9]+(?:(?:['-]|(?<=[0-9])[.,:](?=[0-9]))[A-Za-z0-9]+)*"
    assert words_of(text) == re.findall(run, text)


def test_no_other_module_defines_words() -> None:
    """By the name of a function, or by an expression for a run of letters."""
    root = Path(engine.__file__).parent.parent
    for path in [*root.glob("engine/**/*.py"), *root.glob("tui/**/*.py")]:
        if path.name == "words.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert node.name not in ("words_of", "count_words", "folded_words"), path
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert r"[^\W_]" not in node.value, path
