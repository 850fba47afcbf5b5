"""Samples while training: what the model says to a few fixed prompts, at each evaluation.

Lines of `samples.jsonl`, each a `Sample` with its `step` before it. Greedy, batched, with our own
decoder and the template of the training.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import atomic
from engine.chat import Message
from engine.compare import prompts as prompt_files
from engine.compare.arms import Arm
from engine.compare.samples import to_table
from engine.data.rows import Example
from engine.recipes import settings
from engine.recipes.settings import Decode
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.chat_template import Template
from engine.worker.data.encode import IGNORE_INDEX, Encoded
from engine.worker.data.prepare import PreparedDataset
from engine.worker.inference.decoding import Answers
from engine.worker.inference.models import LoadedArm, SharedModel
from engine.worker.tokenizers.detokenize import decode_ids

TEXT_PROMPT = 16
"""Tokens of a plain text that are its prompt, half of it at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as the model reads it."""

    id: str
    messages: tuple[Message, ...]
    ids: list[int]


class Sampler:
    """An evaluator of no numbers: it writes what the model says."""

    def __init__(
        self, attempt: Attempt, loaded_arm: LoadedArm, asked: Sequence[Asked], length: int
    ) -> None:
        self._attempt = attempt
        self._loaded_arm = loaded_arm
        self._asked = asked
        self._decode = Decode(max_new_tokens=length)

    def measure(self, step: int) -> dict[str, float]:
        """Append a line for each prompt. Raises Stopped between tokens, with nothing written."""
        started = time.monotonic()
        answers = Answers(self._loaded_arm, [one.ids for one in self._asked], self._decode)
        while not answers.done:
            if self._attempt.stop_requested():
                raise Stopped
            answers.step()
        arm = f"step-{step}=run:{self._attempt.record.id}"
        made = [
            {"step": step, **to_table(answers.sample(at, one.id, one.messages, arm))}
            for at, one in enumerate(self._asked)
        ]
        append(self._attempt.directory.samples, made)
        self._attempt.log(f"step {step}: {len(made)} samples, {time.monotonic() - started:.1f} s")
        return {}


def sampler(
    attempt: Attempt,
    wanted: settings.Samples,
    model: Any,
    tokenizer: Any,
    template: Template,
    data: PreparedDataset,
) -> Sampler | None:
    """The sampler that a recipe asks for; None where it asks for none, or there is no prompt.

    The prompts are those of the first held-out rows, of training rows where none is held out, or
    of a file. Raises EngineError for a file of prompts that cannot be used.
    """
    if not wanted.count:
        return None
    active = model.active_adapters if hasattr(model, "peft_config") else []
    adapter = active[0] if active else None
    loaded_arm = LoadedArm(Arm("now", ""), SharedModel(model), tokenizer, template, adapter)
    if wanted.prompts:
        found = prompt_files.read(prompt_files.find(wanted.prompts))[: wanted.count]
        asked = [Asked(one.id, one.messages, loaded_arm.prompt(one.messages)) for one in found]
    else:
        rows, kind = (data.eval, "eval") if data.eval else (data.train, "train")
        examples = [*data.eval_examples, *([None] * wanted.count)]
        asked = [
            _ask(f"{kind}-{number}", row, example, tokenizer)
            for number, (row, example) in enumerate(
                zip(rows[: wanted.count], examples, strict=False), 1
            )
        ]
    asked = [one for one in asked if 0 < len(one.ids) < loaded_arm.model.context]
    return Sampler(attempt, loaded_arm, asked, wanted.max_new_tokens) if asked else None


def append(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Add lines at once, flushed to disk."""
    data = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
    with path.open("ab") as file:
        file.write(data.encode("utf-8", "backslashreplace"))
        file.flush()
    atomic.flush_file(path)


def rewind(path: Path, last: int) -> None:
    """Take out what was said after the step `last`, and what a killed writer left half done.

    It was said by weights that were never saved; those that go on say it again.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return
    kept = [line for line in lines if _step(line) <= last]
    if kept != lines:
        atomic.write_bytes(path, b"".join(kept))


def _ask(identity: str, row: Encoded, example: Example | None, tokenizer: Any) -> Asked:
    """The prompt of a row: what stands before its first trained token; of a text, its beginning."""
    first = next((at for at, label in enumerate(row.labels) if label != IGNORE_INDEX), 0)
    if first < 2:
        first = min(TEXT_PROMPT, len(row.input_ids) // 2)
    ids = row.input_ids[:first]
    messages = example.messages if example is not None else ()
    upto = next((at for at, one in enumerate(messages) if one.role == "assistant"), 0)
    if not upto:
        return Asked(identity, (Message("user", decode_ids(tokenizer, ids)),), ids)
    return Asked(identity, tuple(messages[:upto]), ids)


def _step(line: bytes) -> float:
    """The step of a line; infinity where it is none."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
