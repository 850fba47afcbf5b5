"""The held-out rows, measured while training: NLL by tokens, and the perplexity that follows."""

import time
from collections.abc import Sequence
from typing import Any

import torch

from engine.events.summary import perplexity
from engine.worker.attempt import Attempt, Stopped
from engine.worker.rows.encode import Encoded, collate, nll_of_logits


class HeldOut:
    """A gauge of `eval/loss` and `eval/perplexity`, weighted by tokens and not by rows."""

    def __init__(
        self,
        attempt: Attempt,
        model: Any,
        rows: Sequence[Encoded],
        batch_size: int,
        pad_id: int,
    ) -> None:
        self._attempt = attempt
        self._model = model
        # Rows of like length together: less padding.
        self._rows = sorted(rows, key=lambda row: len(row.input_ids))
        self._batch_size = batch_size
        self._pad_id = pad_id

    def measure(self, step: int) -> dict[str, float]:
        """Mean NLL in nats per learned token over all rows; nothing where there are none."""
        if not self._rows:
            return {}
        started = time.monotonic()
        total, count = 0.0, 0
        device: torch.device = self._model.device
        for start in range(0, len(self._rows), self._batch_size):
            if self._attempt.stop_requested():
                raise Stopped
            batch = collate(self._rows[start : start + self._batch_size], self._pad_id)
            moved = {name: value.to(device) for name, value in batch.items()}
            labels = moved.pop("labels")
            nll, tokens = nll_of_logits(self._model(**moved, use_cache=False).logits, labels)
            total, count = total + float(nll), count + tokens
        loss = total / max(count, 1)
        self._attempt.log(
            f"step {step}: eval loss {loss:.4f} over {count:,} tokens of {len(self._rows)} rows, "
            f"{time.monotonic() - started:.1f} s"
        )
        return {"eval/loss": loss, "eval/perplexity": perplexity(loss)}
