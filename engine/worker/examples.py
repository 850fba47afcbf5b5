"""The rows of a recipe as encoded examples: read, split, encoded; bad rows kept with a reason."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.catalog import datasets, rows
from engine.catalog.rows import Example, Reject
from engine.errors import EngineError
from engine.jobs.settings import Data
from engine.worker.encode import Encoded, Template, encode


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run trains and measures on."""

    train: list[Encoded]
    eval: list[Encoded]
    rejects: list[dict[str, Any]]
    cut: int
    """Rows whose answer was cut at `max_length`."""


def prepare(data: Data, tokenizer: Any, template: Template, seed: int) -> Prepared:
    """Read and encode the rows of a recipe.

    Raises EngineError where nothing is left to train on.
    """
    train, held_out, rejects = _read(data, seed)
    encoded, refused = _encode(train, tokenizer, template, data.max_length)
    encoded_eval, refused_eval = _encode(held_out, tokenizer, template, data.max_length)
    rejects = sorted([*rejects, *refused, *refused_eval], key=lambda one: (one.file, one.line))
    if not encoded:
        reasons = "\n".join(f"{one.file}:{one.line}: {one.reason}" for one in rejects[:5])
        raise EngineError(
            "No row is left to train on.", reasons, "Raise data.max_length, or mend the rows."
        )
    return Prepared(
        encoded,
        encoded_eval,
        [asdict(reject) for reject in rejects],
        sum(one.cut > 0 for one in (*encoded, *encoded_eval)),
    )


def _read(data: Data, seed: int) -> tuple[list[Example], list[Example], list[Reject]]:
    chosen = datasets.resolve(data.train)
    read = rows.read(chosen.path, limit=data.limit)
    train, rejects = list(read.examples), list(read.rejects)
    eval_path = datasets.resolve(data.eval).path if data.eval else chosen.eval_path
    if eval_path is not None:
        other = rows.read(eval_path, limit=data.limit)
        return train, list(other.examples), [*rejects, *other.rejects]
    shuffled = list(train)
    random.Random(seed).shuffle(shuffled)
    held = round(len(shuffled) * data.eval_share)
    if data.eval_share and len(shuffled) > 1:
        held = min(max(held, 1), len(shuffled) - 1)
    return shuffled[held:], shuffled[:held], rejects


def _encode(
    examples: Sequence[Example], tokenizer: Any, template: Template, max_length: int
) -> tuple[list[Encoded], list[Reject]]:
    kept, refused = [], []
    for example in examples:
        one = encode(example, tokenizer, template, max_length)
        if one.kept:
            kept.append(one)
        else:
            file, _, line = example.source.rpartition(":")
            text = example.messages[-1].content[:200] if example.messages else ""
            refused.append(Reject(file, int(line), one.reason, text))
    return kept, refused
