"""Messages, and how they are read out of a row: fields of text, lists of turns, transcripts.

Every fault is a `BadRow` whose text is the reason. Knows no schema.
"""

import json
import re
from collections.abc import Mapping

from engine.chat import Message
from engine.data.schemas import is_turn
from engine.data.turns import read_turn
from engine.data.values import BadRow, Row, check_text, is_missing, say, write_value

_SPEAKER = re.compile(r"(?:\A|\n\n)(Human|Assistant):(?=\s|\Z)")


def read_text(row: Row, field: str, *, empty: bool = False) -> str:
    """The text of a field; not blank, unless it may be `empty`."""
    value = write_value(row[field])
    if not isinstance(value, str):
        raise BadRow(f"field {field!r} must be text, not {say(value)}")
    check_text(value, f"field {field!r}")
    if not empty and not value.strip():
        raise BadRow(f"empty {field!r}")
    return value


def read_system(row: Row) -> tuple[Message, ...]:
    """The row's own system message; none where the field is missing or blank."""
    text = read_text(row, "system", empty=True) if _is_filled(row, "system") else ""
    return (Message("system", text),) if text.strip() else ()


def are_turns(value: object) -> bool:
    """Whether a value is a list, or the columns of one, as `datasets` stores a list of objects, or
    one turn alone."""
    return isinstance(value, list) or is_turn(value) or _are_columns(value)


def _are_columns(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    columns = list(value.values())
    lists = all(isinstance(column, list) for column in columns)
    return bool(columns) and lists and len({len(column) for column in columns}) == 1


def read_conversation(row: Row, field: str) -> tuple[Message, ...]:
    """A field's turns, after the row's own system message where they bring none."""
    turns = read_turns(row[field], field)
    return turns if turns[0].role == "system" else (*read_system(row), *turns)


def read_prompt(row: Row, field: str) -> tuple[Message, ...]:
    """What is asked, with the row's system message. An instruction brings its input along.

    Raises BadRow.
    """
    if are_turns(row[field]):
        return read_conversation(row, field)
    if field != "instruction":
        return (*read_system(row), Message("user", read_text(row, field)))
    parts = [read_text(row, field, empty=True)]
    parts += [
        read_text(row, more, empty=True) for more in ("input", "context") if _is_filled(row, more)
    ]
    prompt = "\n\n".join(part for part in parts if part.strip())
    if not prompt:
        raise BadRow("empty 'instruction'")
    return (*read_system(row), Message("user", prompt))


def read_turns(turns: object, field: str) -> tuple[Message, ...]:
    """The messages of a value for which `are_turns` holds, or of one as JSON in a text.

    Raises BadRow for any other.
    """
    listed = list_turns(turns, field)
    read = [read_turn(turn, f"{field}[{index}]") for index, turn in enumerate(listed)]
    messages = tuple(message for message in read if message is not None)
    if not messages:
        raise BadRow(f"{field!r} is an empty list")
    return messages


def list_turns(turns: object, field: str) -> list[object]:
    """The turns of such a value as they stand, read by nobody yet. Raises BadRow."""
    if isinstance(turns, str):
        turns = _read_json(turns, field)
    if is_turn(turns):
        return [turns]
    if isinstance(turns, Mapping) and _are_columns(turns):
        return [dict(zip(turns, cells, strict=True)) for cells in zip(*turns.values(), strict=True)]
    if not isinstance(turns, list):
        raise BadRow(f"{field!r} must be a list of messages, not {say(turns)}")
    return turns


def find_turns(value: object, field: str, *, as_json: bool) -> list[Row]:
    """The turns of a value as they stand; none where it is nothing of the kind.

    `as_json` where a text, too, can be nothing else than turns.
    """
    if isinstance(value, str) and not as_json:
        return []
    try:
        return [turn for turn in list_turns(value, field) if isinstance(turn, Mapping)]
    except BadRow:
        return []


def is_transcript(text: str) -> bool:
    """Whether a text is a conversation: `Human: …` and, below a blank line, `Assistant: …`."""
    first = _SPEAKER.match(text.lstrip())
    return first is not None and first.group(1) == "Human" and "\n\nAssistant:" in text


def read_transcript(text: str, field: str) -> tuple[Message, ...]:
    """The turns of a transcript. Refused where the speakers do not take turns: one of them may
    have said `Human:` within an answer, and nobody can tell."""
    check_text(text, f"field {field!r}")
    _, *parts = _SPEAKER.split(text.lstrip())
    turns = []
    for index, (speaker, content) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        if speaker != ("Human", "Assistant")[index % 2]:
            raise BadRow(f"{field!r}: two {speaker} messages in a row, at message {index + 1}")
        role = "user" if speaker == "Human" else "assistant"
        if not content.strip():
            raise BadRow(f"{field!r}: message {index + 1} ({speaker}) is empty")
        turns.append(Message(role, content.strip()))
    return tuple(turns)


def _is_filled(row: Row, field: str) -> bool:
    """Whether an optional field says something; 0 and false do."""
    value = row.get(field)
    return not is_missing(value) and (bool(value) or isinstance(value, int | float))


def _read_json(text: str, field: str) -> object:
    """The list that a cell holds as JSON. Raises BadRow."""
    try:
        turns = json.loads(text)
    except (ValueError, RecursionError) as error:
        if re.match(r"\s*\[\s*\{\s*'", text):
            raise BadRow(f"{field!r} is a list in Python's notation, not in JSON") from error
        raise BadRow(f"{field!r} must be a list of messages, not text") from error
    return turns
