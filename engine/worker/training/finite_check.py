"""When losses or gradients stop being numbers: what is then said, and which steps are not saved.

One such step may pass (a loss scale that is found by trial); several in a row do not come back,
and would only take the place of good checkpoints.
"""

import math
from typing import Any

import torch

from engine.errors import EngineError


class FiniteCheck:
    """Counts steps in a row whose loss or gradient norm is NaN or infinite."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        """After so many the run ends; 0: it goes on."""
        self._count = 0
        self._first = ""

    def is_finite(self, step: int, loss: float, grad_norm: float, model: Any) -> bool:
        """Whether a step's numbers are. Raises EngineError at the last of too many in a row."""
        if math.isfinite(loss) and math.isfinite(grad_norm):
            self._count = 0
            return True
        self._count += 1
        if self._count == 1:
            self._first = find_tensor(model)
        if self._count == self._limit:
            bad, what = (loss, "loss") if not math.isfinite(loss) else (grad_norm, "gradient norm")
            first = self._first or find_tensor(model)
            tensor = f"first tensor: {first}" if first else "all weights are finite"
            raise EngineError(
                f"The {what} is {'NaN' if math.isnan(bad) else 'infinite'}.",
                f"steps {step - self._count + 1} to {step}; {tensor}",
                "Lower training.learning_rate or set training.max_grad_norm, and resume: the last "
                "good checkpoint was kept. With stopping.nonfinite_steps = 0 a run continues.",
            )
        return False


def find_tensor(model: Any) -> str:
    """The first weight, else the first gradient, that is not finite; empty where all are."""
    weights = list(model.named_parameters())
    for kind, tensors in (
        ("", [(name, weight) for name, weight in weights if weight.requires_grad]),
        ("gradient of ", [(name, weight.grad) for name, weight in weights]),
    ):
        for name, tensor in tensors:
            if tensor is not None and not bool(torch.isfinite(tensor).all()):
                return f"{kind}{name}"
    return ""
