"""Suites: files of items by skill, one JSON object a line.

Owns the shape of an item and its checks. Refuses to guess: what does not fit is named with its
file and line.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.chat import ROLES, Message
from engine.errors import EngineError

SCORES = ("exact", "number", "choices", "words", "code", "perplexity", "open")
"""The ways to score an item; `engine.impact.scores` says what each means."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to ask, or one text to read."""

    id: str
    skill: str
    score: str
    messages: tuple[Message, ...] = ()
    """The last is the user's; empty where `text` is read instead."""
    answer: object = None
    """What is right, in the form that the way of scoring wants."""
    text: str = ""
    key: str = ""
    """The filled-in combination that no training text holds."""


def load(path: Path) -> tuple[Item, ...]:
    """The items of one suite file, in order.

    Raises EngineError with file and line where the file cannot be read, is empty, or holds a line
    that is not an item; and where an id comes twice.
    """
    items = tuple(_read(path))
    if not items:
        raise EngineError("The suite is empty.", str(path), "Write one JSON item per line.")
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise EngineError(
                f"Duplicate item id {item.id}.", str(path), "Give each item a unique id."
            )
        seen.add(item.id)
    return items


def parse(row: object) -> Item:
    """The item that a JSON value stands for. Raises ValueError with the reason where it is none."""
    if not isinstance(row, Mapping):
        raise ValueError("not a JSON object")
    score = _word(row, "score")
    if score not in SCORES:
        raise ValueError(f"unknown score {score!r}; known: {', '.join(SCORES)}")
    identity, skill = _word(row, "id"), _word(row, "skill")
    key = str(row.get("key", ""))
    if score == "perplexity":
        return Item(identity, skill, score, text=_word(row, "text"), key=key)
    answer = row.get("answer")
    _check_answer(score, answer)
    return Item(identity, skill, score, _messages(row.get("messages")), answer, key=key)


def _read(path: Path) -> Iterator[Item]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError("The suite cannot be read.", f"{path}: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield parse(json.loads(line))
        except ValueError as error:
            raise EngineError(
                "Invalid suite item.",
                f"{path}:{number}: {error}",
                "An item has id, skill, score, and messages with an answer, or a text.",
            ) from error


def _word(row: Mapping[str, object], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value:
        raise ValueError(f"field {field!r} is missing or not a text")
    return value


def _messages(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("field 'messages' is missing or empty")
    messages = []
    for message in value:
        if not isinstance(message, Mapping):
            raise ValueError("a message is not a JSON object")
        role, content = _word(message, "role"), _word(message, "content")
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}")
        messages.append(Message(role, content))
    if messages[-1].role != "user":
        raise ValueError("the last message is not from the user")
    return tuple(messages)


def _check_answer(score: str, answer: object) -> None:
    """Raise ValueError where the answer lacks what its score needs."""
    if score in ("exact", "code") and not isinstance(answer, str):
        raise ValueError(f"score {score!r} needs a text as its answer")
    if score == "number" and (isinstance(answer, bool) or not isinstance(answer, int | float)):
        raise ValueError("score 'number' needs a number as its answer")
    if score == "choices" and not (
        isinstance(answer, Mapping)
        and isinstance(answer.get("right"), str)
        and isinstance(answer.get("wrong"), list)
    ):
        raise ValueError("score 'choices' needs an answer with 'right' and 'wrong'")
    if score == "words" and not (
        isinstance(answer, Mapping)
        and isinstance(answer.get("count"), int)
        and isinstance(answer.get("topic"), str)
    ):
        raise ValueError("score 'words' needs an answer with 'count' and 'topic'")
