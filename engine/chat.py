"""One message of a conversation, as data, prompts, samples and templates hold it.

As JSON a message has the keys that Hugging Face's chat templates read: `role`, `content`, and where
they say something `reasoning_content`, `tool_calls`, `name`, `tool_call_id`; `train` is false where
an answer is not trained on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

ROLES = ("system", "user", "assistant", "tool")

Tools = tuple[Mapping[str, Any], ...]
"""The tools that a model may call, each a JSON object as transformers' `apply_chat_template`
takes it: `{"type": "function", "function": {"name": …, "parameters": …}}`."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: str = "{}"
    """A JSON object, as text."""
    id: str = ""

    def to_json(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": json.loads(self.arguments)}
        call = {"type": "function", "function": function}
        return {"id": self.id, **call} if self.id else call


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    """One of ROLES."""
    content: str
    """Empty only where the rest of the message says something."""
    reasoning: str = ""
    """What an answer thinks before it speaks, without the marks around it."""
    tool_calls: tuple[ToolCall, ...] = ()
    name: str = ""
    """Of a tool's result: the tool."""
    tool_call_id: str = ""
    """Of a tool's result: which call it belongs to."""
    trained: bool = True
    """Whether an answer is trained on; False is only context."""

    def to_json(self) -> dict[str, Any]:
        """The message as JSON, with the keys that say something."""
        more = {
            "reasoning_content": self.reasoning,
            "tool_calls": [call.to_json() for call in self.tool_calls],
            "name": self.name,
            "tool_call_id": self.tool_call_id,
        }
        filled = {key: value for key, value in more.items() if value}
        marks = {} if self.trained else {"train": False}
        return {"role": self.role, "content": self.content, **filled, **marks}


def message_from_json(value: Any) -> Message:
    """The message that `Message.to_json` wrote. Raises ValueError where it is none."""
    try:
        calls = tuple(
            ToolCall(
                str(call["function"]["name"]),
                json.dumps(call["function"]["arguments"], ensure_ascii=False),
                str(call.get("id", "")),
            )
            for call in value.get("tool_calls", ())
        )
        more = [value.get(key, "") for key in ("reasoning_content", "name", "tool_call_id")]
        role, texts, trained = value["role"], [value["content"], *more], value.get("train", True)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a message: {error!r}") from error
    if role not in ROLES or not all(isinstance(text, str) for text in texts):
        raise ValueError("a message needs a known role, and texts")
    content, reasoning, name, call_id = texts
    return Message(role, content, reasoning, calls, name, call_id, trained is not False)


def apply_prompt_options(
    messages: Sequence[Message], system: str | None = None, prefix: str | None = None
) -> list[Message]:
    """The conversation as an arm asks it: with its own system message, which is none where it is
    empty, and with its prefix before the last user turn, on a line of its own unless it ends in
    white space."""
    turns = list(messages)
    if system is not None:
        turns = [turn for turn in turns if turn.role != "system"]
        turns = [Message("system", system), *turns] if system else turns
    if prefix:
        users = [index for index, turn in enumerate(turns) if turn.role == "user"]
        for index in users[-1:]:
            gap = "" if prefix[-1].isspace() else "\n"
            turns[index] = replace(turns[index], content=prefix + gap + turns[index].content)
    return turns
