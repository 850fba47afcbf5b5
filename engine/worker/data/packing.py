"""Rows laid end to end in one pass, without seeing each other.

Each row keeps positions of its own, from 0 on; without an attention mask the library then lets
attention go no further than a row. Whether a model heeds that, `engine.worker.model.attention`
tries.
"""

import bisect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engine.worker.data.encode import IGNORE_INDEX, Encoded


def plan_bins(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """The lengths in bins that hold `capacity` at most: best fit, the longest first.

    How many bins there are depends on nothing but the lengths. One that is longer than the
    capacity has a bin to itself.
    """
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for length in sorted(lengths, reverse=True):
        at = bisect.bisect_left(room, (length, -1))
        if at < len(room):
            left, index = room.pop(at)
        else:
            left, index = max(capacity, length), len(bins)
            bins.append([])
        bins[index].append(length)
        bisect.insort(room, (left - length, index))
    return bins


def collate_packed(
    batch: Sequence[Sequence[Encoded]], pad_id: int = 0, *, flat: bool = False
) -> dict[str, Tensor]:
    """`input_ids`, `position_ids`, `labels`, `attention_mask`, each int64 of (bins, longest bin).

    Positions begin anew with each row and stay 0 in the padding, so that no padding belongs to a
    row; no first token of a row is a target. The mask only tells padding: `packed_inputs` drops it.
    `flat` makes one line of all bins, as attention over variable lengths wants it.
    """
    bins = [[row for rows in batch for row in rows]] if flat else batch
    sizes = [sum(len(row.input_ids) for row in rows) for rows in bins]
    ids = torch.full((len(bins), max(sizes)), pad_id)
    labels = torch.full_like(ids, IGNORE_INDEX)
    positions, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for line, (rows, size) in enumerate(zip(bins, sizes, strict=True)):
        mask[line, :size] = 1
        start = 0
        for row in rows:
            end = start + len(row.input_ids)
            ids[line, start:end] = torch.tensor(row.input_ids)
            labels[line, start + 1 : end] = torch.tensor(row.labels[1:])
            positions[line, start:end] = torch.arange(end - start)
            start = end
    return {"input_ids": ids, "position_ids": positions, "labels": labels, "attention_mask": mask}


def packed_inputs(inputs: dict[str, Any]) -> dict[str, Any]:
    """A packed batch as a model takes it; an unpacked one as it is.

    A mask, even one of ones, or a cache would let the rows see each other.
    """
    if "position_ids" not in inputs:
        return inputs
    unmasked = {name: value for name, value in inputs.items() if name != "attention_mask"}
    return {**unmasked, "use_cache": False}
