"""Aspects of texts against counts made by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compare.text_metrics import (
    ASPECTS,
    distinct,
    language_of,
    opener,
    script_of,
    self_bleus,
)

COUNT = {aspect.name: aspect.count for aspect in ASPECTS}


@pytest.mark.parametrize(
    ("aspect", "text", "expected"),
    [
        ("list items", "- one\n* two\n 3. three\nno 4. item\n4.5 is a number", 3),
        ("list items", "```\n- not in code\n```\n- this", 1),
        ("headings", "# One\n## Two\n**Bold alone**\nnot **bold** alone\n#hashtag", 3),
        ("headings", "```python\n# a comment\n```", 0),
        ("code blocks", "```python\nx\n```\ntext\n~~~\ny\n~~~", 2),
        ("code blocks", "```python\nnever closed", 1),
        ("step markers", "Step 1: cut.\nFirst, wash.\nThen, dry.\nI first saw it then.", 3),
        ("refusals", "I'm sorry, but I can't help with that.", 1),
        ("refusals", "The word cannot is short.", 0),
        ("refusals", "A fine day. " * 30 + "I cannot stay.", 0),
        ("questions", "Why? 为什么？ لماذا؟", 3),
        ("doubled words", "the the cat sat sat sat", 3),
        ("words", "two words", 2),
    ],
)
def test_counts(aspect: str, text: str, expected: float) -> None:
    assert COUNT[aspect](text) == expected


def test_diversity() -> None:
    assert distinct("a b a b", 1) == 0.5
    assert distinct("a b a b", 2) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("text", "script", "language"),
    [
        ("The cat is on the mat, and it is fine.", "latin", "English"),
        ("Le chat est sur la table et il dort.", "latin", "French"),
        ("Der Hund ist nicht auf der Straße.", "latin", "German"),
        ("این یک جمله است", "arabic", "arabic"),
        ("Привет, мир", "cyrillic", "cyrillic"),
        ("我喜欢猫", "cjk", "cjk"),
        ("joy", "latin", ""),
        ("12 + 3", "", ""),
    ],
)
def test_script_and_language(text: str, script: str, language: str) -> None:
    assert script_of(text) == script
    assert language_of(text) == language


def test_openers() -> None:
    assert opener("Sure! Here is the list:") == "sure here is"
    assert opener("") == ""


def test_self_bleu_of_equal_and_of_different_texts() -> None:
    assert self_bleus(["a b c d e"] * 3) == [pytest.approx(1.0)] * 3
    assert self_bleus(["a b c d", "e f g h"]) == [0.0, 0.0]
    some = self_bleus(["the cat sat on the mat", "the cat sat on the rug", "dogs run fast"])
    assert all(score is not None and 0.0 <= score < 1.0 for score in some)
    assert some[0] != 0.0
    assert self_bleus(["alone"]) == [None]
    assert self_bleus(["a b", "", "a b"]) == [pytest.approx(1.0), None, pytest.approx(1.0)]


def test_self_bleu_agrees_with_one_worked_by_hand() -> None:
    # Unigrams: 2 of 3 words are in the other text; no bigram is: (0 + 1) / (2 + 1).
    expected = (2 / 3 * 1 / 3) ** 0.5
    assert self_bleus(["a x b", "a y b"], size=2) == [pytest.approx(expected)] * 2


@given(st.text(max_size=300))
def test_any_text_can_be_measured(text: str) -> None:
    for aspect in ASPECTS:
        assert aspect.count(text) >= 0
    language_of(text)
    self_bleus([text, text[::-1]])
