"""Other rows mixed into training, the known remedy against forgetting what is not trained on.

They come from a data set, or from the answers that a base gave in a job; which of them, and where
they stand among the others, is drawn by the seed. A row that is held out is never replayed, nor
one that was made of the same source.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.data import dataset_list
from engine.data.rows import Example
from engine.errors import EngineError
from engine.recipes.settings import Data, Replay
from engine.worker.data.deduplicate import row_key
from engine.worker.data.split import (
    RowExamples,
    SampledRows,
    drop_overlapping_groups,
    sample_rows,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pool:
    """The rows that may be replayed, in the order in which they are taken."""

    rows: list[RowExamples]
    sampled: SampledRows


def count_rows(train: int, share: float) -> int:
    """How many rows make up `share` of all beside `train` others: train · share / (1 - share)."""
    return round(train * share / (1 - share))


def open_pool(
    replay: Replay,
    held_out: Sequence[RowExamples],
    data: Data,
    seed: int,
    runs: Sequence[Path],
    first: int = 0,
) -> Pool:
    """The rows of the replay data but those held out, shuffled. Of the recipe's `data` only the
    length of a row counts: what it says of fields is meant for its own file.

    Whoever only looks takes the `first` of them, as they stand, and reads no more. Raises
    EngineError where the data cannot be read, or has nothing but held-out rows.
    """
    own = Data(train=replay.data, max_length=data.max_length, limit=first, shuffle=not first)
    sampled = sample_rows(dataset_list.resolve(replay.data, runs, own).path, own, seed)
    held = {row_key(row) for row in held_out}
    others = drop_overlapping_groups(sampled.rows, held_out)
    rows = [row for row in others if row_key(row) not in held]
    if not rows:
        raise EngineError(
            "No rows left to replay: all are eval rows.",
            f"replay.data = {replay.data}",
            "Use replay data that is not in the eval rows, nor made of their sources.",
        )
    return Pool(rows, sampled)


def take(pool: Pool, count: int, encode: Callable[[Example], Sequence[T]]) -> list[T]:
    """So many encoded rows; where the pool has fewer that can be, they come again, in turn.

    Raises EngineError where none can be encoded.
    """
    encoded: list[T] = []
    for row in pool.rows:
        if len(encoded) >= count:
            return encoded[:count]
        encoded += [one for example in row for one in encode(example)]
    if not encoded and count:
        raise EngineError(
            "No row of the replay data is usable.",
            f"{pool.rows[0][0].source} and {len(pool.rows) - 1:,} more",
            "Increase data.max_length, or use other replay data.",
        )
    return [encoded[at % len(encoded)] for at in range(count)]


def mix(train: Sequence[T], others: Sequence[T], seed: int) -> list[T]:
    """Both, the others at places drawn by the seed; each keeps its own order."""
    total = len(train) + len(others)
    places = set(random.Random(seed).sample(range(total), len(others)))
    first, second = iter(train), iter(others)
    return [next(second) if at in places else next(first) for at in range(total)]
