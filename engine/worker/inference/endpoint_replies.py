"""What an endpoint sends, read as an answer: a stream of events or a whole, or why it is none.

Bounded in bytes; whatever is no answer is told in words, with little of the server's own.
"""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.compare.arms import Arm
from engine.compare.samples import Finish
from engine.errors import EngineError
from engine.text import one_line
from engine.worker.inference.endpoint_answer import ReplyPiece
from engine.worker.inference.endpoint_key import find_key, hide

_CUT = frozenset(
    ("length", "max_tokens", "model_length", "content_filter", "safety", "recitation", "abort",
     "cancelled", "error", "insufficient_system_resource")
)  # fmt: skip
"""Words of servers for an answer that did not end by itself; a filter cuts as a limit does."""
MOST_BYTES = 32 << 20
_LONGEST_LINE = 1 << 20
MOST_TOLD = 300
"""Characters of a server's own words that an error shows."""


class EndpointGone(EngineError):
    """Not this question alone: the endpoint cannot be asked anything, as its arm names it."""


class EndpointUnreachable(EndpointGone):
    """Nobody answers, or not in time: another try may find it there again."""


class RequestRejected(EngineError):
    """The endpoint answers others, and refuses this request as it is."""

    status: int = 400


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of a question and of its answer."""

    read: int
    written: int
    is_estimated: bool = False
    """Whether they were reckoned here, as the server says no count."""

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            self.read + other.read,
            self.written + other.written,
            self.is_estimated or other.is_estimated,
        )


class End:
    """The end of an answer."""

    def __init__(self, finish: Finish) -> None:
        self.finish = finish


def read_answer(
    arm: Arm, response: http.client.HTTPResponse
) -> Iterator[ReplyPiece | TokenUsage | End]:
    """The pieces of an answer, the tokens that it took where the server counts them, then its end.

    Raises EngineError for what is none.
    """
    if "event-stream" not in response.headers.get("Content-Type", ""):
        yield from _whole(arm, _load(arm, response.read(MOST_BYTES)))
        return
    finish: Finish | None = None
    for data in _events(arm, response):
        if data.strip() == b"[DONE]":
            yield End(finish or "stop")
            return
        reply = _load(arm, data)
        if (usage := _usage(reply)) is not None:
            yield usage
        choice = _choice(arm, reply)
        if choice is None:  # a count of tokens, or a sign of life
            continue
        piece, ended = _piece(choice), _finish(choice)
        finish = ended or finish
        if piece != ReplyPiece():
            yield piece
    if finish is None:
        raise trouble(arm, "sent an incomplete answer", "the stream ended before the answer")
    yield End(finish)


def _whole(arm: Arm, reply: Mapping[str, Any]) -> Iterator[ReplyPiece | TokenUsage | End]:
    """An answer that came at once: some servers do not stream."""
    if (usage := _usage(reply)) is not None:
        yield usage
    choice = _choice(arm, reply)
    if choice is None:
        raise trouble(arm, "sent no answer", "the reply has no choices")
    yield _piece(choice)
    yield End(_finish(choice) or "stop")


def _events(arm: Arm, response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The data of server-sent events."""
    size = 0
    while line := response.readline(_LONGEST_LINE + 1):
        size += len(line)
        if len(line) > _LONGEST_LINE or size > MOST_BYTES:
            raise trouble(arm, "sent too much data", f"more than {size >> 20} MiB")
        if line.startswith(b"data:"):
            yield line[5:].strip()


def _load(arm: Arm, data: bytes) -> Mapping[str, Any]:
    try:
        reply = json.loads(data)
    except (ValueError, RecursionError):
        reply = None
    if not isinstance(reply, dict):
        raise trouble(arm, "sent an invalid reply", _shown(arm, data))
    if reply.get("error"):
        shown = _shown(arm, json.dumps(reply["error"]).encode())
        raise trouble(arm, "reported an error", shown)
    return reply


def _choice(arm: Arm, reply: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = reply.get("choices")
    if not choices and isinstance(choices, list | None):
        return None
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise trouble(arm, "sent an invalid reply", _shown(arm, repr(choices).encode()))
    return choices[0]


def _piece(choice: Mapping[str, Any]) -> ReplyPiece:
    """What a choice brings, whole or a part."""
    message = choice.get("delta") or choice.get("message")
    if not isinstance(message, dict):
        return ReplyPiece(_text(choice.get("text")))
    calls = message.get("tool_calls")
    return ReplyPiece(
        _text(message.get("content")),
        _text(message.get("reasoning_content")) or _text(message.get("reasoning")),
        tuple(call for call in calls if isinstance(call, dict)) if isinstance(calls, list) else (),
    )


def _usage(reply: Mapping[str, Any]) -> TokenUsage | None:
    """The server's own count of all tokens so far; None where it says none."""
    usage = reply.get("usage")
    if not isinstance(usage, dict):
        return None
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(read, int) or not isinstance(written, int) or min(read, written) < 0:
        return None
    return TokenUsage(read, written)


def _finish(choice: Mapping[str, Any]) -> Finish | None:
    """How an answer ended, if it did: by itself, or cut short, by whatever reason."""
    ended = choice.get("finish_reason")
    return None if not ended else "length" if ended in _CUT else "stop"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def refusal(arm: Arm, response: http.client.HTTPResponse, tries: int) -> EngineError:
    """What a status other than 200 means, which the last of so many tries had."""
    text = _shown(arm, response.read(1 << 16))
    reason = one_line(hide(find_key(arm), response.reason)[:80])
    tried = f" (tried {tries} times)" if tries > 1 else ""
    detail = f"{response.status} {reason}{tried}: {text}"
    if response.status in (401, 403):
        hint = "Set the environment variable with its API key: &key=VARIABLE."
        return trouble(arm, "rejected the API key", detail, hint, EndpointGone)
    if 300 <= response.status < 400:
        hint = "Use the final URL."
        return trouble(arm, "redirects", detail, hint, EndpointGone)
    if response.status == 404:
        hint = "The URL usually ends in /v1; model= must be a model that it lists."
        return trouble(arm, "has no such path or model", detail, hint, EndpointGone)
    if response.status in (408, 429):
        return trouble(arm, "is busy", detail, "Ask again later.")
    if 500 <= response.status < 600:
        return trouble(arm, "failed", detail, "The server's own log may say why.")
    error = trouble(arm, "rejected the request", detail, kind=RequestRejected)
    if isinstance(error, RequestRejected):
        error.status = response.status
    return error


def _shown(arm: Arm, data: bytes) -> str:
    """Some of a server's own words. The key is hidden first: some servers say which one it was
    that they refuse, and half of it may be more than nothing."""
    text = hide(find_key(arm), data.decode("utf-8", "replace"))
    return one_line(text[: 4 * MOST_TOLD].strip()[:MOST_TOLD])


def trouble(
    arm: Arm,
    what: str,
    detail: str,
    hint: str = "Check the URL, and that the server is running.",
    kind: type[EngineError] = EngineError,
) -> EngineError:
    detail = hide(find_key(arm), detail)
    return kind(f"The endpoint {what}.", f"{arm.name} at {arm.checkpoint}: {detail}", hint)
