"""Samples: one arm's answer to one prompt, and the file of them, a JSON object a line.

Token ids are the record; the text is derived from them. The file only grows, and may end in a line
that a killed worker did not finish.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from engine import atomic
from engine.answer_parts import AnswerParts, parts_from_table, split_text
from engine.chat import Message, Tools, message_from_json
from engine.errors import EngineError
from engine.recipes import validation
from engine.recipes.settings import Decode
from engine.safe_open import open_file

Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall-clock seconds. In a batch they are the batch's, up to this answer's own end; of an
    endpoint those of the try that answered."""

    first_token: float
    total: float


@dataclass(frozen=True, slots=True)
class Sample:
    prompt_id: str
    messages: tuple[Message, ...]
    """The conversation as it was asked, before the arm dressed it."""
    arm: str
    """The arm, in the grammar of `engine.compare.arms`."""
    seed: int
    template_hash: str
    """SHA-256 of the template that wrote the prompt; empty where it was raw."""
    prompt_ids: tuple[int, ...]
    output_ids: tuple[int, ...]
    """With the end token, where the answer came to its end; none where nobody knows them, as of an
    endpoint's answer."""
    text: str
    finish: Finish
    logprobs: tuple[float, ...]
    """Natural log-probability of each output token under the model, before temperature."""
    decode: Decode
    timings: Timings
    dtype: str = "float32"
    batch: int = 1
    """Answers made side by side. Padding can flip a close call of low-precision weights."""
    tools: Tools = dataclasses.field(default=(), hash=False)
    """What the arm could call."""
    known_parts: AnswerParts | None = None
    """The parts of the answer where its text alone does not tell them: a server delivered them
    apart, the prompt opened the reasoning, or a tool's schema says what its arguments are."""

    @property
    def parts(self) -> AnswerParts:
        """What the answer thinks, calls and says."""
        return self.known_parts or split_text(self.text)

    @property
    def spoken(self) -> str:
        """What the answer says: the text that is compared and measured."""
        return self.parts.spoken

    def is_same_answer(self, other: "Sample") -> bool:
        """Whether another answer has the same text, and calls the same."""
        if self.text != other.text:
            return False
        by_text = self.known_parts is None and other.known_parts is None
        return by_text or self.parts.without_ids == other.parts.without_ids

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two samples the same one: generating it again would be in vain."""
        return sample_key(self.arm, self.prompt_id, self.messages, self.decode, self.tools)

    @property
    def asked(self) -> tuple[Message, ...]:
        """The conversation without the words of its earlier answers: those are an arm's own."""
        return tuple(
            Message("assistant", "") if one.role == "assistant" else one for one in self.messages
        )


def sample_key(
    arm: str, prompt_id: str, messages: tuple[Message, ...], decode: Decode, tools: Tools
) -> tuple[object, ...]:
    """The `Sample.key` of an answer before it is given."""
    return (arm, prompt_id, messages, decode, json.dumps(tools, sort_keys=True) if tools else "")


def to_table(sample: Sample) -> dict[str, Any]:
    """The sample as JSON knows it: a log-probability that is not finite becomes null.

    Reasoning, tool calls (in Hugging Face's form) and malformed ones stand beside the text where
    there are some.
    """
    table = dataclasses.asdict(dataclasses.replace(sample, known_parts=None))
    del table["known_parts"]
    if not sample.tools:
        del table["tools"]
    parts = sample.parts
    if not parts.is_plain or parts.spoken != sample.text:
        table |= parts.to_table()
    table["messages"] = [message.to_json() for message in sample.messages]
    table["logprobs"] = [
        round(value, 6) if math.isfinite(value) else None for value in sample.logprobs
    ]
    return table


def from_table(table: Mapping[str, Any]) -> Sample:
    """The sample of a table. Raises ValueError where it is none."""
    try:
        decode = table["decode"]
        if validation.errors(Decode, decode):
            raise ValueError("invalid decode settings")
        if table["finish"] not in ("stop", "length", "cancelled"):
            raise ValueError(f"unknown finish {table['finish']!r}")
        return Sample(
            prompt_id=str(table["prompt_id"]),
            messages=tuple(map(message_from_json, table["messages"])),
            arm=str(table["arm"]),
            seed=int(table["seed"]),
            template_hash=str(table["template_hash"]),
            prompt_ids=tuple(map(int, table.get("prompt_ids", ()))),
            output_ids=tuple(map(int, table.get("output_ids", ()))),
            text=str(table["text"]),
            finish=cast(Finish, table["finish"]),
            logprobs=tuple(math.nan if one is None else float(one) for one in table["logprobs"]),
            decode=validation.build(Decode, decode),
            timings=Timings(**table["timings"]),
            dtype=str(table.get("dtype", "float32")),
            batch=int(table.get("batch", 1)),
            tools=tuple(map(dict, table.get("tools", ()))),
            known_parts=_known_parts(table),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a sample: {error!r}") from error


def _known_parts(table: Mapping[str, Any]) -> AnswerParts | None:
    """The parts that were kept, unless the text tells them; old files have none."""
    parts = parts_from_table(table) if "spoken" in table else None
    return None if parts == split_text(str(table["text"])) else parts


def append(path: Path, samples: Iterable[Sample]) -> None:
    """Add samples to a file and flush them to disk. What a killed writer left is closed off first.

    Raises OSError.
    """
    lines = [
        json.dumps(to_table(sample), ensure_ascii=False, allow_nan=False) + "\n"
        for sample in samples
    ]
    atomic.append_lines(path, "".join(lines))


def read(path: Path) -> list[Sample]:
    """The samples of a file, in order; lines that were cut are left out. No file: no samples.

    Raises EngineError where the file cannot be read, or holds anything but samples.
    """
    try:
        with open_file(path) as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EngineError("The samples cannot be read.", f"{path}: {error.strerror}") from error
    samples = []
    for number, line in enumerate(lines, 1):
        try:
            table = json.loads(line)
        except (ValueError, RecursionError):
            continue  # empty, or cut by the death of its writer
        try:
            samples.append(from_table(table))
        except ValueError as error:
            raise EngineError(
                "This file is not a samples file.", f"{path}:{number}: {error}"
            ) from error
    return samples
