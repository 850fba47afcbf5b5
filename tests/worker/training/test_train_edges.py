"""Training at the edges of a recipe, and where the machine gives little: by real workers."""

import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.jobs import directory, launch
from engine.jobs.lock import Lock
from engine.jobs.status import State
from engine.launching import resume
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.worker.__main__ import explain
from engine.worker.attempt import Attempt
from engine.worker.data.encode import widest
from tests.conftest import Eventually
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, make_recipe, wait_for_end

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "say {one}", "completion": "number {one}"}}\n' for one in range(24))
    )
    return path


def test_a_run_builds_on_one_of_its_own_folder_though_the_home_is_read_only(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """With one row, no row to measure on, and settings at their bounds."""
    before = directory.create(root, TrainRecipe(name="before"))
    save_checkpoint(before.model)
    row = tmp_path / "row.jsonl"
    row.write_text('{"prompt": "say", "completion": "yes"}\n')
    state = tmp_path / "state"
    state.touch()
    monkeypatch.setenv("FINETOP_STATE", str(state))
    monkeypatch.delenv("FINETOP_RUNS")
    wanted = recipe.with_changes(
        recipe.to_table(make_recipe(before.path, row)),
        [f"model.checkpoint=run:{before.path.name}", "data.eval_fraction=0", "training.saves=0",
         "training.batch_size=65536", "training.gradient_accumulation_steps=4",
         "training.evaluations=10000", "training.warmup_ratio=1", "training.epochs=0.3"],
    )  # fmt: skip
    job = launch.launch(recipe.parse(wanted), root)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(1).log)
    seen = curves(job)
    assert seen["train/loss"][0] == [1]
    assert "eval/loss" not in seen


def test_smaller_passes_go_on_with_the_same_steps(
    root: Path, tmp_path: Path, rows: Path, eventually: Eventually
) -> None:
    """The hint on too little memory must hold for a run that has begun: same rows, same loss."""
    base = save_checkpoint(tmp_path / "base")
    common = ("training.batch_size=8", "method.dropout=0",
              "training.lr_scheduler_type=constant_with_warmup", "training.warmup_ratio=0",
              "data.eval_fraction=0.1")  # fmt: skip
    whole = launch.launch(make_recipe(base, rows, *common, "training.max_steps=6"), root)
    job = launch.launch(make_recipe(base, rows, *common, "training.max_steps=4"), root)
    for one in (whole, job):
        assert wait_for_end(one, eventually) is State.DONE, launch.log_tail(one.attempt(1).log)
    smaller = (
        *common,
        "training.max_steps=6",
        "training.batch_size=4",
        "training.gradient_accumulation_steps=2",
    )
    resume.resume_job(job, make_recipe(base, rows, *smaller))
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(2).log)
    assert "resuming from checkpoint-4" in job.attempt(2).log.read_text()
    again, first = curves(job), curves(whole)
    assert again["train/loss"][0] == first["train/loss"][0] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(again["train/loss"][1], first["train/loss"][1], rtol=1e-4)
    np.testing.assert_array_equal(again["train/tokens"][1], first["train/tokens"][1])


@pytest.fixture
def attempt(root: Path) -> Attempt:
    job = directory.create(root, TrainRecipe())
    return Attempt(job, Lock(job.lock_file))


def test_an_error_of_many_lines_has_a_title_of_one(attempt: Attempt) -> None:
    told = explain(RuntimeError("size mismatch\n\tfor this\n\tand that"), attempt)
    assert told.title == "RuntimeError: size mismatch"
    assert "for this" in told.detail


def test_a_signal_is_heard_while_waiting_and_asks_as_a_file_does(attempt: Attempt) -> None:
    before = signal.signal(signal.SIGTERM, attempt._ask_to_stop)
    try:
        assert not attempt.stop_requested(wait=0.01)
        signal.raise_signal(signal.SIGTERM)
        assert attempt.stop_requested()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_sums_are_in_a_format_that_the_device_has() -> None:
    assert widest(torch.device("mps")) is torch.float32
    assert widest(torch.device("cpu")) is widest(torch.device("cuda")) is torch.float64
