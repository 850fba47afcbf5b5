"""How much of a question fits, by the words of servers that refuse it."""

import pytest

from engine.worker.synthesis.told_length import find_share

OPENAI = (
    '400 Bad Request: {"error": {"message": "This model\'s maximum context length is 4096 '
    "tokens. However, your messages resulted in 8000 tokens. Please reduce the length of the "
    'messages.", "code": "context_length_exceeded"}}'
)
VLLM = (
    "This model's maximum context length is 2048 tokens. However, you requested 2563 tokens (2435 "
    "in the messages, 128 in the completion). Please reduce the length."
)
LLAMA = (
    '{"error":{"code":400,"message":"the request exceeds the available context size, try '
    'increasing it","type":"exceed_context_size_error","n_prompt_tokens":1234,"n_ctx":512}}'
)
LLAMA_LATER = (
    "request (1234 tokens) exceeds the available context size (512 tokens), try increasing it"
)
SGLANG = "The input (5000 tokens) is longer than the model's context length (4096 tokens)."
TGI = (
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 "
    "`inputs` tokens and 96 `max_new_tokens`"
)


@pytest.mark.parametrize(
    ("words", "answer", "share"),
    [
        (OPENAI, 96, 4000 / 8000),
        (VLLM, 128, (2048 - 128) / 2435),
        (LLAMA, 12, 500 / 1234),
        (LLAMA_LATER, 12, 500 / 1234),
        (SGLANG, 96, 4000 / 5000),
        (TGI, 96, 4000 / 5000),
        ("prompt is too long: 208310 tokens > 200000 maximum", 0, 200000 / 208310),
        ("the request exceeds the available context size", 8, None),
        ("too many tokens", 8, None),
        (LLAMA, 512, None),
        ("n_ctx: 512, n_prompt_tokens: 100", 8, None),
        ("", 8, None),
        ("n_ctx " * 5000, 8, None),
    ],
)
def test_the_share_is_that_of_what_is_left_for_the_question(
    words: str, answer: int, share: float | None
) -> None:
    found = find_share(words, answer)
    assert found == (None if share is None else pytest.approx(share))
    assert found is None or 0 < found < 1
