"""Counting words and sentences in any script."""

from dataclasses import replace

import pytest

from engine.compare.answer_length import count_sentences, measure
from engine.compare.metrics import numbers_of
from engine.words import count_words
from tests.compare.test_samples import sample


@pytest.mark.parametrize(
    ("text", "words", "sentences"),
    [
        ("", 0, 0),
        ("joy", 1, 1),
        ("Don't stop: it's well-known. Really?!", 5, 2),
        ("It costs 3.50 euros. Yes.", 5, 2),
        ("At 10:45, 1,000 came", 4, 1),
        ("Wait... what? “No!” he said.", 5, 4),
        ("- one\n- two\n\n3. three", 4, 4),
        ("می‌خواهم بروم. کتاب را دیدی؟ بله!", 6, 3),
        ("你好，世界。我很好！", 7, 2),
        ("これはペンです。", 7, 1),
        ("मैं घर जाता हूँ। ठीक है।", 6, 2),
        ("Größe naïve cafe\u0301", 3, 1),
        ("👩‍🚀 🎉 !!! --- \u200c", 0, 0),
        ("word" * 25_000, 1, 1),
    ],
)
def test_counts(text: str, words: int, sentences: int) -> None:
    assert count_words(text) == words
    assert count_sentences(text) == sentences


def test_a_sample_is_measured() -> None:
    found = measure(sample())
    assert (found.tokens, found.seconds, found.ended) == (2, 0.2, "complete")
    assert found.lines == 2, "a line separator separates lines"


def test_tokens_that_nobody_told_are_not_none_at_all() -> None:
    remote = replace(sample(), output_ids=(), logprobs=())
    assert measure(remote).tokens is None
    assert "tokens" not in numbers_of(remote)
    assert numbers_of(sample())["tokens"] == 2
