"""Prompts to compare arms on: files of them, JSONL, CSV, TSV or TXT.

A JSONL row holds `messages`, or one text under `prompt`, `text`, `question` or `instruction` (with
`input`); a CSV the same columns; a TXT a prompt a line. `id`, `skill`, a `reference` answer and
`checks` (see `engine.compare.checks`) are optional.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.bundled import PROMPTS
from engine.chat import ROLES, Message
from engine.compare import checks
from engine.errors import EngineError

ALL = "all"
"""`bundled:all` is every bundled set, one after the other."""
_TEXTS = ("prompt", "text", "question", "instruction")
_REFERENCES = ("reference", "answer", "target", "completion", "output")


@dataclass(frozen=True, slots=True)
class Prompt:
    id: str
    messages: tuple[Message, ...]
    skill: str = ""
    reference: str = ""
    """A right answer, where one is known."""
    checks: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What an answer must be like, by the names of `engine.compare.checks`."""


def bundled() -> list[str]:
    """The names of the bundled sets."""
    return sorted(path.stem for path in PROMPTS.glob("*.jsonl"))


def load(ref: str) -> list[Prompt]:
    """The prompts that `ref` names: a path, `bundled:NAME` or `bundled:all`. Raises EngineError."""
    if ref == f"bundled:{ALL}":
        return [one for name in bundled() for one in read(find(f"bundled:{name}"))]
    return read(find(ref))


def find(ref: str) -> Path:
    """The file that `ref` names: `bundled:NAME` or a path. Raises EngineError for no such set."""
    scheme, colon, name = ref.partition(":")
    if scheme == "bundled" and colon:
        if name not in bundled():
            raise EngineError(
                f"Unknown bundled prompt set {name!r}.",
                f"Bundled sets: {', '.join(bundled())}, {ALL}.",
                "Use one of these, or a file.",
            )
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
            raise _wrong(path, line, f"duplicate id {prompt.id!r}")
        prompts[prompt.id] = prompt
    if not prompts:
        raise EngineError("The file has no prompts.", str(path), "Write one per line.")
    return list(prompts.values())


def _rows(path: Path, text: str) -> Iterator[tuple[int, object]]:
    if path.suffix in (".csv", ".tsv"):
        reader = csv.DictReader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ",")
        for row in reader:
            yield reader.line_num, _cells(path, reader.line_num, row)
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


def _cells(path: Path, line: int, row: Mapping[str | None, Any]) -> dict[str | None, Any]:
    cells = {key: value for key, value in row.items() if value}
    if "checks" in cells:
        try:
            cells["checks"] = json.loads(cells["checks"])
        except ValueError as error:
            raise _wrong(path, line, f"checks is not valid JSON: {error}") from error
    return cells


def _prompt(row: object, fallback: str) -> Prompt:
    if not isinstance(row, Mapping):
        raise ValueError("not a JSON object")
    requested_checks = row.get("checks") or {}
    if wrong := checks.problem(requested_checks):
        raise ValueError(wrong)
    reference = next((row[name] for name in _REFERENCES if row.get(name)), "")
    return Prompt(
        str(row.get("id", fallback)),
        _messages(row),
        str(row.get("skill", "")),
        str(reference) if isinstance(reference, str | int | float) else "",
        dict(requested_checks),
    )


def _messages(row: Mapping[str, Any]) -> tuple[Message, ...]:
    if "messages" not in row:
        field = next((name for name in _TEXTS if row.get(name)), None)
        if field is None:
            raise ValueError(f"missing field: one of messages, {', '.join(_TEXTS)}")
        text = row[field]
        if field == "instruction" and row.get("input"):
            text = f"{text}\n\n{row['input']}"
        return (Message("user", str(text)),)
    turns = row["messages"]
    if not isinstance(turns, list) or not turns:
        raise ValueError("messages is not a list of messages")
    for one in turns:
        if not isinstance(one, Mapping) or one.get("role") not in ROLES:
            raise ValueError(f"a message has no role of {', '.join(ROLES)}")
        if not isinstance(one.get("content"), str):
            raise ValueError("a message has no content")
    return tuple(Message(one["role"], one["content"]) for one in turns)


def _wrong(path: Path, line: int, why: str) -> EngineError:
    return EngineError("Invalid prompt.", f"{path}:{line}: {why}")
