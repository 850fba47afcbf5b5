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
from engine.chat import Message, Tools
from engine.compare import prompts as prompt_files
from engine.compare.arms import Arm
from engine.compare.items import describe
from engine.compare.samples import to_table
from engine.data.rows import Example
from engine.recipes.settings import Decode, Samples
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.encode import IGNORE_INDEX, Encoded
from engine.worker.data.prepare import PreparedDataset
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import LoadedArm, SharedModel
from engine.worker.tokenizers.detokenize import decode_ids
from engine.worker.training.evaluator import Tick, no_tick
from engine.worker.training.setup import TrainingSetup

TEXT_PROMPT = 16
"""Tokens of a plain text that are its prompt, half of it at most."""


@dataclass(frozen=True, slots=True)
class SamplePrompt:
    """A prompt as the model reads it."""

    id: str
    messages: tuple[Message, ...]
    ids: list[int]
    tools: Tools = ()
    """What it offers."""


class SampleEvaluator:
    """An evaluator of no numbers: it writes what the model says."""

    activity = "writing samples"

    def __init__(
        self,
        attempt: Attempt,
        loaded_arm: LoadedArm,
        prompts: Sequence[SamplePrompt],
        length: int,
    ) -> None:
        self._attempt = attempt
        self._loaded_arm = loaded_arm
        self._prompts = prompts
        self._decode = Decode(max_new_tokens=length)

    def measure(self, step: int, tick: Tick = no_tick) -> dict[str, float]:
        """Append a line for each prompt. Raises Stopped between tokens, with nothing written."""
        started = time.monotonic()
        answers = BatchDecoder(
            self._loaded_arm, [prompt.ids for prompt in self._prompts], self._decode
        )
        tokens = 0
        while not answers.done:
            if self._attempt.stop_requested():
                raise Stopped
            tick(tokens, self._decode.max_new_tokens)
            answers.step()
            tokens += 1
        arm = f"step-{step}=run:{self._attempt.record.id}"
        lines = [
            {
                "step": step,
                **to_table(answers.sample(at, prompt.id, prompt.messages, arm, prompt.tools)),
            }
            for at, prompt in enumerate(self._prompts)
        ]
        append(self._attempt.directory.samples, lines)
        self._attempt.log(f"step {step}: {len(lines)} samples, {time.monotonic() - started:.1f} s")
        return {}


def sample_evaluator(setup: TrainingSetup) -> SampleEvaluator | None:
    """The evaluator that a recipe wants; None where it wants none, or there is no prompt.

    Raises EngineError for a file of prompts that cannot be used.
    """
    settings, model = setup.recipe.samples, setup.model
    if not settings.count:
        return None
    active = model.active_adapters if hasattr(model, "peft_config") else []
    adapter = active[0] if active else None
    loaded_arm = LoadedArm(
        Arm("now", ""), SharedModel(model), setup.tokenizer, setup.template, adapter
    )
    if settings.prompts:
        prompts = _prompts_of_file(settings, loaded_arm, setup.attempt)
    else:
        prompts = prompts_of_rows(setup.data, settings.count, setup.tokenizer)
    prompts = [prompt for prompt in prompts if 0 < len(prompt.ids) < loaded_arm.model.context]
    if not prompts:
        return None
    return SampleEvaluator(setup.attempt, loaded_arm, prompts, settings.max_new_tokens)


def _prompts_of_file(
    settings: Samples, loaded_arm: LoadedArm, attempt: Attempt
) -> list[SamplePrompt]:
    prompts = prompt_files.read(prompt_files.find(settings.prompts))[: settings.count]
    for note in describe(prompts):
        attempt.log(note)
    return [
        SamplePrompt(
            item.id,
            item.messages,
            loaded_arm.prompt(item.messages, item.id, item.tools),
            item.tools,
        )
        for item in prompts
    ]


def prompts_of_rows(data: PreparedDataset, count: int, tokenizer: Any) -> list[SamplePrompt]:
    """Of the first held-out rows, or of training rows where none is held out."""
    rows, kind = (data.eval, "eval") if data.eval else (data.train, "train")
    examples = [*data.eval_examples, *([None] * count)]
    return [
        _prompt_of_row(f"{kind}-{number}", row, example, tokenizer)
        for number, (row, example) in enumerate(zip(rows[:count], examples, strict=False), 1)
    ]


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
    remaining = [line for line in lines if _step(line) <= last]
    if remaining != lines:
        atomic.write_bytes(path, b"".join(remaining))


def _prompt_of_row(
    identity: str, row: Encoded, example: Example | None, tokenizer: Any
) -> SamplePrompt:
    """The prompt of a row: what stands before its first trained token; of a text, its beginning."""
    first = next((at for at, label in enumerate(row.labels) if label != IGNORE_INDEX), 0)
    if first < 2:
        first = min(TEXT_PROMPT, len(row.input_ids) // 2)
    ids = row.input_ids[:first]
    messages = example.messages if example is not None else ()
    upto = row.answers[0] if row.answers else 0
    if not upto or not messages:
        return SamplePrompt(identity, (Message("user", decode_ids(tokenizer, ids)),), ids)
    tools = example.tools if example is not None else ()
    return SamplePrompt(identity, tuple(messages[:upto]), ids, tools)


def _step(line: bytes) -> float:
    """The step of a line; infinity where it is none."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
