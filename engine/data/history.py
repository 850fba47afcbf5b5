"""Earlier turns beside a prompt: the column `history` of LLaMA-Factory, ChatGLM and ms-swift.

A list of `[question, answer]`, oldest first, or of turns, which come before what is asked. Their
answers are trained on, as those of any conversation are, each in its own context; LLaMA-Factory
does the same unless `mask_history` is set.
"""

import json
from collections.abc import Iterator

from engine.chat import Message
from engine.data.messages import read_turns
from engine.data.schemas import is_turn
from engine.data.values import BadRow, Row, check_text, is_blank, is_missing, say, write_value

_FIELD = "history"


def put_history(row: Row, conversation: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation with the row's earlier turns before it, behind its system message.

    As it is where it begins with them already. Raises BadRow for a history that cannot be read.
    """
    history = read_history(row)
    system = conversation[:1] if conversation[0].role == "system" else ()
    rest = conversation[len(system) :]
    if not history or rest[: len(history)] == history:
        return conversation
    if history[0].role == "system":
        return (*history, *rest)
    return (*system, *history, *rest)


def read_history(row: Row) -> tuple[Message, ...]:
    """The row's earlier turns, of which the last is an answer; none where it has none. BadRow."""
    listed = _list_pairs(row.get(_FIELD))
    if not listed:
        return ()
    if is_turn(listed[0]):
        messages = read_turns(listed, _FIELD)
        if messages[-1].role != "assistant":
            raise BadRow(f"{_FIELD!r} does not end in an answer")
        return messages
    return tuple(
        message for index, pair in enumerate(listed) for message in _read_pair(index, pair)
    )


def _list_pairs(value: object) -> list[object]:
    """The list, which a table's cell holds as JSON; empty where it says nothing. Raises BadRow."""
    try:
        listed = json.loads(value) if isinstance(value, str) and value.strip() else value
    except (ValueError, RecursionError):
        listed = value
    if is_blank(listed):
        return []
    if not isinstance(listed, list):
        raise BadRow(f"{_FIELD!r} must be a list of [question, answer], not {say(value)}")
    return listed


def _read_pair(index: int, pair: object) -> Iterator[Message]:
    """A question and its answer. Raises BadRow."""
    where = f"{_FIELD}[{index}]"
    if not isinstance(pair, list) or len(pair) != 2:
        size = f"a list of {len(pair)}" if isinstance(pair, list) else say(pair)
        raise BadRow(f"{where} must be [question, answer], not {size}")
    for role, name, cell in zip(("user", "assistant"), ("question", "answer"), pair, strict=True):
        text = write_value(cell)
        if is_missing(text):
            raise BadRow(f"{where}: missing {name}")
        if not isinstance(text, str):
            raise BadRow(f"{where}: the {name} must be text, not {say(text)}")
        check_text(text, f"{where}: the {name}")
        if not text.strip():
            raise BadRow(f"{where}: empty {name}")
        yield Message(role, text)
