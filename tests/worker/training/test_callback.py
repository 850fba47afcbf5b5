"""What the callback says of a run's speed and of the time that is left."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerControl, TrainerState

from engine.worker.training.callback import TrainingCallback
from engine.worker.training.eval_history import History
from tests.worker.training.test_train import make_recipe

STEP, EVALUATION, TOKENS = 4.0, 30.0, 800
"""Seconds of a step and of an evaluation, and tokens of a step."""


class FakeAttempt:
    """Keeps what it is told of the progress."""

    def __init__(self, folder: Path) -> None:
        self.directory = SimpleNamespace(checkpoints=folder)
        self.progressed: list[dict[str, Any]] = []
        self.activities: list[str] = []
        self.updated: list[dict[str, Any]] = []

    def progress(self, step: int, total: int, **numbers: Any) -> None:
        self.progressed.append({"step": step, **numbers})

    def log(self, line: str) -> None:
        pass

    def show_activity(self, name: str, *_: Any, **__: Any) -> None:
        self.activities.append(name)

    def update(self, **fields: Any) -> None:
        self.updated.append(fields)

    def stop_requested(self) -> bool:
        return False


def test_evaluations_count_in_the_time_left_and_not_in_the_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of 12 steps that evaluates at 4, 8 and 12, and before the first step."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("engine.worker.training.callback.time.monotonic", lambda: clock.now)
    recipe = make_recipe(tmp_path, tmp_path, "training.evaluations=3", "training.saves=0")
    attempt: Any = FakeAttempt(tmp_path)
    callback = TrainingCallback(attempt, recipe, History())
    state, control = TrainerState(max_steps=12, num_input_tokens_seen=0), TrainerControl()
    args: Any = SimpleNamespace(max_steps=12, num_train_epochs=1)

    def evaluate() -> None:
        with callback.evaluation():
            for done in range(10):
                callback.on_tick("evaluating", done, 10)
                clock.now += EVALUATION / 10
        callback.on_evaluated(state.global_step, {"eval/loss": 1.0})

    evaluate()
    callback.on_train_begin(args, state, control, optimizer=None, lr_scheduler=None)
    for step in range(1, 13):
        clock.now += STEP
        state.global_step, state.num_input_tokens_seen = step, TOKENS * step
        callback.on_step_end(args, state, control)
        if control.should_evaluate:
            evaluate()
    first, *steps = attempt.progressed
    assert (first["eta_seconds"], first["tokens_per_second"]) == (None, 0.0)
    for now in steps:
        left = sum(at >= now["step"] for at in (4, 8, 12))
        assert now["eta_seconds"] == pytest.approx(STEP * (12 - now["step"]) + EVALUATION * left)
        assert now["tokens_per_second"] == pytest.approx(TOKENS / STEP)
    assert set(attempt.activities) == {"evaluating", ""}
    while_evaluating = [one["eta_seconds"] for one in attempt.updated if "eta_seconds" in one]
    assert while_evaluating[-11:] == pytest.approx(
        [EVALUATION / 10 * at for at in range(10, -1, -1)]
    )
    assert attempt.updated[0] == {"evaluation_seconds": EVALUATION}
    assert steps[0]["eta_basis"] == "evaluations measured"
