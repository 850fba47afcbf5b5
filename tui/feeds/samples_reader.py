"""A run's `samples.jsonl`, read as it grows: each prompt with its answers over the steps.

Belongs to the feed's thread. Reads appended bytes only; a line that is not whole yet is waited
for, one that cannot be read is passed over. Everything it hands out is cleaned.
"""

import json
import os
from pathlib import Path
from typing import Any

from engine.safe_open import open_file
from engine.text import clean, one_line
from tui.snapshots import PromptHistory, StepAnswer

SLICE_BYTES = 1 << 18
"""Read at once, so that a large file blocks nothing: about 5 ms."""
MOST_CHARACTERS = 8_000
"""Kept of one answer."""
MOST_PROMPTS = 256
MOST_STEPS = 1_000
"""Kept of one prompt: its first answer and the newest ones."""


class SamplesReader:
    """The samples of one run as they are now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._inode = 0
        self._rest = b""
        self._answers: dict[tuple[str, str], list[StepAnswer]] = {}
        self.pending = False
        """Whether there is more to read already."""

    @property
    def prompt_histories(self) -> tuple[PromptHistory, ...]:
        return tuple(
            PromptHistory(prompt, tuple(answers)) for (_, prompt), answers in self._answers.items()
        )

    def poll(self) -> bool:
        """Read a slice of what is new; whether an answer came or went."""
        try:
            status = os.stat(self._path)
            if status.st_ino != self._inode or status.st_size < self._at:
                gone = bool(self._answers)
                self._at, self._inode, self._rest = 0, status.st_ino, b""
                self._answers.clear()
                if gone:
                    self.pending = status.st_size > 0
                    return True
            if status.st_size == self._at:
                self.pending = False
                return False
            with open_file(self._path) as file:
                file.seek(self._at)
                read = file.read(SLICE_BYTES)
        except OSError:
            self.pending = False
            return False
        self._at += len(read)
        self.pending = status.st_size > self._at
        *lines, self._rest = (self._rest + read).split(b"\n")
        return sum(map(self._take, lines)) > 0

    def _take(self, line: bytes) -> bool:
        try:
            sample = json.loads(line)
            step, text, prompt = sample["step"], sample["text"], _prompt(sample["messages"])
            name = str(sample.get("prompt_id", ""))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return False
        if not isinstance(step, int) or not isinstance(text, str):
            return False
        key = (name, prompt)
        if key not in self._answers and len(self._answers) >= MOST_PROMPTS:
            return False
        answers = self._answers.setdefault(key, [])
        while answers and answers[-1].step >= step:
            answers.pop()  # a run that was taken up again says these anew
        answers.append(StepAnswer(step, clean(text[:MOST_CHARACTERS])))
        if len(answers) > MOST_STEPS:
            del answers[1]
        return True


def _prompt(messages: Any) -> str:
    questions = [str(message["content"]) for message in messages if message["role"] == "user"]
    last = questions[-1] if questions else str(messages[-1]["content"])
    return one_line(" ".join(last[:MOST_CHARACTERS].split()))
