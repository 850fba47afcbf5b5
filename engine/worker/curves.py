"""A run's TensorBoard events: one file an attempt, all in one directory for the life of the run."""

import math
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class Curves:
    """Writes scalars by optimiser step, flushed at every log so that a kill loses none."""

    def __init__(self, folder: Path, attempt: int, first_step: int) -> None:
        # What earlier attempts wrote from here on was never saved: readers are told to purge it.
        self._writer = SummaryWriter(
            str(folder),
            purge_step=first_step if attempt > 1 else None,
            filename_suffix=f".{attempt}",
        )

    def log(self, step: int, **scalars: float) -> None:
        """Write scalars at a step; `train__loss` is written as the tag `train/loss`."""
        for name, value in scalars.items():
            self._writer.add_scalar(name.replace("__", "/"), value, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def perplexity(nll: float) -> float:
    """exp of a mean NLL in nats per token; infinity where that is too large for a float."""
    return math.exp(nll) if nll < 709 else math.inf
