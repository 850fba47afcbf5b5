"""Preference pairs as a model sees them, and what it said of them before the first step.

DPO compares the model with a reference: the model as the run begins, its new adapter switched off.
It is asked once, about every pair, and its answers are kept in the run: no second model is needed.
"""

import importlib.util
import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine import atomic
from engine.errors import EngineError
from engine.recipes.combinations import check_dpo_training
from engine.recipes.recipe import TrainRecipe
from engine.worker.data.encode import IGNORE_INDEX, Encoded, collate
from engine.worker.data.pair_rows import answer_start
from engine.worker.data.prepare import EncodedPair

FILE = "reference.npy"
"""In the run's folder: float32 of (pairs, 2), after a first line of the pairs' checksum."""

Score = Callable[[dict[str, Tensor]], Tensor]
"""Log-probabilities of the answers of a collated pass: the chosen ones, then the rejected ones."""


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A pair, and the reference's log-probabilities of its two answers, in nats."""

    pair: EncodedPair
    chosen: float
    rejected: float

    @property
    def length(self) -> int:
        """Tokens of the longer answer with its prompt."""
        return max(len(self.pair.chosen.input_ids), len(self.pair.rejected.input_ids))


def check_preferences(recipe: TrainRecipe) -> None:
    """Raise EngineError where a recipe for DPO cannot be run here."""
    if importlib.util.find_spec("trl") is None:
        raise EngineError("DPO needs TRL.", "No module named 'trl'", 'pip install "finetop[dpo]"')
    check_dpo_training(recipe.training)


def collate_pairs(batch: Sequence[ScoredPair], pad_id: int = 0) -> dict[str, Tensor]:
    """The chosen rows, then the rejected ones, as TRL takes them.

    `input_ids`, `attention_mask`, `completion_mask`, int64 of (2 * pairs, longest row);
    `ref_chosen_logps` and `ref_rejected_logps`, float32 of (pairs,). What is compared is the answer
    in which the two first differ, with what follows.
    """
    rows = [one.pair.chosen for one in batch] + [one.pair.rejected for one in batch]
    made = collate(rows, pad_id)
    starts = torch.tensor(
        [answer_start(one.pair.chosen, one.pair.rejected) for one in batch] * 2
    ).unsqueeze(1)
    places = torch.arange(made["input_ids"].shape[1])
    answers = (made.pop("labels") != IGNORE_INDEX) & (places >= starts)
    return {
        **made,
        "completion_mask": answers.long(),
        "ref_chosen_logps": torch.tensor([one.chosen for one in batch]),
        "ref_rejected_logps": torch.tensor([one.rejected for one in batch]),
    }


def compare_with_reference(
    pairs: Sequence[EncodedPair], file: Path, size: int, pad_id: int, score: Score
) -> list[ScoredPair]:
    """The pairs with what `score` says of them, `size` at a time; kept at `file`, and read there.

    Raises what `score` raises, with nothing kept.
    """
    crc = _checksum(pairs)
    scores = _read(file, crc, len(pairs))
    if scores is None:
        scores = np.zeros((len(pairs), 2), np.float32)
        order = sorted(range(len(pairs)), key=lambda at: ScoredPair(pairs[at], 0, 0).length)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            batch = collate_pairs([ScoredPair(pairs[at], 0, 0) for at in chosen], pad_id)
            scores[chosen] = score(batch).float().cpu().numpy().reshape(2, -1).T
        content = io.BytesIO()
        content.write(f"{crc}\n".encode())
        np.save(content, scores)
        atomic.write_bytes(file, content.getvalue())
    return [
        ScoredPair(pair, *map(float, score_pair))
        for pair, score_pair in zip(pairs, scores, strict=True)
    ]


def _read(file: Path, crc: int, count: int) -> np.ndarray | None:
    """What was kept, where it belongs to these pairs and is whole."""
    try:
        with file.open("rb") as content:
            if content.readline() != f"{crc}\n".encode():
                return None
            scores = np.load(content)
    except (OSError, ValueError, EOFError):
        return None
    return scores if scores.shape == (count, 2) else None


def _checksum(pairs: Sequence[EncodedPair]) -> int:
    crc = 0
    for pair in pairs:
        for row in (pair.chosen, pair.rejected):
            crc = zlib.crc32(_bytes(row), crc)
    return crc


def _bytes(row: Encoded) -> bytes:
    return np.array([*row.input_ids, -1, *row.labels], np.int64).tobytes()
