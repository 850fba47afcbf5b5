"""transformers' Trainer with our loss, our evaluation, our curves and checkpoints made aside.

The loss of a step is the sum of the NLL of its learned tokens over their number, exact over the
batches that are accumulated. Measuring leaves every random state as it was.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from engine.worker import checkpoints
from engine.worker.attempt import Attempt
from engine.worker.curves import Curves, perplexity
from engine.worker.encode import Encoded, collate, nll_of_logits


class Meter:
    """NLL and learned tokens since the last `take`."""

    def __init__(self) -> None:
        self._nll = 0.0
        self._tokens = 0

    def add(self, nll: Tensor, tokens: int) -> None:
        self._nll += float(nll.detach())
        self._tokens += tokens

    def take(self) -> tuple[float, int]:
        """Sum in nats and number of tokens; starts again at zero."""
        taken = (self._nll, self._tokens)
        self._nll, self._tokens = 0.0, 0
        return taken


class TokenTrainer(Trainer):
    """A Trainer whose every number is weighted by tokens."""

    def __init__(
        self,
        attempt: Attempt,
        curves: Curves,
        eval_rows: Sequence[Encoded],
        pad_id: int,
        **options: Any,
    ) -> None:
        self.meter = Meter()
        self._attempt = attempt
        self._curves = curves
        self._eval_rows = sorted(eval_rows, key=lambda row: len(row.input_ids))
        self._pad_id = pad_id
        self._folder = attempt.directory.checkpoints
        self._clock = (time.monotonic(), 0)
        super().__init__(
            data_collator=lambda rows: collate(rows, pad_id),
            compute_loss_func=self._loss,
            **options,
        )

    def _loss(self, outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
        nll, tokens = nll_of_logits(outputs.logits, labels)
        self.meter.add(nll, tokens)
        loss: Tensor = nll / num_items_in_batch
        return loss.float()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write the curves of a step. The Trainer's own history would grow with every step."""
        nll, tokens = self.meter.take()
        if "learning_rate" not in logs or not tokens:
            return
        state: TrainerState = self.state
        now, (before, seen) = time.monotonic(), self._clock
        self._clock = (now, state.num_input_tokens_seen)
        speed = (state.num_input_tokens_seen - seen) / max(now - before, 1e-6) if seen else 0.0
        self._curves.log(
            state.global_step,
            train__loss=nll / tokens,
            train__perplexity=perplexity(nll / tokens),
            train__learning_rate=logs["learning_rate"],
            train__grad_norm=logs.get("grad_norm", float("nan")),
            train__tokens_per_second=speed,
            train__tokens=state.num_input_tokens_seen,
            train__epoch=state.epoch or 0.0,
            machine__device_memory_bytes=device_memory(self.args.device),
        )

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Token-weighted NLL and perplexity of the held-out rows; no random state is touched."""
        if not self._eval_rows:
            return {}
        started = time.monotonic()
        loss, tokens = self._measure(self._batches(self.args.per_device_eval_batch_size))
        if self._attempt.stop_requested():
            self.control.should_evaluate = False
            return {}  # a part of the rows would give another number under the same name
        self._curves.log(self.state.global_step, eval__loss=loss, eval__perplexity=perplexity(loss))
        self._attempt.log(
            f"step {self.state.global_step}: eval loss {loss:.4f} over {tokens:,} tokens of "
            f"{len(self._eval_rows)} rows, {time.monotonic() - started:.1f} s"
        )
        # The time of measuring is not the speed of training.
        self._clock = (time.monotonic(), self.state.num_input_tokens_seen)
        metrics = {"eval_loss": loss, "eval_perplexity": perplexity(loss)}
        # The Trainer takes a wish to evaluate as open until its callbacks have heard the answer.
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _measure(self, batches: Iterator[dict[str, Tensor]]) -> tuple[float, int]:
        """Mean NLL in nats and the tokens it is over; ends early when a stop is asked for."""
        model: Any = self.model
        training = model.training
        model.eval()
        total, count = 0.0, 0
        try:
            with torch.no_grad(), self.compute_loss_context_manager():
                for batch in batches:
                    if self._attempt.stop_requested():
                        break
                    labels = batch.pop("labels").to(self.args.device)
                    moved = {name: value.to(self.args.device) for name, value in batch.items()}
                    logits = model(**moved, use_cache=False).logits
                    nll, tokens = nll_of_logits(logits, labels)
                    total, count = total + float(nll), count + tokens
        finally:
            model.train(training)
        return total / max(count, 1), count

    def _batches(self, size: int) -> Iterator[dict[str, Tensor]]:
        for start in range(0, len(self._eval_rows), size):
            yield collate(self._eval_rows[start : start + size], self._pad_id)

    def _get_output_dir(self, trial: Any = None) -> str:
        return str(self._folder / checkpoints.ASIDE)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save aside, flush, rename; a checkpoint has its name only when it is whole."""
        started = time.monotonic()
        step, folder = self.state.global_step, self._folder
        checkpoints.prune(folder, keep=10**9)
        super()._save_checkpoint(model, trial)
        aside = folder / checkpoints.ASIDE / f"checkpoint-{step}"
        size = sum(path.stat().st_size for path in aside.iterdir())
        checkpoints.publish(aside, folder, step)
        self._attempt.log(
            f"checkpoint-{step} saved ({size / 1e6:.1f} MB, {time.monotonic() - started:.1f} s)"
        )
        self._clock = (time.monotonic(), self.state.num_input_tokens_seen)


class Conductor(TrainerCallback):
    """Says how far the run is, when to measure and save, and when to stop."""

    def __init__(self, attempt: Attempt, evaluations: int, saves: int, keep: int) -> None:
        self._attempt = attempt
        self._evaluations = evaluations
        self._saves = saves
        self._keep = keep
        self._eval_steps: set[int] = set()
        self._save_steps: set[int] = set()
        self._began = (0.0, 0)
        self._tokens_before = 0
        self.stopped = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        total = state.max_steps
        self._eval_steps = spread(total, self._evaluations) | {total}
        self._save_steps = spread(total, self._saves) | {total}
        self._began = (time.monotonic(), state.global_step)
        self._tokens_before = state.num_input_tokens_seen
        self._attempt.log(f"training from step {state.global_step} to {total}")
        self._report(args, state)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self._attempt.stop_requested():
            self.stopped = state.global_step < state.max_steps
            control.should_training_stop = True
        control.should_evaluate = state.global_step in self._eval_steps and not self.stopped
        control.should_save = state.global_step in self._save_steps or self.stopped
        self._report(args, state)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        checkpoints.prune(self._attempt.directory.checkpoints, self._keep)

    def _report(self, args: TrainingArguments, state: TrainerState) -> None:
        began, first = self._began
        elapsed, steps = time.monotonic() - began, state.global_step - first
        tokens = state.num_input_tokens_seen - self._tokens_before
        self._attempt.progress(
            state.global_step,
            state.max_steps,
            epoch=float(state.epoch or 0.0),
            epochs=self._epochs(args, state),
            tokens=state.num_input_tokens_seen,
            tokens_per_second=tokens / elapsed if steps else 0.0,
            eta_seconds=elapsed / steps * (state.max_steps - state.global_step) if steps else None,
            message="",
        )

    @staticmethod
    def _epochs(args: TrainingArguments, state: TrainerState) -> float:
        """How many epochs it will be in all; 0 while the steps have not shown it."""
        if args.max_steps <= 0:
            return float(args.num_train_epochs)
        return (state.epoch or 0.0) / max(state.global_step, 1) * state.max_steps


def spread(total: int, count: int) -> set[int]:
    """`count` steps evenly over 1 … total, the last of them `total`; none where count is 0."""
    return {max(1, round(total * part / count)) for part in range(1, count + 1)}


def device_memory(device: torch.device) -> float:
    """Bytes: the peak that torch took of a GPU, else what is resident of this process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    import psutil

    return float(psutil.Process().memory_info().rss)
