"""How long texts are divided: which tokens are read, and which are predicted."""

from collections.abc import Iterable
from typing import Any

import pytest

from engine.worker.data.encode import IGNORE_INDEX, Encoded
from engine.worker.inference.text_windows import own_windows, rolling_windows
from tests.worker.tiny import make_tokenizer

TEXT = "abcdefghij"


def _show(tokenizer: Any, windows: Iterable[Encoded]) -> list[str]:
    """Of each window what is only read, a bar, and what is predicted."""
    shown = []
    for window in windows:
        start = sum(label == IGNORE_INDEX for label in window.labels)
        assert window.labels[start:] == window.input_ids[start:]
        read, predicted = window.input_ids[:start], window.input_ids[start:]
        shown.append(f"{tokenizer.decode(read)}|{tokenizer.decode(predicted)}")
    return shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # As get_rolling_token_windows of lm_eval 0.4.13 gives them for max_seq_len=4.
        (TEXT, ["</s>|abcd", "d|efgh", "fgh|ij"]),
        (TEXT[:8], ["</s>|abcd", "d|efgh"]),
        (TEXT[:3], ["</s>|abc"]),
        ("", []),
    ],
)
def test_rolling_windows_predict_all_tokens_with_full_windows(
    text: str, expected: list[str]
) -> None:
    tokenizer = make_tokenizer(eos_token="</s>")
    assert _show(tokenizer, rolling_windows(text, tokenizer, 4)) == expected


def test_own_windows_share_a_token_and_begin_without_context() -> None:
    tokenizer = make_tokenizer()
    assert _show(tokenizer, own_windows(TEXT, tokenizer, 5)) == ["a|bcde", "e|fghi", "i|j"]
