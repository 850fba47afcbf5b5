"""transformers' Trainer with our loss, our measuring, our curves and checkpoints made aside.

The loss of a step is the sum of the NLL of its trained tokens over their number, exact over the
batches that are accumulated. Measuring leaves every random state as it was.
"""

import resource
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer, TrainerState

from engine.events.event_tags import TOKENS_PER_SECOND, TRAIN_TAGS
from engine.events.summary import perplexity
from engine.jobs.directory import SAVING, step_of
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.batching import (
    EncodedRows,
    EpochSampler,
    choose_collate,
    choose_sampler,
    lengths_of,
)
from engine.worker.data.encode import IGNORE_INDEX, collate
from engine.worker.data.packing import packed_inputs
from engine.worker.model.label_head import LabelHead
from engine.worker.model.tokenizer_files import TokenizerFiles
from engine.worker.training import checkpoints
from engine.worker.training.callback import TrainingCallback
from engine.worker.training.evaluator import Evaluator, HeldOut, preserve_rng_and_mode
from engine.worker.training.event_writer import EventWriter
from engine.worker.training.finite_check import FiniteCheck
from engine.worker.training.hardware_log import HardwareLogger
from engine.worker.training.hf_arguments import training_arguments
from engine.worker.training.setup import TrainingSetup


class LossSum:
    """NLL and trained tokens since the last `take`. Kept on the device: asking it costs time."""

    def __init__(self) -> None:
        self._nll: Tensor | float = 0.0
        self._tokens: Tensor | int = 0

    def add(self, nll: Tensor, tokens: Tensor) -> None:
        self._nll = self._nll + nll.detach()
        self._tokens = self._tokens + tokens

    def take(self) -> tuple[float, int]:
        """Sum in nats and number of tokens; starts again at zero."""
        taken = (float(self._nll), int(self._tokens))
        self._nll, self._tokens = 0.0, 0
        return taken


class MeasuredTrainer(Trainer):
    """A Trainer that measures, logs and saves as runs of ours do; subclasses have the loss."""

    def __init__(
        self,
        attempt: Attempt,
        curves: EventWriter,
        callback: TrainingCallback,
        *,
        sampler: EpochSampler | None = None,
        **options: Any,
    ) -> None:
        self.sampler = sampler
        """What yields the rows; None: shuffled, as the Trainer does it."""
        self.loss_sum = LossSum()
        self.evaluators: Sequence[Evaluator] = ()
        """What is measured at each evaluation, in this order."""
        self._attempt = attempt
        self._finite_check = FiniteCheck(callback.nonfinite_steps)
        self._curves = curves
        self._callback = callback
        self._folder = attempt.directory.checkpoints
        self._tokenizer_files = TokenizerFiles(
            options["processing_class"], lambda: checkpoints.with_tokenizer(attempt.directory)
        )
        self._clock = (time.monotonic(), 0)
        self._hardware_logger = HardwareLogger(attempt.directory.path, attempt.devices)
        super().__init__(callbacks=[callback], **options)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return super()._get_train_sampler(train_dataset) if self.sampler is None else self.sampler

    @property
    def total_steps(self) -> int:
        """The step at which the run ends, by its recipe and rows."""
        return int(self.set_initial_training_values(self.args, self.get_train_dataloader())[-1])

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """None are counted: nobody reads it, and counting parameters takes time at every pass."""
        return 0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write the curves of a step. The Trainer's own history would grow with every step."""
        nll, tokens = self.loss_sum.take()
        if "learning_rate" not in logs or not tokens:
            return
        state: TrainerState = self.state
        now, (before, seen) = time.monotonic(), self._clock
        self._clock = (now, state.num_input_tokens_seen)
        speed = (state.num_input_tokens_seen - seen) / max(now - before, 1e-6) if seen else 0.0
        numbers = (
            nll / tokens,
            perplexity(nll / tokens),
            logs["learning_rate"],
            logs.get("grad_norm", float("nan")),
            speed,
            float(state.num_input_tokens_seen),
            state.epoch or 0.0,
            self._memory(),
        )
        values = self.shown(dict(zip(TRAIN_TAGS, numbers, strict=True)), tokens)
        if not seen:  # the first step of an attempt
            del values[TOKENS_PER_SECOND]
        self._callback.history.logged = values
        self._curves.log(state.global_step, values | self._hardware_logger.scalars_if_due())
        # With float16 the scale of the loss is found by steps whose gradients overflow.
        grad_norm = logs.get("grad_norm", 0.0) if self.accelerator.scaler is None else 0.0
        is_last = state.global_step >= state.max_steps
        if not self._finite_check.is_finite(state.global_step, numbers[0], grad_norm, self.model):
            self.control.should_save &= is_last

    def shown(self, values: dict[str, float], count: int) -> dict[str, float]:
        """What of a step's values is written; `count` is what the loss is the mean over."""
        return values

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Evaluate at this step, or where a stop is asked for meanwhile, save instead.

        The values are in the curves and in the history; the Trainer needs none.
        """
        try:
            self.measure()
        except Stopped:
            self._callback.stop_now(self.state, self.control)
            return {}
        # The Trainer takes a wish to evaluate as open until its callbacks have heard the answer.
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, {})
        return {}

    def measure(self) -> None:
        """Ask all evaluators, and write what they say. Raises Stopped, with nothing written."""
        step, values = self.state.global_step, dict[str, float]()
        with self._callback.evaluation():
            # The library computes as in training by a forward that it wraps at the first step only.
            with preserve_rng_and_mode(self.model), self.accelerator.autocast():
                for evaluator in self.evaluators:
                    tick = partial(self._callback.on_tick, evaluator.activity)
                    values |= evaluator.measure(step, tick)
            self._curves.log(step, values)
        self._callback.on_evaluated(step, values)
        # The time of measuring is not the speed of training.
        self._clock = (time.monotonic(), self.state.num_input_tokens_seen)

    def _get_output_dir(self, trial: Any = None) -> str:
        return str(self._folder / SAVING)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save aside, flush, rename; a checkpoint has its name only when it is whole."""
        started = time.monotonic()
        step, folder = self.state.global_step, self._folder
        with self._callback.saving():
            checkpoints.clear(folder)
            # The library would write the tokenizer into each of them.
            tokenizer, self.processing_class = self.processing_class, None
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self.processing_class = tokenizer
            aside = folder / SAVING / f"checkpoint-{step}"
            self._callback.history.write(aside)
            size = sum(path.stat().st_size for path in aside.iterdir())
            size += self._tokenizer_files.save(aside)
            checkpoints.publish(aside, folder, step)
        self._attempt.log(
            f"checkpoint-{step} saved ({size / 1e6:.1f} MB, {time.monotonic() - started:.1f} s)"
        )
        self._clock = (time.monotonic(), self.state.num_input_tokens_seen)

    def load(self, checkpoint: Path) -> None:
        """Take over the weights and the step of a checkpoint, and nothing else of it."""
        self._load_from_checkpoint(str(checkpoint))
        self.state.global_step = step_of(checkpoint)

    def _memory(self) -> float:
        """Bytes at the most until now: what torch took of a GPU, else what this process held.

        Between two steps, when this is asked, a process holds less than half of it: the logits of a
        large vocabulary are gone.
        """
        if self.args.device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(self.args.device))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(most if sys.platform == "darwin" else most * 1024)


class TokenTrainer(MeasuredTrainer):
    """A Trainer whose every number is weighted by tokens."""

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        attempt: Attempt,
        curves: EventWriter,
        callback: TrainingCallback,
        pad_id: int,
        head: LabelHead,
        **options: Any,
    ) -> None:
        options.setdefault("data_collator", lambda rows: collate(rows, pad_id))
        self._head = head
        super().__init__(attempt, curves, callback, **options)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """The share of this pass, packed or not, in the mean over the labels of its step."""
        given = dict(packed_inputs(inputs))
        sums, counts = self._head.nll_by_row(model, given, given.pop("labels"))
        nll = sums.sum()
        self.loss_sum.add(nll, counts.sum())
        loss: Tensor = nll / num_items_in_batch
        return loss.float()

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> int:
        counts = [(batch["labels"][:, 1:] != IGNORE_INDEX).sum() for batch in batch_samples]
        return max(1, int(sum(counts)))


def token_trainer(
    setup: TrainingSetup, curves: EventWriter, callback: TrainingCallback
) -> tuple[TokenTrainer, HeldOut]:
    """The trainer of a run that learns answers, and the evaluator of its held-out rows."""
    attempt, data, recipe = setup.attempt, setup.data, setup.recipe
    folder = attempt.directory.checkpoints
    trainer = TokenTrainer(
        attempt, curves, callback, setup.pad_id, setup.head,
        model=setup.model,
        args=training_arguments(recipe.training, folder, setup.device, setup.formats),
        train_dataset=EncodedRows(data.train),
        processing_class=setup.tokenizer,
        sampler=choose_sampler(recipe.training, lengths_of(data.train), recipe.data.max_length),
        data_collator=choose_collate(recipe.training, setup.model, setup.pad_id),
    )  # fmt: skip
    batch_size = trainer.args.per_device_eval_batch_size
    held_out = HeldOut(attempt, setup.model, setup.head, data.eval, batch_size, setup.pad_id)
    return trainer, held_out
