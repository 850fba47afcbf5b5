"""Prompts to compare arms on: files of them, JSONL, CSV or TXT.

A JSONL row holds `messages`, or one text under `prompt`, `text`, `question` or `instruction` (with
`input`); a CSV the same columns; a TXT a prompt a line. `id` and `skill` are optional.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.catalog.schemas import ROLES, Message
from engine.demo import PROMPTS
from engine.errors import EngineError

_TEXTS = ("prompt", "text", "question", "instruction")


@dataclass(frozen=True, slots=True)
class Prompt:
    id: str
    messages: tuple[Message, ...]
    skill: str = ""


def find(ref: str) -> Path:
    """The file that `ref` names: `bundled:NAME` or a path."""
    scheme, colon, name = ref.partition(":")
    if scheme == "bundled" and colon:
        return PROMPTS / f"{name}.jsonl"
    return Path(ref).expanduser()


def read(path: Path) -> list[Prompt]:
    """The prompts of a file, in order, each with an id of its own (the line's where it has none).

    Raises EngineError with file and line.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise EngineError(
            "The prompts cannot be read.", f"{path}: {error.strerror}", "Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise EngineError("The prompts are not UTF-8 text.", f"{path}: {error}") from error
    prompts: dict[str, Prompt] = {}
    for line, row in _rows(path, text):
        try:
            prompt = _prompt(row, f"{path.stem}-{line}")
        except ValueError as error:
            raise _wrong(path, line, str(error)) from error
        if prompt.id in prompts:
            raise _wrong(path, line, f"the id {prompt.id!r} comes twice")
        prompts[prompt.id] = prompt
    if not prompts:
        raise EngineError("There are no prompts in this file.", str(path), "Write one a line.")
    return list(prompts.values())


def _rows(path: Path, text: str) -> Iterator[tuple[int, object]]:
    if path.suffix == ".csv":
        reader = csv.DictReader(io.StringIO(text))
        for row in reader:
            yield reader.line_num, {key: value for key, value in row.items() if value}
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if path.suffix not in (".jsonl", ".json"):
            yield number, {"prompt": line.strip()}
            continue
        try:
            yield number, json.loads(line)
        except ValueError as error:
            raise _wrong(path, number, f"not valid JSON: {error}") from error


def _prompt(row: object, fallback: str) -> Prompt:
    if not isinstance(row, Mapping):
        raise ValueError("not a JSON object")
    identity, skill = row.get("id", fallback), row.get("skill", "")
    return Prompt(str(identity), _messages(row), str(skill))


def _messages(row: Mapping[str, Any]) -> tuple[Message, ...]:
    if "messages" not in row:
        field = next((name for name in _TEXTS if row.get(name)), None)
        if field is None:
            raise ValueError(f"none of messages, {', '.join(_TEXTS)} is there")
        text = row[field]
        if field == "instruction" and row.get("input"):
            text = f"{text}\n\n{row['input']}"
        return (Message("user", str(text)),)
    said = row["messages"]
    if not isinstance(said, list) or not said:
        raise ValueError("messages is not a list of messages")
    for one in said:
        if not isinstance(one, Mapping) or one.get("role") not in ROLES:
            raise ValueError(f"a message has none of the roles {', '.join(ROLES)}")
        if not isinstance(one.get("content"), str):
            raise ValueError("a message has no content")
    return tuple(Message(one["role"], one["content"]) for one in said)


def _wrong(path: Path, line: int, why: str) -> EngineError:
    return EngineError("A prompt cannot be used.", f"{path}:{line}: {why}")
