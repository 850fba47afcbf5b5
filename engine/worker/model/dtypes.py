"""The number formats of a training run: of its weights, and of its arithmetic."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from engine.errors import EngineError
from engine.recipes.combinations import check_number_format
from engine.worker.model import loading


@dataclass(frozen=True, slots=True)
class Formats:
    weights: torch.dtype
    """Of the base; what is learned is kept in float32 whatever this is."""
    compute: torch.dtype
    """What products are made in; float32: no mixed precision."""

    def __str__(self) -> str:
        weights, compute = (str(one).removeprefix("torch.") for one in (self.weights, self.compute))
        return f"weights in {weights}, compute in {compute}"

    def arithmetic(self, device: torch.device) -> AbstractContextManager[Any]:
        """A context in which products are made as in training."""
        if self.compute is torch.float32:
            return nullcontext()
        return torch.autocast(device.type, self.compute)


def pick_formats(device: torch.device, dtype: str, kind: str) -> Formats:
    """The formats for a `dtype` (`auto`, `float32`, `bfloat16`, `float16`) and a kind of method.

    `auto` computes in bfloat16 on GPUs that have it, in float16 on older ones, in float32
    elsewhere. Full fine-tuning keeps its weights in float32. Raises EngineError for a format that
    the device cannot train in.
    """
    compute = loading.pick_dtype(device, "lora") if dtype == "auto" else getattr(torch, dtype)
    _check(device, compute)
    return Formats(torch.float32 if kind == "full" else compute, compute)


def _check(device: torch.device, compute: torch.dtype) -> None:
    check_number_format(device.type, str(compute).removeprefix("torch."))
    if compute is torch.bfloat16 and device.type == "cuda" and not loading.has_bfloat16(device):
        raise EngineError(
            "This GPU does not support bfloat16.",
            f"{torch.cuda.get_device_name(device)} is too old for it.",
            "Set training.dtype = float16 or auto.",
        )
