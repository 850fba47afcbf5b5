"""When a run measures, saves and ends: the plan of its steps, and what follows from a measurement.

Remembers nothing beside the history, which every checkpoint holds: whoever resumes decides alike.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from engine.errors import EngineError
from engine.impact.watched.skill_log import SkillLog
from engine.impact.watched.watched_suites import parse_rule
from engine.jobs.directory import list_checkpoints, step_of
from engine.recipes.recipe import TrainRecipe
from engine.worker.attempt import Attempt
from engine.worker.training import checkpoints, stopping_rules
from engine.worker.training.checkpoint_choice import check_halves, describe_changes
from engine.worker.training.checkpoints import Marks
from engine.worker.training.eval_history import History
from engine.worker.training.time_left import TimeLeft


class TrainingCallback(TrainerCallback):
    """Says how far the run is, when to measure and save, and when to stop."""

    def __init__(
        self,
        attempt: Attempt,
        recipe: TrainRecipe,
        history: History,
        time_left: TimeLeft | None = None,
    ) -> None:
        self.history = history
        self._time_left = time_left or TimeLeft()
        self.stopped = False
        """Whether a stop was asked for before the run came to its end."""
        self._attempt = attempt
        self._recipe = recipe
        self._folder = attempt.directory.checkpoints
        self._marks: Marks | None = None
        self.alarms = self._find_alarms()
        """What the status says of skills that fell, and of forgetting beyond the budget."""
        self._eval_steps: set[int] = set()
        self._save_steps: set[int] = set()

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
        saved = {step_of(path) for path in list_checkpoints(self._folder)}
        marks = stopping_rules.marks(self.history, self._recipe, saved)
        if marks != self._marks:
            checkpoints.write_marks(self._folder, marks)
            self._marks = marks
        return marks

    def choose_result(self) -> tuple[int | None, str]:
        """See `stopping_rules.choose_result`."""
        return stopping_rules.choose_result(self.history, self._recipe, self.update_marks())

    def describe_result(self, step: int | None) -> list[str]:
        """Lines on the chosen step, None for the last weights, where `keep_best` chose it."""
        rule = parse_rule(self._recipe.stopping)
        return describe_changes(self.history, rule, step) if rule and step is not None else []

    def watch_skills(self, skills: SkillLog) -> None:
        """Judge by what the items of the run's suites come to, from now on. Raises EngineError
        where a suite cannot choose a checkpoint."""
        self.history.skills = skills
        rule = parse_rule(self._recipe.stopping)
        if rule is not None:
            check_halves(skills, rule.names)
        self.alarms = self._find_alarms()

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """While it lasts an evaluation is shown, and measured where it comes to its end."""
        self._time_left.start_evaluation(time.monotonic())
        whole = False
        try:
            yield
            whole = True
        finally:
            self._time_left.end_evaluation(time.monotonic(), whole=whole)
            self._attempt.show_activity("")
            self._attempt.update(evaluation_seconds=self._time_left.evaluation.seconds)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """While it lasts a save is shown, and measured."""
        now = time.monotonic()
        self._time_left.start_saving(now)
        self._attempt.show_activity("saving", seconds=self._time_left.part_left(now))
        try:
            yield
        finally:
            self._time_left.end_saving(time.monotonic())
            self._attempt.show_activity("")
            self._attempt.update(saving_seconds=self._time_left.saving.seconds)
            self._show_time_left()

    def on_tick(self, activity: str, done: int, total: int) -> None:
        """Show how far a part of an evaluation is."""
        now = time.monotonic()
        self._time_left.tick(activity, done, total, now)
        self._attempt.show_activity(activity, done, total, self._time_left.part_left(now))
        self._show_time_left()

    def _show_time_left(self) -> None:
        if self._time_left.has_begun:
            left = self._time_left.left(time.monotonic(), pending=self.history.pending)
            self._attempt.update(eta_seconds=left)

    def on_evaluated(self, step: int, values: Mapping[str, float]) -> None:
        """Take in what an evaluation measured.

        Raises EngineError where the metric to judge by is not logged.
        """
        self.history.add(step, values)
        self.history.pending = False
        stopping_rules.check_metric(self.history, self._recipe)
        self.update_marks()
        before, self.alarms = self.alarms, self._find_alarms()
        for alarm in self.alarms:
            if alarm not in before:
                self._attempt.log(alarm)
        self._show_time_left()

    def _find_alarms(self) -> list[str]:
        """A sentence on each, those of skills first; each stays as it was when it was raised."""
        forgetting = stopping_rules.alarm(self.history, self._recipe)
        skills = map(str, stopping_rules.skill_alarms(self.history, self._recipe))
        return [*skills, *([forgetting] if forgetting else [])]

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **has: Any
    ) -> None:
        total, training = state.max_steps, self._recipe.training
        self._plan(state.global_step, total)
        if state.global_step:
            follow_schedule(has["optimizer"], has["lr_scheduler"])
        self._eval_steps = spread(total, training.evaluations) | {total}
        self._save_steps = spread(total, training.saves) | {total}
        self._begin(state, total)
        self._attempt.log(f"training from step {state.global_step} to {total}")
        self._report(args, state)

    def report_at(self, checkpoint: Path, args: TrainingArguments) -> None:
        """Say how far the run is at a checkpoint, where it makes no step more."""
        state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        self._begin(state, state.global_step)
        self._report(args, state)

    def _begin(self, state: TrainerState, total: int) -> None:
        """Training goes on after the step of this state, to `total`."""
        self._time_left.begin(
            state.global_step, total, self._eval_steps, self._save_steps,
            state.num_input_tokens_seen, time.monotonic(),
        )  # fmt: skip

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
        now, left = time.monotonic(), self._time_left
        left.advance(state.global_step, state.num_input_tokens_seen, now)
        self._attempt.progress(
            state.global_step,
            state.max_steps,
            epoch=float(state.epoch or 0.0),
            epochs=self._epochs(args, state),
            tokens=state.num_input_tokens_seen,
            tokens_per_second=left.tokens_per_second(now),
            eta_seconds=left.left(now, pending=self.history.pending),
            eta_basis=left.basis,
            message="; ".join(self.alarms),
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
