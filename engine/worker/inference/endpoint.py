"""Answers of a model behind an OpenAI-compatible address, streamed over plain HTTP.

Contacts the host that the arm names and no other: no proxy, no redirect. Bounded in bytes and in
time, so that a server that sends rubbish, or never ends, is told of in words. A key comes from the
environment variable that the arm names, goes nowhere but into the request, and there only where the
user has agreed to that variable at that address, whoever wrote the arm.

Kept by design: the client `openai` takes proxies from the environment, follows redirects, and
bounds neither the bytes nor the time of a whole answer.
"""

import contextlib
import http.client
import itertools
import json
import queue
import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from engine.chat import Message, Tools, apply_prompt_options
from engine.compare import endpoint_keys
from engine.compare.arms import Arm, format_arm
from engine.compare.samples import Finish, Sample, Timings
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.text import one_line
from engine.worker.inference.endpoint_answer import EndpointAnswer, ReplyPiece, write_turns
from engine.worker.inference.endpoint_key import find_key, find_secret
from engine.worker.inference.endpoint_replies import (
    MOST_TOLD,
    End,
    EndpointGone,
    EndpointUnreachable,
    TokenUsage,
    read_answer,
    refusal,
    trouble,
)
from engine.worker.inference.endpoint_retry import BUSY, ServerPause, find_delay

CONNECT_SECONDS = 10.0
SILENT_SECONDS = 120.0
"""Without a byte: a large model may read a long prompt for so long before its first word."""
TOTAL_SECONDS = 1800.0


_Came = ReplyPiece | TokenUsage | End | EngineError


class Endpoint:
    """One answer of an endpoint, read by a thread of its own; `more` never waits."""

    def __init__(
        self,
        arm: Arm,
        messages: Sequence[Message],
        decode: Decode,
        tools: Tools = (),
        extra: Mapping[str, Any] | None = None,
        pause: ServerPause | None = None,
    ) -> None:
        """`extra` are further keys of the request; `pause` is shared by all requests to the server.

        Raises EngineError where the key is not there or not allowed, the prompt is empty, or it
        is raw and so has no place for tools.
        """
        self.arm = arm
        self.decode = decode
        self.finish: Finish | None = None
        """None: it is not done."""
        self.usage: TokenUsage | None = None
        """What the answer took; None where the server has not said."""
        self._answer = EndpointAnswer(find_secret(arm))
        self._messages = tuple(messages)
        self._tools = tools
        self._body = _body(arm, self._messages, decode, tools, extra or {})
        self._pause = pause or ServerPause()
        self._headers = _headers(arm)
        self._came: queue.SimpleQueue[_Came] = queue.SimpleQueue()
        self._socket: socket.socket | None = None
        self._cancel = threading.Event()
        self._began = self._last_try = time.monotonic()
        self._first = self._total = 0.0
        threading.Thread(target=self._read, name="endpoint", daemon=True).start()

    def more(self) -> str | None:
        """The text that has come since; None where nothing has. Raises EngineError."""
        if time.monotonic() - self._began > TOTAL_SECONDS:
            self.cancel()
            detail = f"no end after {TOTAL_SECONDS / 60:g} minutes"
            raise trouble(self.arm, "did not finish its answer", detail)
        texts: list[str] = []
        with contextlib.suppress(queue.Empty):
            while self.finish is None:
                one = self._came.get_nowait()
                if isinstance(one, EngineError):
                    raise one
                self._total = time.monotonic() - self._last_try  # no more follows one that answers
                if isinstance(one, End):
                    self.finish = one.finish
                elif isinstance(one, TokenUsage):
                    self.usage = one
                else:
                    self._first = self._first or self._total
                    texts.append(self._answer.add(one))
        return "".join(texts) or None

    def cancel(self) -> None:
        """End the answer where it is, and hang up."""
        self.finish = self.finish or "cancelled"
        self._cancel.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    @property
    def text(self) -> str:
        """All that has come."""
        return self._answer.text

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
            tools=self._tools,
            known_parts=self._answer.known_parts(
                self._tools, is_parsed=bool(self._tools) and self.arm.form != "raw"
            ),
        )

    def _read(self) -> None:
        """On a thread: ask, and put what comes into the queue, an end or an error last."""
        try:
            for piece in self._pieces():
                self._came.put(piece)
        except EngineError as error:
            self._came.put(error)
        except TimeoutError:
            failure = "no data received"
            self._came.put(trouble(self.arm, "timed out", failure, kind=EndpointUnreachable))
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self._cancel.is_set():
                reason = one_line(str(error)[:MOST_TOLD]) or type(error).__name__
                gone = trouble(self.arm, "cannot be reached", reason, kind=EndpointUnreachable)
                self._came.put(gone)

    def _pieces(self) -> Iterator[ReplyPiece | TokenUsage | End]:
        """What comes of asking; a server that is busy is asked again. Raises EngineError."""
        for tries in itertools.count(1):
            self._pause.wait(self._cancel)
            delay = yield from self._ask(tries)
            if delay is None or self._cancel.wait(delay):
                return

    def _ask(self, tries: int) -> Generator[ReplyPiece | TokenUsage | End, None, float | None]:
        """Ask once; returns the seconds until the next try, None after an answer."""
        self._last_try = time.monotonic()
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
            if self._cancel.is_set():
                return None
            path = parts.path.rstrip("/")
            path += "/completions" if self.arm.form == "raw" else "/chat/completions"
            connection.request("POST", path, body=self._body, headers=self._headers)
            with connection.getresponse() as response:
                delay = find_delay(response.status, dict(response.headers.items()), tries)
                if delay is not None and response.status in BUSY:
                    self._pause.extend(delay)
                if delay is None and response.status != 200:
                    raise refusal(self.arm, response, tries)
                if delay is None:
                    yield from read_answer(self.arm, response)
                return delay
        finally:
            connection.close()


def _body(
    arm: Arm, messages: Sequence[Message], decode: Decode, tools: Tools, extra: Mapping[str, Any]
) -> bytes:
    turns = apply_prompt_options(messages, arm.system, arm.prefix)
    body: dict[str, Any] = {
        "model": arm.model,
        "stream": True,
        "max_tokens": decode.max_new_tokens,
        "temperature": decode.temperature,
        "top_p": decode.top_p,
        "seed": decode.seed,
    }
    if decode.top_k:  # not of the protocol: vLLM and llama.cpp know it
        body["top_k"] = decode.top_k
    if arm.form == "raw":
        if tools:
            raise EngineError(
                "A raw prompt has no place for tools.", arm.name, "Remove prompt=raw or the tools."
            )
        body["prompt"] = "\n\n".join(turn.content for turn in turns)
    else:
        body["messages"] = write_turns(turns)
    if tools:
        body["tools"] = list(tools)
    if not any(turn.content for turn in turns):
        raise EngineError("The prompt is empty.", hint="Enter a prompt.")
    return json.dumps(body | dict(extra), allow_nan=False).encode()


def _headers(arm: Arm) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if arm.key is not None:
        _check_allowed(arm)
        key = find_key(arm)
        if not key or not key.isascii() or not key.isprintable():
            raise EndpointGone(
                "The endpoint's API key is missing.",
                f"{arm.name}: the environment variable {arm.key} is not set or empty",
                f"Set {arm.key} before starting finetop.",
            )
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _check_allowed(arm: Arm) -> None:
    """Launchers ask; whatever comes another way ends here. Raises EndpointGone."""
    try:
        endpoint_keys.check([arm])
    except endpoint_keys.KeyNotAllowed as error:
        raise EndpointGone(error.title, f"{arm.name}: {error.detail}", error.hint) from error
