"""What is measured in the middle of training: one interface, and the calm that all of it needs.

Nothing that is measured may change what is trained: random states, modes of modules, gradients.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch


class Gauge(Protocol):
    """Something measured at each evaluation, step 0 included."""

    def measure(self, step: int) -> dict[str, float]:
        """Values by tag, as in `eval/loss`, of the model as it is.

        Raises Stopped where a stop is asked for meanwhile: a part of the rows would give another
        number under the same name.
        """


@contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """The model in evaluation mode, without gradients; afterwards all is as it was before.

    That holds for the mode of each module, and for the random states of Python, numpy and torch.
    """
    modes = [(module, module.training) for module in model.modules()]
    python, numpy_state = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if _uses_cuda() else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        model.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
            random.setstate(python)
            np.random.set_state(numpy_state)


def _uses_cuda() -> bool:
    # Asking for the states of GPUs would else start CUDA in a run on the CPU.
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
