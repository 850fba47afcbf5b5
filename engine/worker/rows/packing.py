"""Rows laid end to end in one pass, without seeing each other.

Each row keeps positions of its own, from 0 on; without an attention mask the library then lets
attention go no further than a row. Not every family heeds that: `check_packing` tries, and refuses.
"""

import bisect
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import EngineError
from engine.worker.model.quantize import is_quantized
from engine.worker.rows.encode import IGNORED, Encoded

_PROBE = 7
"""Tokens of each row that `check_packing` tries."""
_EXACT, _ROUNDED = 1e-4, 0.05
"""How far a row's logits may move with what is before it, in their own spread: by rounding alone,
in float32 and in formats of 16 bits and less."""


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
    row; no row's first token is learned. The mask only tells padding: `packed_inputs` takes it out.
    `flat` makes one line of all bins, as attention over variable lengths wants it.
    """
    bins = [[row for rows in batch for row in rows]] if flat else batch
    sizes = [sum(len(row.input_ids) for row in rows) for rows in bins]
    ids = torch.full((len(bins), max(sizes)), pad_id)
    labels = torch.full_like(ids, IGNORED)
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
    kept = {name: value for name, value in inputs.items() if name != "attention_mask"}
    return {**kept, "use_cache": False}


def attention_for(device: torch.device, compute: torch.dtype) -> str | None:
    """The attention over variable lengths where this machine has one; None: the library's choice.

    It needs an NVIDIA GPU, a 16-bit format and the package flash-attn. Nothing is fetched for it.
    """
    if device.type != "cuda" or compute is torch.float32:
        return None
    from transformers.utils.import_utils import is_flash_attn_2_available

    return "flash_attention_2" if is_flash_attn_2_available() else None


def wants_flat(model: Any) -> bool:
    """Whether the model's attention tells rows apart in one line only."""
    return str(getattr(model.config, "_attn_implementation", "")).startswith("flash")


def check_packing(model: Any) -> None:
    """Raise EngineError where a packed row's logits depend on the row before it.

    Three passes over a few tokens: a row after one neighbour, after another one, and alone.
    """
    plain = model.get_base_model() if hasattr(model, "peft_config") else model
    name = type(plain).__name__
    if "position_ids" not in inspect.signature(plain.forward).parameters:
        raise _leaky(name, "it takes no positions")
    if any(isinstance(module, nn.Conv1d) for module in plain.modules()):
        raise _leaky(name, "its convolutions reach from one into the next")
    training = model.training
    model.eval()
    try:
        after_one, after_other, alone = (_probe(model, other) for other in (1, 2, None))
    finally:
        model.train(training)
    exact = plain.dtype is torch.float32 and not is_quantized(plain)
    moved = max(float((after_one - other).abs().max()) for other in (after_other, alone))
    share = moved / float(alone.std())
    if not share <= (_EXACT if exact else _ROUNDED):
        raise _leaky(name, f"another row before moves the logits by {share:.2g} of their spread")


def _probe(model: Any, other: int | None) -> Tensor:
    """Logits of one and the same row, float32 of (tokens, vocabulary), after row `other`."""
    vocabulary = model.get_input_embeddings().num_embeddings
    rows = [0] if other is None else [other, 0]
    ids = [(31 * row + 7 * at + 3) % vocabulary for row in rows for at in range(_PROBE)]
    positions = list(range(_PROBE)) * len(rows)
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor([ids], device=model.device),
            position_ids=torch.tensor([positions], device=model.device),
            use_cache=False,
        ).logits
    return torch.as_tensor(logits[0, -_PROBE:].float())


def _leaky(name: str, detail: str) -> EngineError:
    return EngineError(
        f"Rows cannot be packed for {name}.",
        f"They would see each other: {detail}.",
        "Choose training.packing = false; training.group_by_length spares padding too.",
    )
