"""An endpoint's answer as it grows out of the parts that the server sends, and the request's turns.

The protocol is OpenAI's: content, reasoning and tool calls come apart; calls in deltas, by their
index, with their arguments as JSON text.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.answer_parts import AnswerParts, parts_of_reply, split_answer, split_text
from engine.chat import Message, Tools
from engine.worker.inference.endpoint_key import hide

MOST_CALLS = 256
"""Calls of one answer that are read."""


@dataclass(frozen=True, slots=True)
class ReplyPiece:
    """What one event of a server adds."""

    content: str = ""
    reasoning: str = ""
    calls: tuple[Mapping[str, Any], ...] = ()
    """`tool_calls` as they come, whole or in parts."""


class EndpointAnswer:
    """The text of an answer, with what is delivered apart as reasoning between its marks.

    The marks are those that such models write themselves, so that an arm behind an address reads as
    one that answers here.
    """

    def __init__(self, secret: str = "") -> None:
        """`secret` is hidden wherever the server repeats it, in whatever pieces."""
        self._secret = secret
        self._text = ""
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        """By the server's index: `id`, `name`, and the parts of `arguments`."""
        self._is_thinking = False

    @property
    def text(self) -> str:
        """All that has come."""
        return hide(self._secret, self._text)

    def add(self, piece: ReplyPiece) -> str:
        """The text that a piece adds."""
        self._content.append(piece.content)
        self._reasoning.append(piece.reasoning)
        for call in piece.calls:
            self._add_call(call)
        text, thought = piece.content, piece.reasoning
        if thought:
            thought = thought if self._is_thinking else f"<think>\n{thought}"
            self._is_thinking = True
        if self._is_thinking and text:
            self._is_thinking = False
            text = f"{thought}\n</think>\n\n{text}"
        else:
            text = thought + text
        self._text += text
        return hide(self._secret, text)

    def known_parts(self, tools: Tools, *, is_parsed: bool) -> AnswerParts | None:
        """The parts of the answer; None where its text tells them.

        `is_parsed`: the server was to find the calls itself, so that one that it left in the text
        is lost. Else they are found in the text.
        """
        content = hide(self._secret, "".join(self._content))
        reasoning = hide(self._secret, "".join(self._reasoning))
        if is_parsed or self._calls or reasoning:
            calls = [_whole_call(call, self._secret) for call in self._calls.values()]
            parts = parts_of_reply(content, reasoning, calls, tools, is_parsed=is_parsed)
        else:
            parts = split_answer(content, tools)
        return None if parts == split_text(self.text) else parts

    def _add_call(self, delta: Mapping[str, Any]) -> None:
        function = delta.get("function")
        function = function if isinstance(function, Mapping) else {}
        index = delta.get("index")
        if not isinstance(index, int):  # some servers send whole calls, without a number
            is_new = bool(function.get("name")) or not self._calls
            index = max(self._calls, default=-1) + is_new
        if index not in self._calls and len(self._calls) >= MOST_CALLS:
            return
        call = self._calls.setdefault(index, {"id": "", "name": "", "arguments": []})
        for key, value in (("id", delta.get("id")), ("name", function.get("name"))):
            if isinstance(value, str) and not call[key]:
                call[key] = value
        call["arguments"].append(function.get("arguments"))


def _whole_call(call: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """A call whose parts have all come, as a reply that is not streamed has it."""
    parts = [part for part in call["arguments"] if part is not None]
    is_text = all(isinstance(part, str) for part in parts)
    arguments = "".join(parts) if is_text else parts[0] if len(parts) == 1 else parts
    function = {"name": call["name"], "arguments": arguments}
    whole = {"id": call["id"], "type": "function", "function": function}
    if not secret:
        return whole
    hidden: dict[str, Any] = json.loads(hide(secret, json.dumps(whole, ensure_ascii=False)))
    return hidden


def write_turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages of a request: arguments as JSON text, and an id for each call and its result.

    Ids that are missing are made, in the form that the strictest servers accept: nine letters and
    digits. Earlier reasoning is not sent: no template writes it again, and some servers refuse it.
    """
    turns: list[dict[str, Any]] = []
    made, waiting = 0, list[str]()
    for message in messages:
        turn: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.tool_calls:
            waiting, calls = [], []
            for call in message.tool_calls:
                identity = call.id or f"call{made:05d}"
                made += not call.id
                waiting.append(identity)
                function = {"name": call.name, "arguments": call.arguments}
                calls.append({"id": identity, "type": "function", "function": function})
            turn |= {"content": message.content or None, "tool_calls": calls}
        if message.role == "tool":
            following = waiting.pop(0) if waiting else ""
            turn["tool_call_id"] = message.tool_call_id or following
            turn |= {"name": message.name} if message.name else {}
        turns.append(turn)
    return turns
