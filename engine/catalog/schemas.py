"""What the fields of a data row mean, and the conversation that a row stands for.

One schema a file: which one is told by the names of the fields, so that a row that lacks one can be
refused by the field's name. Refuses to guess: text/label data is recognised and left.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

ROLES = ("system", "user", "assistant")
_ROLE_NAMES = {
    **{role: role for role in ROLES},
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "developer": "system",
}
_LABELS = frozenset({"label", "label_name", "labels", "class", "category"})


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    """`system`, `user` or `assistant`."""
    content: str


class BadRow(ValueError):
    """A row that cannot be learned from; its text is the reason, in plain words."""


def recognise(row: object) -> str | None:
    """The schema's name by the fields that a row has; None where no schema fits.

    `text/label` is named so that it can be refused with advice: `convert` does not take it.
    """
    if not isinstance(row, Mapping):
        return None
    for schema, fields in _FIELDS.items():
        if all(field in row for field in fields):
            return schema
    if "text" in row and _LABELS & row.keys():
        return "text/label"
    return None


def convert(row: object, schema: str) -> tuple[Message, ...]:
    """The conversation of one row: at least one user turn and one answer that is not empty.

    Raises BadRow with the reason. `schema` is a name that `recognise` gave, not `text/label`.
    """
    if not isinstance(row, Mapping):
        raise BadRow(f"a row must be an object with fields, this is {_say(row)}")
    missing = [field for field in _FIELDS[schema] if row.get(field) is None]
    if missing:
        raise BadRow(f"missing field {' and '.join(repr(field) for field in missing)}")
    messages = _CONVERTERS[schema](row, schema)
    if not any(message.role == "user" for message in messages):
        raise BadRow("no user message to answer")
    if not any(message.role == "assistant" for message in messages):
        raise BadRow("no answer to learn")
    return messages


def _convert_instruction(row: Row, schema: str) -> tuple[Message, ...]:
    parts = [_read_text(row, "instruction", empty=True)]
    parts += [
        _read_text(row, field, empty=True) for field in ("input", "context") if row.get(field)
    ]
    prompt = "\n\n".join(part for part in parts if part.strip())
    if not prompt:
        raise BadRow("empty 'instruction'")
    answer = Message("assistant", _read_text(row, _FIELDS[schema][1]))
    return (*_read_system(row), Message("user", prompt), answer)


def _convert_pair(row: Row, schema: str) -> tuple[Message, ...]:
    """A prompt and an answer, each a text or a list of turns; of two answers the chosen one.

    An answer may also be the whole conversation, its prompt included.
    """
    asked, answered = _FIELDS[schema]
    answer: tuple[Message, ...]
    if isinstance(row[answered], list):
        answer = _read_turns(row[answered], answered)
        if answer[0].role != "assistant":
            return answer
    else:
        answer = (Message("assistant", _read_text(row, answered)),)
    if isinstance(row[asked], list):
        return (*_read_turns(row[asked], asked), *answer)
    return (*_read_system(row), Message("user", _read_text(row, asked)), *answer)


def _convert_turns(row: Row, schema: str) -> tuple[Message, ...]:
    field = _FIELDS[schema][0]
    turns = _read_turns(row[field], field)
    return turns if turns and turns[0].role == "system" else (*_read_system(row), *turns)


def _read_turns(turns: object, field: str) -> tuple[Message, ...]:
    if not isinstance(turns, list) or not turns:
        raise BadRow(f"{field!r} must be a list of messages, this is {_say(turns)}")
    return tuple(_read_turn(turn, f"{field}[{index}]") for index, turn in enumerate(turns))


def _read_turn(turn: object, where: str) -> Message:
    if not isinstance(turn, Mapping):
        raise BadRow(f"{where} must be an object, this is {_say(turn)}")
    spoken = "role" if "role" in turn else "from"
    said = "content" if "content" in turn else "value"
    for field, usual in ((spoken, "role"), (said, "content")):
        if turn.get(field) is None:
            raise BadRow(f"{where}: missing field {usual!r}")
    role = _ROLE_NAMES.get(turn[spoken]) if isinstance(turn[spoken], str) else None
    if role is None:
        raise BadRow(f"{where}: role {str(turn[spoken])[:40]!r} is not system, user or assistant")
    content = turn[said]
    if isinstance(content, list):
        content = _join_parts(content, where)
    if not isinstance(content, str):
        raise BadRow(f"{where}: {said!r} must be text, this is {_say(content)}")
    _check_text(content, f"{where}: {said!r}")
    if role == "assistant" and not content.strip():
        raise BadRow(f"{where}: empty answer")
    return Message(role, content)


def _join_parts(parts: list[object], where: str) -> str:
    texts = [part.get("text") if isinstance(part, Mapping) else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise BadRow(f"{where}: holds something other than text")
    return "".join(str(text) for text in texts)


def _read_system(row: Row) -> tuple[Message, ...]:
    text = _read_text(row, "system", empty=True) if row.get("system") else ""
    return (Message("system", text),) if text.strip() else ()


def _read_text(row: Row, field: str, *, empty: bool = False) -> str:
    value = row[field]
    if not isinstance(value, str):
        raise BadRow(f"field {field!r} must be text, this is {_say(value)}")
    _check_text(value, f"field {field!r}")
    if not empty and not value.strip():
        raise BadRow(f"empty {field!r}")
    return value


def _check_text(text: str, where: str) -> None:
    if "\0" in text:
        raise BadRow(f"{where} holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRow(f"{where} is not valid Unicode at character {error.start + 1}") from error


def _say(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    if value is None:
        return "nothing"
    return names.get(type(value), "a number")


_FIELDS: dict[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "conversations": ("conversations",),
    "instruction/output": ("instruction", "output"),
    "instruction/response": ("instruction", "response"),
    "prompt/chosen/rejected": ("prompt", "chosen"),
    "question/chosen/rejected": ("question", "chosen"),
    "prompt/completion": ("prompt", "completion"),
    "prompt/response": ("prompt", "response"),
    "prompt/answer": ("prompt", "answer"),
    "question/answer": ("question", "answer"),
    "question/response": ("question", "response"),
}
"""The fields that a row of each schema must have; the first schema that fits is taken."""

_CONVERTERS: dict[str, Callable[[Row, str], tuple[Message, ...]]] = {
    **dict.fromkeys(_FIELDS, _convert_pair),
    **dict.fromkeys(("messages", "conversations"), _convert_turns),
    **dict.fromkeys(("instruction/output", "instruction/response"), _convert_instruction),
}
