"""Checks of a prompt read as what they ask for."""

from engine.answer_parts import split_text
from engine.compare.checks import CHECKS
from tui.browse.check_words import check_words, met_words


def test_each_check_is_said_in_words() -> None:
    checks = {
        "words": 1, "most_words": 9, "least_words": 2, "bullets": 3, "capitals": True,
        "json": False, "number": 5, "says": "a\x1bb", "omits": "no", "python": "step",
    }  # fmt: skip
    assert check_words(checks) == (
        "exactly 1 word, at most 9 words, at least 2 words, exactly 3 bullets, all capitals, "
        "not valid JSON, last number is 5, contains “a␛b”, does not contain “no”, "
        "a Python function step"
    )
    for name in CHECKS:
        assert "_" not in check_words({name: 2}), name


def test_it_is_counted_how_many_are_met() -> None:
    assert met_words(split_text("joy"), {"words": 1, "capitals": True}) == "1 of 2 checks met"
