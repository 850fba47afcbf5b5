"""When a run measures, saves and ends: the plan of its steps, and what follows from a measurement.

Remembers nothing beside the history, which every checkpoint holds: whoever resumes decides alike.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from engine.errors import EngineError
from engine.recipes.recipe import TrainRecipe
from engine.worker.attempt import Attempt
from engine.worker.training import checkpoints, stopping_rules
from engine.worker.training.checkpoints import Marks
from engine.worker.training.eval_history import History


class TrainingCallback(TrainerCallback):
    """Says how far the run is, when to measure and save, and when to stop."""

    def __init__(self, attempt: Attempt, recipe: TrainRecipe, history: History) -> None:
        self.history = history
        self.stopped = False
        """Whether a stop was asked for before the run came to its end."""
        self._attempt = attempt
        self._recipe = recipe
        self._folder = attempt.directory.checkpoints
        self._marks: Marks | None = None
        self.alarm = stopping_rules.alarm(history, recipe)
        """What the status says of forgetting; empty within the budget."""
        self._eval_steps: set[int] = set()
        self._save_steps: set[int] = set()
        self._began = (0.0, 0)
        self._tokens_before = 0
        self._measuring = 0.0
        """Seconds of evaluations since training began."""
        self._evaluations: list[float] = []
        """Seconds of each evaluation, that of step 0 too."""

    @property
    def nonfinite_steps(self) -> int:
        """Steps in a row without a finite loss that end the run; 0: none do."""
        return self._recipe.stopping.nonfinite_steps

    @property
    def ended(self) -> str:
        """Why the run ends early where it is, in a word; empty where it goes on."""
        return stopping_rules.ended(self.history, self._recipe)

    def update_marks(self) -> Marks:
        """What to know of the checkpoints on disk; written beside them where it has changed."""
        saved = {checkpoints.step_of(path) for path in checkpoints.listed(self._folder)}
        marks = stopping_rules.marks(self.history, self._recipe, saved)
        if marks != self._marks:
            checkpoints.write_marks(self._folder, marks)
            self._marks = marks
        return marks

    def choose_result(self) -> tuple[int | None, str]:
        """See `stopping_rules.choose_result`."""
        return stopping_rules.choose_result(self.history, self._recipe, self.update_marks())

    def on_evaluated(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Take in an evaluation, and how long it took.

        Raises EngineError where the metric to judge by is not logged.
        """
        self._measuring += seconds
        self._evaluations.append(seconds)
        self.history.add(step, values)
        self.history.pending = False
        stopping_rules.check_metric(self.history, self._recipe)
        self.update_marks()
        before, self.alarm = self.alarm, stopping_rules.alarm(self.history, self._recipe)
        if self.alarm and not before:
            self._attempt.log(self.alarm)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **has: Any
    ) -> None:
        total, training = state.max_steps, self._recipe.training
        self._plan(state.global_step, total)
        if state.global_step:
            follow_schedule(has["optimizer"], has["lr_scheduler"])
        self._eval_steps = spread(total, training.evaluations) | {total}
        self._save_steps = spread(total, training.saves) | {total}
        self._began, self._measuring = (time.monotonic(), state.global_step), 0.0
        self._tokens_before = state.num_input_tokens_seen
        self._attempt.log(f"training from step {state.global_step} to {total}")
        self._report(args, state)

    def report_at(self, checkpoint: Path, args: TrainingArguments) -> None:
        """Say how far the run is at a checkpoint, where it makes no step more."""
        state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        self._began = (time.monotonic(), state.global_step)
        self._tokens_before = state.num_input_tokens_seen
        self._report(args, state)

    def _plan(self, step: int, total: int) -> None:
        """Note where the run is to end. Raises EngineError where it is past that already."""
        before, self.history.total = self.history.total, total
        if step > total:
            raise EngineError(
                f"The run is at step {step}; the recipe ends at step {total}.",
                "Nothing left to train.",
                "Increase training.epochs or training.max_steps.",
            )
        if before and before != total:
            schedule = self._recipe.training.lr_scheduler_type
            self._attempt.log(
                f"the schedule changes: it ended at step {before}; the {schedule} "
                f"learning rate now ends at step {total}"
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.history.pending = state.global_step in self._eval_steps
        control.should_evaluate = self.history.pending
        control.should_save = state.global_step in self._save_steps
        if self._attempt.stop_requested():
            self.stop_now(state, control)
        self._report(args, state)

    def stop_now(self, state: TrainerState, control: TrainerControl) -> None:
        """Save and end here; what was to be measured is measured when the run goes on."""
        control.should_evaluate = False
        if state.global_step < state.max_steps or self.history.pending:
            self.stopped = True
            control.should_save = control.should_training_stop = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        control.should_save |= stopping_rules.should_save(self.history, self._recipe)
        control.should_training_stop |= bool(self.ended)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        checkpoints.prune(
            self._folder, self._recipe.training.save_total_limit, self.update_marks().kept
        )

    def _report(self, args: TrainingArguments, state: TrainerState) -> None:
        began, first = self._began
        training, steps = time.monotonic() - began - self._measuring, state.global_step - first
        tokens = state.num_input_tokens_seen - self._tokens_before
        eta = training / steps * (state.max_steps - state.global_step) if steps else None
        if eta is not None and self._evaluations:
            left = sum(step > state.global_step for step in self._eval_steps) + self.history.pending
            eta += left * sum(self._evaluations) / len(self._evaluations)
        self._attempt.progress(
            state.global_step,
            state.max_steps,
            epoch=float(state.epoch or 0.0),
            epochs=self._epochs(args, state),
            tokens=state.num_input_tokens_seen,
            tokens_per_second=tokens / training if steps else 0.0,
            eta_seconds=eta,
            message=self.alarm,
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


def follow_schedule(optimizer: Any, scheduler: Any) -> None:
    """Give the next step the rate of the schedule as it is now.

    A checkpoint brings the rate that its own schedule had come to; where it ended that is 0, and
    the first step of a run that is given more would be lost.
    """
    factors = [factor(scheduler.last_epoch) for factor in scheduler.lr_lambdas]
    rates = [rate * factor for rate, factor in zip(scheduler.base_lrs, factors, strict=True)]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    scheduler._last_lr = rates
