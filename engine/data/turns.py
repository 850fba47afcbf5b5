"""One turn of a conversation: who speaks, what, and what the turn says beside that.

Turns come in OpenAI's form (`role`, `content`, `tool_calls`, `reasoning_content`) or in ShareGPT's
(`from`, `value`; `function_call` and `observation` are speakers there). Marks that take an answer
out of the loss are honoured (`weight: 0`, `train: false`). Every fault is a `BadRow`.
"""

from collections.abc import Mapping

from engine.chat import ROLES, Message, ToolCall
from engine.data.tool_fields import parse_calls, read_calls
from engine.data.values import BadRow, check_text, is_missing, say, write_json, write_value

_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
_MARKS = ("weight", "train", "training", "loss")
READ_KEYS = frozenset(
    {"role", "from", "content", "value", "tool_calls", "function_call", "tool_call_id", "name"}
    | {*_REASONING_KEYS, *_MARKS}
)
"""The keys of a turn that are read here."""

_ROLE_NAMES = {
    **{role: role for role in ROLES},
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "developer": "system",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
    "function_response": "tool",
    "function_call": "assistant",
    "tool_call": "assistant",
}
_CALLING = ("function_call", "tool_call")
"""Speakers whose text is a call."""


def read_turn(turn: object, where: str) -> Message | None:
    """A turn's message; None for a system turn without content.

    Of data sets that were merged, turns have the keys of both, and null where one has none. Raises
    BadRow.
    """
    if not isinstance(turn, Mapping):
        raise BadRow(f"{where} must be an object, not {say(turn)}")
    role_field = "role" if not is_missing(turn.get("role")) else "from"
    content_field = "content" if not is_missing(turn.get("content")) else "value"
    role_name, content = turn.get(role_field), write_value(turn.get(content_field))
    role = _ROLE_NAMES.get(role_name.replace("-", "_")) if isinstance(role_name, str) else None
    if role == "system" and is_missing(content):
        return None
    calls = _read_calls(turn, role, role_name, content, where)
    if role_name in _CALLING or (calls and is_missing(content)):
        content = ""
    for value, usual in ((role_name, "role"), (content, "content")):
        if is_missing(value):
            raise BadRow(f"{where}: missing field {usual!r}")
    if role is None:
        allowed = "system, user, assistant or tool"
        raise BadRow(f"{where}: role {str(role_name)[:40]!r} is not {allowed}")
    text = _read_content(content, role, f"{where}: {content_field!r}", where)
    if role == "assistant" and not text.strip() and not calls:
        raise BadRow(f"{where}: empty answer")
    if role != "assistant":
        of_result = role == "tool"
        return Message(
            role,
            text,
            name=_read_label(turn, "name", where) if of_result else "",
            tool_call_id=_read_label(turn, "tool_call_id", where) if of_result else "",
        )
    return Message(
        role, text, _read_reasoning(turn, where), calls, trained=_is_trained(turn, where)
    )


def _read_calls(
    turn: Mapping[str, object], role: str | None, role_name: object, content: object, where: str
) -> tuple[ToolCall, ...]:
    if role != "assistant":
        return ()
    if role_name in _CALLING and not is_missing(content):
        return tuple(parse_calls(content, f"{where}: {role_name!r}"))
    return read_calls(turn, where)


def _read_content(content: object, role: str, named: str, where: str) -> str:
    """The text of a turn; a tool's result may be any JSON value."""
    if role == "tool" and not isinstance(content, str) and not _are_parts(content):
        return write_json(content, named)
    if isinstance(content, list):
        content = _join_parts(content, where)
    if not isinstance(content, str):
        raise BadRow(f"{named} must be text, not {say(content)}")
    check_text(content, named)
    return content


def _read_reasoning(turn: Mapping[str, object], where: str) -> str:
    for key in _REASONING_KEYS:
        value = turn.get(key)
        if is_missing(value) or value == "":
            continue
        if not isinstance(value, str):
            raise BadRow(f"{where}: {key!r} must be text, not {say(value)}")
        check_text(value, f"{where}: {key!r}")
        return value
    return ""


def _read_label(turn: Mapping[str, object], key: str, where: str) -> str:
    value = write_value(turn.get(key))
    if is_missing(value):
        return ""
    if not isinstance(value, str):
        raise BadRow(f"{where}: {key!r} must be text, not {say(value)}")
    check_text(value, f"{where}: {key!r}")
    return value


def _is_trained(turn: Mapping[str, object], where: str) -> bool:
    """Whether no mark takes the answer out of the loss.

    A weight is 0 or 1, as OpenAI has it. Raises BadRow for any other: nothing between is honoured.
    Under the other names a number that is neither is no mark.
    """
    weight = turn.get("weight")
    if not is_missing(weight) and weight not in (0, 1):
        raise BadRow(f"{where}: 'weight' must be 0 or 1, not {str(weight)[:40]}")
    return not any(turn.get(key) == 0 and not is_missing(turn.get(key)) for key in _MARKS)


def _are_parts(content: object) -> bool:
    """Whether a value is a list of parts of a message: each is a text, or an object with one."""
    return isinstance(content, list) and all(
        isinstance(part, str) or (isinstance(part, Mapping) and ("text" in part or "value" in part))
        for part in content
    )


def _join_parts(parts: list[object], where: str) -> str:
    texts = [_read_part(part) for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise BadRow(f"{where}: contains parts that are not text")
    return "".join(str(text) for text in texts)


def _read_part(part: object) -> object:
    """The text of a part; that of parts of other kinds may be an image's address."""
    if not isinstance(part, Mapping):
        return part
    if is_missing(part.get("text")) and part.get("type") in (None, "text"):
        return part.get("value")
    return part.get("text")
