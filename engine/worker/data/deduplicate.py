"""Rows that say the same, found by what they say: letter case and white space aside.

Counts only; what is dropped is for whoever asks. Keeps a hash of each row, not the row.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.chat import Message
from engine.data.rows import Example

RowExamples = tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What training and held-out rows have in common."""

    duplicates: int
    """Training rows that say what an earlier one says."""
    leaked: int
    """Held-out rows that occur in training."""
    asked: int
    """Held-out rows whose prompt occurs in training, with another answer."""
    distinct: list[RowExamples]
    """The training rows without duplicates, and without those that are held out as well."""


def compare(train: Sequence[RowExamples], held_out: Sequence[RowExamples]) -> Overlap:
    """Count duplicates in training, and what of the held-out rows occurs there."""
    held = {row_key(row) for row in held_out}
    seen: set[bytes] = set()
    asked: set[bytes] = set()
    duplicates = 0
    distinct: list[RowExamples] = []
    for row in train:
        key = row_key(row)
        duplicates += key in seen
        if key not in seen and key not in held:
            distinct.append(row)
        seen.add(key)
        asked.add(prompt_key(row[0]))
    leaked = [row_key(row) in seen for row in held_out]
    prompted = sum(
        prompt_key(row[0]) in asked and bool(row[0].messages) and not leak
        for row, leak in zip(held_out, leaked, strict=True)
    )
    return Overlap(duplicates, sum(leaked), prompted, distinct)


def row_key(row: RowExamples) -> bytes:
    """All that a row says: prompts and answers, also the rejected one, or its text."""
    return _hash(
        part
        for example in row
        for part in (
            *_parts(example.messages),
            "|",
            *_parts(example.rejected),
            example.text,
            *(json.dumps(tool, sort_keys=True) for tool in example.tools),
        )
    )


def prompt_key(example: Example) -> bytes:
    """What is asked: all before the last answer."""
    return _hash(_parts(example.messages[:-1]))


def _parts(messages: Iterable[Message]) -> Iterable[str]:
    return (part for message in messages for part in (message.role, _write(message)))


def _write(message: Message) -> str:
    """The text of a message, or all of it where it says more than text."""
    more = message.reasoning or message.tool_calls or message.name
    return json.dumps(message.to_json(), sort_keys=True) if more else message.content


def _hash(parts: Iterable[str]) -> bytes:
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        hashed.update(" ".join(part.casefold().split()).encode() + b"\0")
    return hashed.digest()
