"""The NLL of labels from all logits of a batch: what the head on labelled positions must equal."""

from typing import Any

import torch
from torch import Tensor

from engine.worker.data.encode import IGNORE_INDEX, widest


def nll_of_logits(logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Sum of NLL in nats (a scalar in the `widest` format) and the number of predicted tokens.

    `logits` is (rows, length, vocabulary), `labels` (rows, length); position i predicts label
    i + 1. Perplexity is exp(sum / tokens), summed over all batches first.
    """
    sums, counts = nll_by_row(logits, labels)
    return sums.sum(), int(counts.sum())


def nll_by_row(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The same for each row: sums, `widest` of (rows,), and tokens, int64 of (rows,).

    The logits of the last position predict nothing, and may be absent.
    """
    targets = labels[:, 1:]
    counted = targets != IGNORE_INDEX
    # Picking the counted positions first keeps the float32 copy small: prompts have no loss.
    logs = torch.log_softmax(logits[:, : targets.shape[1]][counted].float(), dim=-1)
    picked = logs.gather(-1, targets[counted].unsqueeze(-1)).squeeze(-1)
    wide = widest(logits.device)
    sums = torch.zeros(len(labels), dtype=wide, device=logits.device)
    return sums.index_add(0, counted.nonzero()[:, 0], -picked.to(wide)), counted.sum(1)


def nll(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    """`nll_of_logits` of a `collate`d batch, moved to the model's device."""
    moved = {name: tensor.to(model.device) for name, tensor in batch.items()}
    labels = moved.pop("labels")
    return nll_of_logits(model(**moved, use_cache=False).logits, labels)
