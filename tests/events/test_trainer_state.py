"""The Trainer's own state file, for runs without event files."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.events.trainer_state import TrainerLog, tag_of

HISTORY = [
    {"step": 5, "epoch": 0.5, "loss": 2.0, "learning_rate": 1e-4, "grad_norm": float("nan")},
    {"step": 10, "epoch": 1.0, "loss": 1.0, "learning_rate": 5e-5},
    {"step": 10, "epoch": 1.0, "eval_loss": 1.25, "eval_samples_per_second": 7.0},
    {"step": 10, "epoch": 1.0, "train_runtime": 3.5, "note": "words", "flag": True},
    {"epoch": 9.0, "loss": 9.0},
    "no entry",
]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def write(folder: Path, **state: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "trainer_state.json"
    path.write_text(json.dumps({"log_history": HISTORY, **state}))
    return path


def test_tags_are_named_as_the_tensorboard_callback_names_them() -> None:
    from transformers.integrations import integration_utils

    rewrite: Callable[[dict[str, float]], dict[str, float]] = integration_utils.rewrite_logs
    keys = ["loss", "eval_loss", "eval_a_b", "test_x", "train_runtime", "epoch", "eval", "tester"]
    assert {tag_of(key) for key in keys} == set(rewrite(dict.fromkeys(keys, 1.0)))


def test_curves_and_settings(tmp_path: Path) -> None:
    write(tmp_path, best_metric=1.25, max_steps=10, best_model_checkpoint="x", stateful={})
    log = TrainerLog(tmp_path)
    assert log.poll()
    assert log.series["train/loss"].values.tolist() == [2.0, 1.0]
    assert log.series["train/loss"].steps.tolist() == [5, 10]
    assert log.series["eval/loss"].last == 1.25
    assert math.isnan(log.series["train/grad_norm"].values[0])
    assert np.isnan(log.series["train/loss"].wall_times).all()
    assert log.series["train/train_runtime"].last == 3.5
    assert not {"train/note", "train/flag", "train/step"} & set(log.series)
    assert log.settings == {"best_metric": 1.25, "max_steps": 10, "best_model_checkpoint": "x"}
    assert not log.poll()


def test_the_state_of_a_checkpoint_is_followed_and_dated(tmp_path: Path) -> None:
    path = write(tmp_path / "checkpoint-9", global_step=9)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    log = TrainerLog(tmp_path, "checkpoint-9/trainer_state.json")
    assert log.poll()
    assert (log.settings, log.modified) == ({"global_step": 9}, 1_700_000_000)
    write(tmp_path / "checkpoint-20", global_step=20)
    assert not log.poll()
    log.follow("checkpoint-20/trainer_state.json")
    assert log.poll()
    assert log.settings == {"global_step": 20}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
ENTRIES = st.dictionaries(st.sampled_from(["step", "loss", "eval_loss"]) | st.text(), JSON)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(JSON | st.lists(JSON | ENTRIES, max_size=5), JSON)
def test_whatever_a_state_holds_is_no_reason_to_fall(
    tmp_path: Path, history: object, more: object
) -> None:
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"log_history": history, "more": more}))
    log = TrainerLog(tmp_path)
    log.poll()
    for series in log.series.values():
        assert len(series.steps) == len(series.values) > 0


def test_numbers_that_are_too_large(tmp_path: Path) -> None:
    history = [
        {"step": 1, "loss": 10**400, "eval_loss": -(10**400)},
        {"step": 10**30, "loss": 1.0},
        {"step": 2, "loss": 0.5},
    ]
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"log_history": history}))
    log = TrainerLog(tmp_path)
    log.poll()
    assert log.series["train/loss"].values.tolist() == [math.inf, 0.5]
    assert log.series["eval/loss"].values.tolist() == [-math.inf]
    assert log.problems[0].reason.startswith("1 entries skipped")


def test_a_state_that_is_half_written_or_no_state(tmp_path: Path) -> None:
    path = write(tmp_path)
    whole = path.read_text()
    clock = Clock()
    log = TrainerLog(tmp_path, clock=clock)
    log.poll()
    for content in (whole[:40], "[]", "{}", "[" * 100_000, "\x00"):
        path.write_text(content)
        assert log.poll() or log.problems
        assert "cannot be read" in log.problems[0].reason
        assert log.series["train/loss"].last == 1.0
    path.write_text(whole)
    clock.now += 2
    assert log.poll()
    assert not log.problems
    path.unlink()
    assert log.poll()
    assert not log.series


def test_a_step_that_is_a_truth_value_is_none(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text('{"log_history": [{"step": true, "loss": 9.0}, {"step": 2, "loss": 1.0}]}')
    log = TrainerLog(tmp_path)
    assert log.poll()
    assert log.series["train/loss"].steps.tolist() == [2]
