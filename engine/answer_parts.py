"""An answer taken apart: what the model thinks, which tools it calls, and what it says.

Works on the text with its special tokens, as the model wrote it, or on what a server delivered in
parts. Reasoning stands at the beginning; a call inside it is no call.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from engine.call_finder import find_calls
from engine.chat import Message, ToolCall, Tools, message_from_json
from engine.python_calls import CallError
from engine.tool_calls import MalformedCall, call_of, same_call

_OPENS = re.compile(r"\s*(<think>|\[THINK\])")
_CLOSES = re.compile(r"</think>|\[/THINK\]")
_CLOSES_ALONE = re.compile(r"</think>[ \t]*(?=\n|\Z)|\[/THINK\]")
"""Without an opening mark before it: the prompt may have opened the reasoning."""
_PROMPT_OPENS = re.compile(r"(?:<think>|\[THINK\])\s*\Z")


@dataclass(frozen=True, slots=True)
class AnswerParts:
    spoken: str
    """What is left for a reader: without reasoning, calls and malformed calls."""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    malformed: tuple[MalformedCall, ...] = ()
    """Texts that begin as a call and are none."""
    lost: tuple[ToolCall, ...] = ()
    """Valid calls in the text of a server's reply which its `tool_calls` do not have: the server's
    parser lost them."""

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but what is said."""
        return not (self.reasoning or self.tool_calls or self.malformed or self.lost)

    @property
    def without_ids(self) -> "AnswerParts":
        """The same with calls that have no ids: a server makes them up."""
        calls, lost = (
            tuple(replace(call, id="") for call in calls) for calls in (self.tool_calls, self.lost)
        )
        return replace(self, tool_calls=calls, lost=lost)

    def to_table(self) -> dict[str, Any]:
        """The parts as JSON, those that hold something; calls in Hugging Face's form."""
        table = {
            "reasoning": self.reasoning,
            "tool_calls": [call.to_json() for call in self.tool_calls],
            "malformed_calls": [{"text": one.text, "reason": one.reason} for one in self.malformed],
            "lost_calls": [call.to_json() for call in self.lost],
        }
        return {"spoken": self.spoken, **{key: value for key, value in table.items() if value}}


def split_answer(text: str, tools: Tools = (), *, reasoning_is_open: bool = False) -> AnswerParts:
    """The parts of an answer.

    `tools`: as for `engine.call_finder.find_calls`. `reasoning_is_open`: the prompt ends in the
    mark that opens reasoning (`opens_reasoning`). An answer with no parts is said as it stands.
    """
    reasoning, rest = _split_reasoning(text, reasoning_is_open)
    found = find_calls(rest, tools)
    spoken = found.rest if rest is text else found.rest.strip()
    return AnswerParts(spoken, reasoning, found.calls, found.malformed)


def split_growing(text: str) -> AnswerParts:
    """The parts of an answer that is not complete: a call that has begun is text until then."""
    reasoning, rest = _split_reasoning(text, False)
    return AnswerParts(rest if rest is text else rest.strip(), reasoning)


@lru_cache(maxsize=256)
def split_text(text: str) -> AnswerParts:
    """`split_answer` of a text alone, remembered: lists and panes are drawn again and again."""
    return split_answer(text)


def opens_reasoning(prompt: str) -> bool:
    """Whether a rendered prompt ends inside reasoning, as those of DeepSeek-R1's distills do."""
    return _PROMPT_OPENS.search(prompt[-64:]) is not None


def parts_of_reply(
    content: str,
    reasoning: str,
    calls: Sequence[Mapping[str, Any]],
    tools: Tools = (),
    *,
    is_parsed: bool = True,
) -> AnswerParts:
    """The parts of a server's reply, which came apart; `calls` as OpenAI's protocol has them.

    What the server left in `content` is taken apart too. `is_parsed`: it was to find the calls
    itself, so that what it left there is lost; else that is a call like any other.
    """
    parts = split_answer(content, tools)
    delivered: list[ToolCall] = []
    malformed: list[MalformedCall] = []
    for call in calls:
        try:
            delivered.append(call_of(call))
        except CallError as error:
            malformed.append(MalformedCall(json.dumps(call, ensure_ascii=False), str(error)))
    thoughts = "\n\n".join(part for part in (reasoning.strip(), parts.reasoning) if part)
    lost = tuple(
        call for call in parts.tool_calls if not any(same_call(call, one) for one in delivered)
    )
    if not is_parsed:
        delivered, lost = [*delivered, *lost], ()
    return AnswerParts(
        parts.spoken, thoughts, tuple(delivered), (*malformed, *parts.malformed), lost
    )


def parts_from_table(table: Mapping[str, Any]) -> AnswerParts:
    """The parts that `AnswerParts.to_table` wrote. Raises ValueError."""
    message = {"role": "assistant", "content": table["spoken"]}
    calls, lost = (
        message_from_json({**message, "tool_calls": table.get(key, ())}).tool_calls
        for key in ("tool_calls", "lost_calls")
    )
    malformed = tuple(
        MalformedCall(str(one["text"]), str(one["reason"]))
        for one in table.get("malformed_calls", ())
    )
    return AnswerParts(
        str(table["spoken"]), str(table.get("reasoning", "")), calls, malformed, lost
    )


def parts_of_message(message: Message) -> AnswerParts:
    """The parts of an earlier answer: those that it has, or those of its text."""
    if message.reasoning or message.tool_calls:
        return AnswerParts(message.content, message.reasoning, message.tool_calls)
    return split_text(message.content)


def _split_reasoning(text: str, is_open: bool) -> tuple[str, str]:
    """What is thought, and all after it; without reasoning the text itself."""
    thoughts: list[str] = []
    at, pattern = 0, _CLOSES
    begin = _OPENS.match(text)
    if begin is None and not is_open:
        closing = _CLOSES_ALONE.search(text)
        if closing is None or "<think>" in text[: closing.start()]:
            return "", text
        pattern = _CLOSES_ALONE
    at = begin.end() if begin else 0
    while True:
        closing = pattern.search(text, at)
        thoughts.append((text[at : closing.start()] if closing else text[at:]).strip())
        at = closing.end() if closing else len(text)
        begin, pattern = _OPENS.match(text, at), _CLOSES
        if begin is None:
            return "\n\n".join(filter(None, thoughts)), text[at:]
        at = begin.end()
