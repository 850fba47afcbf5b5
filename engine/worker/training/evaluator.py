"""What is measured in the middle of training: one interface, and the calm that all of it needs.

Nothing that is measured may change what is trained: random states, modes of modules, gradients.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch

from engine.events.event_tags import EVAL_LOSS, EVAL_PERPLEXITY
from engine.events.summary import perplexity
from engine.number_format import write_number
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.encode import Encoded, collate
from engine.worker.model.label_head import LabelHead

EVALUATING = "evaluating"
Tick = Callable[[int, int], None]
"""How much is done, and of how much."""


def no_tick(done: int, total: int) -> None:
    """Nobody wants to know."""


class Evaluator(Protocol):
    """Something measured at each evaluation, step 0 included."""

    @property
    def activity(self) -> str:
        """What the screen says while it measures."""

    def measure(self, step: int, tick: Tick = no_tick) -> dict[str, float]:
        """Values by tag, as in `eval/loss`, of the model as it is. Raises what `tick` raises.

        Raises Stopped where a stop is asked for meanwhile: a part of the rows would give another
        number under the same name.
        """


@contextmanager
def preserve_rng_and_mode(model: Any) -> Iterator[None]:
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


class HeldOut:
    """An evaluator of `eval/loss` and `eval/perplexity`, weighted by tokens and not by rows."""

    activity = EVALUATING

    def __init__(
        self,
        attempt: Attempt,
        model: Any,
        head: LabelHead,
        rows: Sequence[Encoded],
        batch_size: int,
        pad_id: int,
    ) -> None:
        self._attempt = attempt
        self._model = model
        self._head = head
        # Rows of like length together: less padding.
        self._rows = sorted(rows, key=lambda row: len(row.input_ids))
        self._batch_size = batch_size
        self._pad_id = pad_id

    def measure(self, step: int, tick: Tick = no_tick) -> dict[str, float]:
        """Mean NLL in nats per trained token over all rows; nothing where there are none."""
        if not self._rows:
            return {}
        started = time.monotonic()
        total, count = 0.0, 0
        device: torch.device = self._model.device
        for start in range(0, len(self._rows), self._batch_size):
            if self._attempt.stop_requested():
                raise Stopped
            tick(start, len(self._rows))
            batch = collate(self._rows[start : start + self._batch_size], self._pad_id)
            moved = {name: value.to(device) for name, value in batch.items()}
            labels = moved.pop("labels")
            sums, counts = self._head.nll_by_row(self._model, moved, labels)
            total, count = total + float(sums.sum()), count + int(counts.sum())
        loss = total / max(count, 1)
        self._attempt.log(
            f"step {step}: eval loss {write_number(loss, 4)} over {count:,} tokens of "
            f"{len(self._rows)} rows, {time.monotonic() - started:.1f} s"
        )
        return {EVAL_LOSS: loss, EVAL_PERPLEXITY: perplexity(loss)}
