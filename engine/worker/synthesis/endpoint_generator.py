"""An endpoint that writes: several questions in flight, one shared pause while its server is busy.

The schema goes along as `response_format`; a server that rejects a request with it is asked without
it from then on, which is said. A question that fails on the way is asked anew a few times; a server
that nobody reaches ends the job, which can be resumed. Imports no library of models.
"""

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.chat import Message
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.synthesis.questions import SourceQuestion
from engine.worker.inference.endpoint import Endpoint
from engine.worker.inference.endpoint_replies import (
    EndpointGone,
    EndpointUnreachable,
    RequestRejected,
    TokenUsage,
)
from engine.worker.inference.endpoint_retry import ServerPause
from engine.worker.synthesis.generator import Reply
from engine.worker.synthesis.told_length import find_share

TRIES = 4
"""Times that a question is sent whose answer breaks off on the way."""
FIRST_SECONDS = 1.0
"""That a server which does not answer is left alone; doubled at each further time."""
UNREACHABLE = 6
"""Failures to reach a server, with no answer in between, that end the job."""
_PAUSE = 0.01
"""Seconds between two looks at what the server says."""
_CHARACTERS = 4
"""A token, where the server counts none."""
_COUNTS = {"stream_options": {"include_usage": True}}
_TOO_LONG = re.compile(r"context|too long|too many tokens|maximum length", re.IGNORECASE)
WITHOUT_SCHEMA = "the endpoint refuses response_format: it was asked without"
WITHOUT_COUNTS = "the endpoint refuses stream_options: its tokens are estimated"
ESTIMATED = f"tokens are estimated, {_CHARACTERS} characters each: the endpoint counts none"


class EndpointGenerator:
    """The answers of an endpoint; see `Generator`."""

    def __init__(
        self,
        arm: Arm,
        decode: Decode,
        in_flight: int,
        schema: Mapping[str, Any] | None,
        *,
        needs_schema: bool = False,
    ) -> None:
        """`schema`: that of one object; None where the answer is plain text. `needs_schema`: a
        server that refuses it ends the job."""
        self.arm = arm
        self.notes: dict[str, None] = {}
        self._decode = decode
        self._in_flight = in_flight
        self._needs_schema = needs_schema and schema is not None
        self._forms = [_COUNTS | _response_format(schema)] if schema is not None else []
        self._forms += [_COUNTS, {}]
        """What goes along with a request; the first is dropped where the server rejects it."""
        self._has_schema = schema is not None
        self._calls: list[tuple[SourceQuestion, Endpoint, int]] = []
        """With how many forms were left when it was sent."""
        self._failures: Counter[str] = Counter()
        self._wasted: dict[str, TokenUsage] = {}
        """By question: tokens of answers to it that broke off."""
        self._unreachable = 0
        self._pause = ServerPause()

    @property
    def room(self) -> int:
        return self._in_flight - len(self._calls)

    def ask(self, question: SourceQuestion) -> None:
        decode = replace(self._decode, seed=question.seed)
        call = Endpoint(
            self.arm, question.messages, decode, extra=self._forms[0], pause=self._pause
        )
        self._calls.append((question, call, len(self._forms)))

    def step(self) -> list[Reply]:
        calls, self._calls, replies = self._calls, [], list[Reply]()
        try:
            while calls:
                question, call, forms = calls.pop(0)
                reply = self._look(question, call, forms)
                replies += [reply] if reply is not None else []
        except BaseException:
            self._calls += calls
            raise
        if not replies:
            time.sleep(_PAUSE)
        return replies

    def cancel(self) -> None:
        for _, call, _ in self._calls:
            call.cancel()
        self._calls = []

    def count(self, text: str) -> int:
        return len(text)

    def find_excess(self, messages: Sequence[Message]) -> int:
        return 0  # the server says it of the question, and it is asked again with less

    def _look(self, question: SourceQuestion, call: Endpoint, forms: int) -> Reply | None:
        """What came of a question; None where it is still in flight, or is asked again."""
        try:
            call.more()
        except EndpointUnreachable as error:
            self._unreachable += 1
            if self._unreachable >= UNREACHABLE:
                raise
            self._pause.extend(FIRST_SECONDS * 2 ** (self._unreachable - 1))
            return self._try_again(question, error)
        except EndpointGone:
            raise
        except RequestRejected as error:
            return self._reject(question, error, forms)
        except EngineError as error:
            self._waste(question, call)
            return self._try_again(question, error)
        if call.finish is None:
            self._calls.append((question, call, forms))
            return None
        self._unreachable = 0
        self._failures.pop(question.id, None)
        sample = call.sample(question.id)
        usage = self._usage(question, call)
        if wasted := self._wasted.pop(question.id, None):
            usage = usage + wasted
        return Reply(question, sample, usage)

    def _usage(self, question: SourceQuestion, call: Endpoint) -> TokenUsage:
        """The server's count, else an estimate of what was asked and came."""
        if call.usage is not None:
            return call.usage
        self.notes[ESTIMATED] = None
        asked = sum(len(message.content) for message in question.messages)
        return TokenUsage(
            -(-asked // _CHARACTERS), -(-len(call.text) // _CHARACTERS), is_estimated=True
        )

    def _waste(self, question: SourceQuestion, call: Endpoint) -> None:
        """Count what an answer took that broke off: it costs what a whole one does."""
        if call.text or call.usage is not None:
            before = self._wasted.get(question.id, TokenUsage(0, 0))
            self._wasted[question.id] = before + self._usage(question, call)

    def _try_again(self, question: SourceQuestion, error: EngineError) -> Reply | None:
        self._failures[question.id] += 1
        if self._failures[question.id] >= TRIES:
            del self._failures[question.id]
            wasted = self._wasted.pop(question.id, TokenUsage(0, 0))
            return Reply(question, usage=wasted, trouble="no answer", detail=error.line)
        self.ask(question)
        return None

    def _reject(self, question: SourceQuestion, error: RequestRejected, forms: int) -> Reply | None:
        if _TOO_LONG.search(error.detail):
            share = find_share(error.detail, self._decode.max_new_tokens)
            return Reply(
                question, trouble="too long for the context", detail=error.line, share=share
            )
        if forms == 1 or error.status not in (400, 422):
            return Reply(question, trouble="refused", detail=error.line)
        if forms == len(self._forms):  # not one that was sent before the last form was dropped
            self._drop_form(error)
        self.ask(question)
        return None

    def _drop_form(self, error: RequestRejected) -> None:
        """Ask with less from now on. Raises EngineError where the recipe does not allow that."""
        if self._has_schema and self._needs_schema:
            raise EngineError(
                "The endpoint refuses the schema.",
                error.detail,
                "Set asking.grammar to auto: it is then asked without.",
            )
        self.notes[WITHOUT_SCHEMA if self._has_schema else WITHOUT_COUNTS] = None
        self._has_schema = False
        self._forms.pop(0)


def _response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    form = {"name": "row", "strict": True, "schema": dict(schema)}
    return {"response_format": {"type": "json_schema", "json_schema": form}}
