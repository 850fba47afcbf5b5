"""How much of a question a server says it takes, read from the words in which it refuses one.

Servers of the same protocol say it in words of their own; what is not known here tells nothing.
"""

import re

_LIMIT = re.compile(
    r"maximum context length (?:is|of) (?P<a>\d+)"  # OpenAI, vLLM
    r"|\"?n_ctx\"?\s*[:=]\s*(?P<b>\d+)"  # llama.cpp
    r"|context length \((?P<c>\d+) tokens\)"  # SGLang
    r"|must be <= (?P<d>\d+)"  # text-generation-inference
    r"|> (?P<e>\d+) maximum"
    r"|context (?:size|window|length)\D{0,20}(?P<f>\d+)",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"requested (?:a total of )?(\d+) tokens", re.IGNORECASE)
"""The question and the answer that it leaves room for."""
_ASKED = re.compile(
    r"\"?n_prompt_tokens\"?\s*[:=]\s*(?P<a>\d+)"
    r"|resulted in (?P<b>\d+) tokens"
    r"|input \((?P<c>\d+) tokens\)"
    r"|Given: (?P<d>\d+)"
    r"|too long: (?P<e>\d+) tokens"
    r"|request \((?P<f>\d+) tokens\)",
    re.IGNORECASE,
)


def find_share(words: str, answer: int) -> float | None:
    """The share of the question's tokens that fit, between 0 and 1; None where the server does not
    say. `answer`: tokens to leave for the answer."""
    limit = _first(_LIMIT, words)
    if limit is None or limit <= answer:
        return None
    whole = _WHOLE.search(words)
    asked = int(whole[1]) - answer if whole is not None else _first(_ASKED, words)
    room = limit - answer
    return room / asked if asked is not None and asked > room else None


def _first(pattern: re.Pattern[str], words: str) -> int | None:
    found = pattern.search(words)
    return None if found is None else int(next(one for one in found.groups() if one is not None))
