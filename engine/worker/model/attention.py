"""Which attention a model computes, and whether it keeps packed rows apart.

Not every family heeds positions that begin anew: `check_packing` tries, and refuses.
"""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import EngineError
from engine.worker.model.loading import base_of, count_embeddings
from engine.worker.model.quantize import is_quantized

_PROBE = 7
"""Tokens of each row that `check_packing` tries."""
_EXACT, _ROUNDED = 1e-4, 0.05
"""How far a row's logits may move with what is before it, in their own spread: by rounding alone,
in float32 and in formats of 16 bits and less."""


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
    plain = base_of(model)
    name = type(plain).__name__
    if "position_ids" not in inspect.signature(plain.forward).parameters:
        raise _leaky(name, "the model has no position ids")
    if any(isinstance(module, nn.Conv1d) for module in plain.modules()):
        raise _leaky(name, "its convolutions span row boundaries")
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
        raise _leaky(name, f"a preceding row changes the logits by {share:.2g} of their spread")


def _probe(model: Any, other: int | None) -> Tensor:
    """Logits of one and the same row, float32 of (tokens, vocabulary), after row `other`."""
    vocabulary = count_embeddings(model)
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
        f"Packed rows would affect each other: {detail}.",
        "Set training.packing = false; training.group_by_length also reduces padding.",
    )
