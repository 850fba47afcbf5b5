"""Which rows come together in a pass, and in what order.

Every order is a function of the lengths, the seed and the epoch alone, so that a run that goes on
in the middle of an epoch goes on in the same one.
"""

import random
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset, Sampler

from engine.recipes.settings import Training
from engine.worker.data.encode import Encoded, collate
from engine.worker.data.packing import collate_packed, plan_bins
from engine.worker.model.attention import wants_flat

Collate = Callable[[Sequence[Any]], dict[str, Tensor]]
_POOL = 32
"""Optimiser steps whose rows are sorted by length together: more of them pad less, mix less."""


class EncodedRows(Dataset[Any]):
    """A list as the Trainer takes it; several rows at once where a sampler asks for a bin."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int | tuple[int, ...]) -> Any:
        return self._rows[index] if isinstance(index, int) else [self._rows[at] for at in index]


class EpochSampler(Sampler[Any]):
    """What a pass over the rows yields, anew for each epoch."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The Trainer says which epoch it begins, or goes on in."""
        self._epoch = epoch

    @abstractmethod
    def __len__(self) -> int:
        """How many it yields, in every epoch alike."""

    def _random(self) -> random.Random:
        return random.Random(f"{self._seed}/{self._epoch}")


class LengthGroupedSampler(EpochSampler):
    """Row numbers; the rows of an optimiser step are of like length, the steps in any order."""

    def __init__(self, lengths: Sequence[int], step: int, seed: int) -> None:
        super().__init__(seed)
        self._lengths = lengths
        self._step = step
        """Rows of an optimiser step."""

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        draw = self._random()
        rows = list(range(len(self)))
        draw.shuffle(rows)
        steps: list[list[int]] = []
        for start in range(0, len(rows), self._step * _POOL):
            pool = sorted(
                rows[start : start + self._step * _POOL], key=lambda row: self._lengths[row]
            )
            steps += [pool[at : at + self._step] for at in range(0, len(pool), self._step)]
        # A step with fewer rows stays the last, or it would shift the borders of all after it.
        rest = [steps.pop()] if len(steps[-1]) < self._step else []
        draw.shuffle(steps)
        return iter([row for step in [*steps, *rest] for row in step])


class PackedSampler(EpochSampler):
    """Bins of row numbers, for packing.

    The lengths in each bin are planned once, so that every epoch has as many; which of the rows of
    a length comes into which bin, and the order of the bins, differ from epoch to epoch.
    """

    def __init__(self, lengths: Sequence[int], capacity: int, seed: int) -> None:
        super().__init__(seed)
        self._bins = plan_bins(lengths, capacity)
        self._rows: dict[int, list[int]] = defaultdict(list)
        for row, length in enumerate(lengths):
            self._rows[length].append(row)

    def __len__(self) -> int:
        return len(self._bins)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        draw = self._random()
        left = {length: draw.sample(rows, len(rows)) for length, rows in self._rows.items()}
        bins = [tuple(left[length].pop() for length in lengths) for lengths in self._bins]
        draw.shuffle(bins)
        return iter(bins)


def choose_sampler(
    training: Training, lengths: Sequence[int], max_length: int
) -> EpochSampler | None:
    """The sampler that a recipe asks for; None: shuffled, as the Trainer does it."""
    if training.packing:
        return PackedSampler(lengths, max_length, training.seed)
    if training.group_by_length:
        step = training.batch_size * training.gradient_accumulation_steps
        return LengthGroupedSampler(lengths, step, training.seed)
    return None


def choose_collate(training: Training, model: Any, pad_id: int) -> Collate:
    """How the rows of a pass become tensors."""
    if not training.packing:
        return lambda rows: collate(rows, pad_id)
    flat = wants_flat(model)
    return lambda bins: collate_packed(bins, pad_id, flat=flat)


def lengths_of(rows: Sequence[Encoded]) -> list[int]:
    """Tokens of each row."""
    return [len(row.input_ids) for row in rows]
