"""Answers of a model behind an OpenAI-compatible address, streamed over plain HTTP.

Contacts the host that the arm names and no other: no proxy, no redirect. Bounded in bytes and in
time, so that a server that sends rubbish, or never ends, is told of in words. A key comes from the
environment variable that the arm names, and goes nowhere but into the request.
"""

import contextlib
import http.client
import json
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from engine.catalog.schemas import Message
from engine.compare.arms import Arm, format_arm
from engine.compare.samples import Finish, Sample, Timings
from engine.errors import EngineError
from engine.jobs.settings import Decode
from engine.text import one_line
from engine.worker.rows.template import Said, dress

CONNECT_SECONDS = 10.0
SILENT_SECONDS = 120.0
"""Without a byte: a large model may read a long prompt for so long before its first word."""
TOTAL_SECONDS = 1800.0
MOST_BYTES = 32 << 20
_LONGEST_LINE = 1 << 20
_MOST_TOLD = 300
"""Characters of a server's own words that an error shows."""


class EndpointGone(EngineError):
    """Not this question alone: the endpoint cannot be asked anything, as its arm names it."""


class _End:
    """The end of an answer."""

    def __init__(self, finish: Finish) -> None:
        self.finish = finish


class Endpoint:
    """One answer of an endpoint, read by a thread of its own; `more` never waits."""

    def __init__(self, arm: Arm, messages: Sequence[Said], decode: Decode) -> None:
        """Raises EngineError where the key is not there or the prompt is empty."""
        self.arm = arm
        self.decode = decode
        self.text = ""
        self.finish: Finish | None = None
        """None: it is not done."""
        self._messages = tuple(Message(one.role, one.content) for one in messages)
        self._body = _body(arm, self._messages, decode)
        self._headers = _headers(arm)
        self._came: queue.SimpleQueue[str | _End | EngineError] = queue.SimpleQueue()
        self._socket: socket.socket | None = None
        self._cancelled = False
        self._began = time.monotonic()
        self._first = self._total = 0.0
        threading.Thread(target=self._read, name="endpoint", daemon=True).start()

    def more(self) -> str | None:
        """The text that has come since; None where nothing has. Raises EngineError."""
        if time.monotonic() - self._began > TOTAL_SECONDS:
            self.cancel()
            detail = f"it has talked for {TOTAL_SECONDS / 60:g} minutes"
            raise _trouble(self.arm, "does not end", detail)
        found: list[str] = []
        with contextlib.suppress(queue.Empty):
            while self.finish is None:
                one = self._came.get_nowait()
                if isinstance(one, EngineError):
                    raise one
                self._total = time.monotonic() - self._began
                if isinstance(one, _End):
                    self.finish = one.finish
                else:
                    self._first = self._first or self._total
                    found.append(one)
        piece = "".join(found)
        self.text += piece
        return piece or None

    def cancel(self) -> None:
        """End the answer where it is, and hang up."""
        self.finish = self.finish or "cancelled"
        self._cancelled = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def sample(self, prompt_id: str) -> Sample:
        """The answer, done, as the record of it: an endpoint tells no token ids."""
        assert self.finish is not None, "an answer is a sample once it is done"
        return Sample(
            prompt_id=prompt_id,
            messages=self._messages,
            arm=format_arm(self.arm),
            seed=self.decode.seed,
            template_hash="",
            prompt_ids=(),
            output_ids=(),
            text=self.text,
            finish=self.finish,
            logprobs=(),
            decode=self.decode,
            timings=Timings(round(self._first, 4), round(self._total, 4)),
            dtype="unknown",
        )

    def _read(self) -> None:
        """On a thread: ask, and put what comes into the queue, an end or an error last."""
        try:
            for piece in self._pieces():
                self._came.put(piece)
        except EngineError as error:
            self._came.put(error)
        except TimeoutError:
            told = "it was silent for too long"
            self._came.put(_trouble(self.arm, "does not answer", told, kind=EndpointGone))
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self._cancelled:
                reason = one_line(str(error)[:_MOST_TOLD]) or type(error).__name__
                gone = _trouble(self.arm, "cannot be reached", reason, kind=EndpointGone)
                self._came.put(gone)

    def _pieces(self) -> Iterator[str | _End]:
        parts = urlsplit(self.arm.checkpoint)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        assert parts.hostname is not None, "the grammar of arms saw to it"
        connection = kind(parts.hostname, parts.port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
            self._socket = connection.sock  # the connection forgets it with the first answer
            self._socket.settimeout(SILENT_SECONDS)
            if self._cancelled:
                return
            path = parts.path.rstrip("/")
            path += "/completions" if self.arm.form == "raw" else "/chat/completions"
            connection.request("POST", path, body=self._body, headers=self._headers)
            with connection.getresponse() as response:
                if response.status != 200:
                    raise _refusal(self.arm, response)
                yield from _answer(self.arm, response)
        finally:
            connection.close()


def _body(arm: Arm, messages: Sequence[Message], decode: Decode) -> bytes:
    turns = dress(messages, arm.system, arm.prefix)
    asked: dict[str, Any] = {
        "model": arm.model,
        "stream": True,
        "max_tokens": decode.max_new_tokens,
        "temperature": decode.temperature,
        "top_p": decode.top_p,
        "seed": decode.seed,
    }
    if decode.top_k:  # not of the protocol: vLLM and llama.cpp know it
        asked["top_k"] = decode.top_k
    if arm.form == "raw":
        asked["prompt"] = "\n\n".join(turn.content for turn in turns)
    else:
        asked["messages"] = [{"role": turn.role, "content": turn.content} for turn in turns]
    if not any(turn.content for turn in turns):
        raise EngineError("The prompt is empty.", hint="Write something to answer.")
    return json.dumps(asked, allow_nan=False).encode()


def _headers(arm: Arm) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if arm.key is not None:
        key = os.environ.get(arm.key, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise EndpointGone(
                "The endpoint's key is not there.",
                f"{arm.name}: the environment variable {arm.key} is not set, or holds no key",
                f"Start finetop with {arm.key}=….",
            )
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _answer(arm: Arm, response: http.client.HTTPResponse) -> Iterator[str | _End]:
    """The text of an answer, then its end. Raises EngineError for what is none."""
    if "event-stream" not in response.headers.get("Content-Type", ""):
        yield from _whole(arm, _load(arm, response.read(MOST_BYTES)))
        return
    finish: Finish | None = None
    thoughts = _Thoughts()
    for data in _events(arm, response):
        if data.strip() == b"[DONE]":
            yield _End(finish or "stop")
            return
        choice = _choice(arm, _load(arm, data))
        if choice is None:  # a count of tokens, or a sign of life
            continue
        text, ended = thoughts.told(choice), _finish(choice)
        finish = ended or finish
        if text:
            yield text
    if finish is None:
        raise _trouble(arm, "broke its answer off", "the stream ended before the answer")
    yield _End(finish)


def _whole(arm: Arm, reply: Mapping[str, Any]) -> Iterator[str | _End]:
    """An answer that came at once: some servers do not stream."""
    choice = _choice(arm, reply)
    if choice is None:
        raise _trouble(arm, "sends no answer", "there are no choices in it")
    if text := _Thoughts().told(choice):
        yield text
    yield _End(_finish(choice) or "stop")


def _events(arm: Arm, response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The data of server-sent events."""
    size = 0
    while line := response.readline(_LONGEST_LINE + 1):
        size += len(line)
        if len(line) > _LONGEST_LINE or size > MOST_BYTES:
            raise _trouble(arm, "sends too much", f"more than {size >> 20} MiB")
        if line.startswith(b"data:"):
            yield line[5:].strip()


def _load(arm: Arm, data: bytes) -> Mapping[str, Any]:
    try:
        reply = json.loads(data)
    except (ValueError, RecursionError):
        reply = None
    if not isinstance(reply, dict):
        raise _trouble(arm, "sends something else than an answer", _shown(data))
    if reply.get("error"):
        raise _trouble(arm, "reports an error", _shown(json.dumps(reply["error"]).encode()))
    return reply


def _choice(arm: Arm, reply: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = reply.get("choices")
    if not choices and isinstance(choices, list | None):
        return None
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise _trouble(arm, "sends something else than an answer", _shown(repr(choices).encode()))
    return choices[0]


class _Thoughts:
    """The text of an answer, with what the server tells apart as reasoning between its marks.

    The marks are those that such models write themselves, so that an arm behind an address reads as
    one that answers here.
    """

    def __init__(self) -> None:
        self._open = False

    def told(self, choice: Mapping[str, Any]) -> str:
        """The text that a choice brings, whole or a part."""
        said = choice.get("delta") or choice.get("message")
        if not isinstance(said, dict):
            return _text(choice.get("text"))
        text = _text(said.get("content"))
        thought = _text(said.get("reasoning_content")) or _text(said.get("reasoning"))
        if thought:
            thought = thought if self._open else f"<think>\n{thought}"
            self._open = True
        if self._open and text:
            self._open = False
            return f"{thought}\n</think>\n\n{text}"
        return thought + text


def _finish(choice: Mapping[str, Any]) -> Finish | None:
    """How an answer ended, if it did."""
    ended = choice.get("finish_reason")
    return None if not ended else "length" if ended == "length" else "stop"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _refusal(arm: Arm, response: http.client.HTTPResponse) -> EngineError:
    """What a status other than 200 means."""
    told = _shown(response.read(1 << 16))
    detail = f"{response.status} {one_line(response.reason[:80])}: {told}"
    if response.status in (401, 403):
        hint = "Name the environment variable that holds its key: &key=VARIABLE."
        return _trouble(arm, "wants another key", detail, hint, EndpointGone)
    if 300 <= response.status < 400:
        hint = "Give the address that answers itself."
        return _trouble(arm, "sends elsewhere", detail, hint, EndpointGone)
    if response.status == 404:
        hint = "The address usually ends in /v1, and model= is a name that it lists."
        return _trouble(arm, "knows no such page or model", detail, hint, EndpointGone)
    return _trouble(arm, "refuses the question", detail)


def _shown(data: bytes) -> str:
    return one_line(data[: 4 * _MOST_TOLD].decode("utf-8", "replace").strip()[:_MOST_TOLD])


def _trouble(
    arm: Arm,
    what: str,
    detail: str,
    hint: str = "Check the address, and that it runs.",
    kind: type[EngineError] = EngineError,
) -> EngineError:
    key = os.environ.get(arm.key or "", "").strip()
    if key:  # some servers say which key it was that they refuse
        detail = detail.replace(key, "…")
    return kind(f"The endpoint {what}.", f"{arm.name} at {arm.checkpoint}: {detail}", hint)
