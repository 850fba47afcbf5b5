"""What a run works with before its first step, and the order in which it comes about."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.jobs import directory
from engine.jobs.status import State
from engine.worker.attempt import Attempt, Stopped
from engine.worker.training.setup import TrainingSetup, load_model, prepare_setup
from tests.worker.here import begin_here, resume_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import make_recipe


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "say {at}", "completion": "number {at}"}}\n' for at in range(24))
    )
    return path


@pytest.fixture
def attempt(base: Path, rows: Path, tmp_path: Path) -> Iterator[Attempt]:
    job = directory.create(tmp_path, make_recipe(base, rows, "forgetting.tokens=64"))
    attempt = begin_here(job)
    yield attempt
    attempt.finish(State.STOPPED)


def test_all_but_the_weights_comes_first(attempt: Attempt) -> None:
    setup = prepare_setup(attempt)
    assert setup.device == torch.device("cpu")
    assert setup.formats.weights is torch.float32
    assert setup.data.train
    assert setup.data.eval
    assert (setup.model, setup.monitor, setup.resumed) == (None, None, None)
    assert setup.pad_id == setup.tokenizer.pad_token_id
    log = attempt.files.log.read_text()
    assert log.index("torch") < log.index("weights in float32") < log.index("template")
    assert log.index("template") < log.index(" training rows (")


def test_the_model_is_trained_and_the_monitor_has_read_its_base(attempt: Attempt) -> None:
    before = prepare_setup(attempt)
    setup = load_model(before)
    assert setup.model.training
    assert setup.monitor is not None
    assert setup.monitor.measure(0)["forget/kl_to_base"] == 0
    changed = {
        field.name
        for field in dataclasses.fields(TrainingSetup)
        if getattr(before, field.name) is not getattr(setup, field.name)
    }
    assert changed == {"model", "head", "monitor"}
    assert setup.head.keeps
    assert setup.head.chunk


def test_a_stop_while_the_model_was_loaded_ends_the_setup(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = prepare_setup(attempt)
    monkeypatch.setattr(attempt, "stop_requested", lambda wait=0.0: True)
    with pytest.raises(Stopped):
        load_model(setup)


def test_a_resumed_run_names_its_newest_checkpoint(base: Path, rows: Path, tmp_path: Path) -> None:
    job = directory.create(tmp_path, make_recipe(base, rows, "training.saves=4"))
    assert resume_here(job, stop_at=2) is State.STOPPED
    attempt = begin_here(job)
    try:
        setup = prepare_setup(attempt)
    finally:
        attempt.finish(State.STOPPED)
    assert setup.resumed is not None
    assert setup.resumed.parent == job.checkpoints
