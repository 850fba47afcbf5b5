"""Direct preference optimisation (arXiv 2305.18290) by TRL's DPOTrainer, as a run of ours.

The loss and its numbers are TRL's. Rows, order, curves, measuring, checkpoints and stopping are
those of every other run, and the loss of a step is exact over its pairs. Needs the package trl.
"""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from datasets import Dataset
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.utils import FusedCausalLMOutput

from engine.errors import EngineError
from engine.events.event_tags import DPO_TAGS
from engine.number_format import write_number, write_percent
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.batching import EncodedRows, choose_sampler
from engine.worker.data.encode import IGNORE_INDEX
from engine.worker.data.preference_pairs import (
    FILE,
    ScoredPair,
    collate_pairs,
    compare_with_reference,
)
from engine.worker.model.label_head import LabelHead
from engine.worker.training.callback import TrainingCallback
from engine.worker.training.evaluator import EVALUATING, Tick, no_tick, preserve_rng_and_mode
from engine.worker.training.event_writer import EventWriter
from engine.worker.training.hf_arguments import training_arguments
from engine.worker.training.setup import TrainingSetup
from engine.worker.training.trainer import MeasuredTrainer


class PreferenceTrainer(MeasuredTrainer, DPOTrainer):
    """TRL's trainer, its every number weighted by pairs, on data that is encoded already."""

    loss_is_scaled_for_ga = True

    def __init__(self, *parts: Any, model: Any, head: LabelHead, **options: Any) -> None:
        self._head = head
        dtypes = {name: weight.dtype for name, weight in model.named_parameters()}
        super().__init__(*parts, model=model, **options)
        for name, weight in model.named_parameters():
            if name in dtypes:  # on a quantised base TRL rounds what is learned to bfloat16
                weight.data = weight.data.to(dtypes[name])
        if hasattr(model, "peft_config") and "ref" in model.peft_config:
            model.delete_adapter("ref")  # a copy of the adapter; the reference was asked before
        self.precompute_ref_logps = True
        self.aux_loss_enabled = False  # nor is it a part of the loss of answers
        self._sums = dict.fromkeys(DPO_TAGS, 0.0)

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def create_model_card(self, *_: Any, **__: Any) -> None:
        pass

    def _send_telemetry(self) -> None:
        pass

    def compare(self, inputs: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The mean loss of a pass and the means of DPO_TAGS, by their names."""
        model: Any = self.model
        loss: Tensor = super()._compute_loss(  # type: ignore[no-untyped-call]
            _LabelledModel(model, self._head), inputs, False
        )
        metrics = self._metrics["train" if model.training else "eval"]
        numbers = {name: float(metrics[key][-1]) for name, key in DPO_TAGS.items()}
        metrics.clear()
        return loss, numbers

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """The share of this pass in the mean over the pairs of its step."""
        loss, numbers = self.compare(inputs)
        pairs = _pairs_in(inputs)
        self.loss_sum.add(loss * pairs, torch.tensor(pairs))
        for name, value in numbers.items():
            self._sums[name] += value * pairs
        share: Tensor = loss * (pairs / num_items_in_batch)
        return share

    def score(self, inputs: dict[str, Tensor], *, off: bool) -> Tensor:
        """Log-probabilities of the answers of a pass in nats; `off` is without the adapter."""
        moved = self._prepare_inputs(inputs)
        labels = moved["input_ids"].masked_fill(moved["completion_mask"] == 0, IGNORE_INDEX)
        model: Any = self.model
        with (
            preserve_rng_and_mode(model),
            self.accelerator.autocast(),
            model.disable_adapter() if off else nullcontext(),
        ):
            outputs = _LabelledModel(model, self._head)(
                input_ids=moved["input_ids"], attention_mask=moved["attention_mask"], labels=labels,
            )  # fmt: skip
        return torch.as_tensor(outputs.log_probs.sum(1))

    def shown(self, values: dict[str, float], pairs: int) -> dict[str, float]:
        """The step's curves: the loss is one of pairs, so there is no perplexity."""
        added = {f"dpo/{name}": total / pairs for name, total in self._sums.items()}
        self._sums = dict.fromkeys(DPO_TAGS, 0.0)
        return {tag: value for tag, value in values.items() if tag != "train/perplexity"} | added

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> int:
        return sum(_pairs_in(batch) for batch in batch_samples)


@dataclass(frozen=True, slots=True)
class _LabelledModel:
    """A model as TRL asks it for the log-probabilities of labels, which are those of our head."""

    model: Any
    head: LabelHead

    def __call__(self, *, labels: Tensor, fused_lm_head: bool = True, **inputs: Any) -> Any:
        """`log_probs`, float32 of (rows, length - 1), 0 where there is no label.

        What TRL also asks for is in no curve of ours, and is 0.
        """
        nll, _ = self.head.nll_of_labels(self.model, inputs, labels, alike=False)
        counted = labels[:, 1:] != IGNORE_INDEX
        empty = nll.new_zeros(counted.shape)
        return FusedCausalLMOutput(
            log_probs=empty.masked_scatter(counted, -nll),
            entropy=empty, mean_logits=empty, is_top1=empty.bool(),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class HeldOutPairs:
    """An evaluator of the loss and of DPO_TAGS over the held-out pairs."""

    attempt: Attempt
    trainer: PreferenceTrainer
    pairs: Sequence[ScoredPair]
    activity: str = EVALUATING

    def measure(self, step: int, tick: Tick = no_tick) -> dict[str, float]:
        """Means over all pairs; nothing where there are none."""
        if not self.pairs:
            return {}
        started = time.monotonic()
        sums = dict.fromkeys(("loss", *DPO_TAGS), 0.0)
        size = self.trainer.args.per_device_eval_batch_size
        for start in range(0, len(self.pairs), size):
            if self.attempt.stop_requested():
                raise Stopped
            tick(start, len(self.pairs))
            part: list[Any] = list(self.pairs[start : start + size])
            inputs: Any = self.trainer.data_collator(part)
            loss, numbers = self.trainer.compare(self.trainer._prepare_inputs(inputs))
            for name, value in {"loss": float(loss), **numbers}.items():
                sums[name] += value * len(part)
        means = {f"eval/{name}": total / len(self.pairs) for name, total in sums.items()}
        self.attempt.log(
            f"step {step}: eval loss {write_number(means['eval/loss'], 4)} over "
            f"{len(self.pairs)} pairs, {write_percent(means['eval/accuracy'])} accuracy, "
            f"{time.monotonic() - started:.1f} s"
        )
        return means


def preference_trainer(
    setup: TrainingSetup, curves: EventWriter, callback: TrainingCallback
) -> tuple[PreferenceTrainer, HeldOutPairs]:
    """The trainer of a DPO run, and the evaluator of its held-out pairs; the model as it begins.

    The reference reads every pair here. Raises Stopped, EngineError.
    """
    _check_model(setup)
    trainer = PreferenceTrainer(
        setup.attempt, curves, callback,
        model=setup.model,
        head=setup.head,
        args=_arguments(setup),
        train_dataset=Dataset.from_dict({"row": [0]}),  # the rows are known once they are compared
        processing_class=setup.tokenizer,
        data_collator=partial(collate_pairs, pad_id=setup.pad_id),
    )  # fmt: skip
    rows, held_out = _compare_pairs(setup, trainer)
    trainer.train_dataset = EncodedRows(rows)
    lengths = [row.length for row in rows]
    recipe = setup.recipe
    trainer.sampler = choose_sampler(recipe.training, lengths, recipe.data.max_length)
    held_out = sorted(held_out, key=lambda row: row.length)
    return trainer, HeldOutPairs(setup.attempt, trainer, held_out)


def _check_model(setup: TrainingSetup) -> None:
    """Raise EngineError where the model cannot learn so; the log says which setting has no use."""
    if isinstance(setup.model.get_output_embeddings(), BaseTunerLayer):
        raise EngineError(
            "DPO does not support an adapter on the output head.",
            "TRL refuses one, since its own head would not train it",
            "Remove the head from method.target_modules.",
        )
    if setup.recipe.method.dropout:
        setup.attempt.log("DPO trains without dropout: method.dropout is ignored")


def _compare_pairs(
    setup: TrainingSetup, trainer: PreferenceTrainer
) -> tuple[list[ScoredPair], list[ScoredPair]]:
    """The pairs to train on and those held out, with what the reference makes of each.

    The reference is the model with a new adapter switched off, and with one that goes on as it is.
    """
    attempt, data, stage = setup.attempt, setup.data, setup.stage
    off = hasattr(setup.model, "peft_config") and (stage.adapter is None or stage.merges)
    pairs, scored = [*data.pairs, *data.eval_pairs], 0

    def score(inputs: dict[str, Tensor]) -> Tensor:
        nonlocal scored
        if attempt.stop_requested():
            raise Stopped
        attempt.show_activity("scoring the reference", scored, len(pairs))
        scored += _pairs_in(inputs)
        return trainer.score(inputs, off=off)

    started = time.monotonic()
    file, batch_size = attempt.directory.path / FILE, trainer.args.per_device_eval_batch_size
    compared = compare_with_reference(pairs, file, batch_size, setup.pad_id, score)
    attempt.show_activity("")
    attempt.log(
        f"reference log-probabilities of {len(pairs)} pairs, {time.monotonic() - started:.1f} s"
    )
    return compared[: len(data.pairs)], compared[len(data.pairs) :]


def _arguments(setup: TrainingSetup) -> Any:
    training = setup.recipe.training
    return training_arguments(
        training, setup.attempt.directory.checkpoints, setup.device, setup.formats, DPOConfig,
        beta=training.dpo_beta,
        max_length=None,
        # Of weights that are all learned TRL would else load a second copy.
        precompute_ref_log_probs=not hasattr(setup.model, "peft_config"),
    )  # fmt: skip


def _pairs_in(inputs: dict[str, Tensor]) -> int:
    return len(inputs["input_ids"]) // 2
