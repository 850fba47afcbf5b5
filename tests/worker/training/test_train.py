"""Training by real workers: what is written, stopping, resuming, dying, and what may be resumed."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import JobFailed
from engine.events.log_dir import LogDir
from engine.jobs import launch, lock, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching import resume
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from tests import patience
from tests.conftest import Eventually
from tests.worker.tiny import save_checkpoint

pytestmark = pytest.mark.worker

EMOTIONS = ("sadness", "joy", "love", "anger", "fear", "surprise")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 good rows and 2 bad ones."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    lines = [
        json.dumps({
            "instruction": "What emotion is in this text?",
            "input": f"i felt it {number} times",
            "output": EMOTIONS[number % 6],
        })
        for number in range(60)
    ]  # fmt: skip
    lines.insert(7, "{not json")
    lines.insert(20, json.dumps({"instruction": "x", "input": "y"}))
    path.write_text("\n".join(lines) + "\n")
    return path


def make_recipe(base: Path, rows: Path, *changes: str) -> TrainRecipe:
    table: dict[str, Any] = {
        "name": "tiny",
        "device": "cpu",
        "model": {"checkpoint": str(base)},
        "data": {"train": str(rows), "max_length": 96, "eval_fraction": 0.2},
        "method": {"rank": 4, "dropout": 0.1},
        "training": {
            "batch_size": 4,
            "epochs": 2,
            "evaluations": 4,
            "saves": 6,
            "seed": 3,
            "learning_rate": 1e-3,
        },
    }
    built = recipe.parse(recipe.with_changes(table, changes))
    assert isinstance(built, TrainRecipe)
    return built


def state_of(job: JobDirectory) -> State:
    return status.derive(job, status.read(job))


def wait_for_end(job: JobDirectory, eventually: Eventually) -> State:
    eventually(lambda: not state_of(job).alive, "the job ends")
    return state_of(job)


def wait_for_step(job: JobDirectory, step: int, eventually: Eventually) -> None:
    def there() -> bool:
        now = status.read(job)
        assert now is None or not now.state.final, f"it ended first: {now}"
        return now is not None and now.step >= step

    eventually(there, f"step {step}")


def curves(job: JobDirectory) -> dict[str, tuple[list[int], np.ndarray]]:
    log = LogDir(job.events)
    while log.poll():
        pass
    return {
        tag: (list(map(int, series.steps)), np.array(series.values))
        for tag, series in log.series.items()
    }


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    name = "adapter_model" if folder.name == "adapter" else "model"
    return dict(load_file(folder / f"{name}.safetensors"))


@pytest.fixture(scope="module")
def finished(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> JobDirectory:
    """A LoRA run from start to end, uninterrupted."""
    job = launch.launch(make_recipe(base, rows), tmp_path_factory.mktemp("runs"))
    deadline = time.monotonic() + patience.PROCESS_SECONDS
    while state_of(job).alive:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert state_of(job) is State.DONE, launch.log_tail(job.attempt(1).log)
    return job


def test_a_run_leaves_what_it_learned_in_hugging_face_layout(
    finished: JobDirectory, base: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base)
    tokens = torch.arange(5, 25).unsqueeze(0)
    before = model(tokens).logits
    tuned = PeftModel.from_pretrained(model, str(finished.adapter))
    assert not torch.allclose(tuned(tokens).logits, before)
    AutoTokenizer.from_pretrained(finished.adapter)
    assert not list(finished.path.rglob("*.bin")), "no pickle is left to meet"


def test_the_final_status_tells_all(finished: JobDirectory) -> None:
    now = status.read(finished)
    assert now is not None
    assert (now.state, now.step, now.total, now.epoch) == (State.DONE, 24, 24, 2.0)
    assert now.tokens > 1000
    assert now.rejected == 2
    rejected = [json.loads(line) for line in finished.rejects.read_text().splitlines()]
    assert sorted(one["line"] for one in rejected) == [8, 21]
    assert all(one["reason"] for one in rejected)
    assert lock.holder(finished.lock_file) is None
    said = "weights in float32, compute in float32"
    assert f"{said} (auto)\n" in finished.attempt(1).log.read_text()
    assert json.loads(finished.attempt(1).process.read_text())["formats"] == said


def test_every_step_is_in_the_curves(finished: JobDirectory) -> None:
    seen = curves(finished)
    for tag in ("loss", "perplexity", "learning_rate", "grad_norm", "tokens", "epoch"):
        assert seen[f"train/{tag}"][0] == list(range(1, 25))
    steps, speeds = seen["train/tokens_per_second"]
    assert steps == list(range(2, 25)), "none before a step was timed"
    assert min(speeds) > 0
    assert seen["eval/loss"][0] == [0, 6, 12, 18, 24]
    steps, losses = seen["eval/loss"]
    assert losses[-1] < losses[0] - 0.5, f"it learned: {dict(zip(steps, losses, strict=True))}"
    np.testing.assert_allclose(seen["eval/perplexity"][1], np.exp(losses), rtol=1e-4)


def test_the_first_losses_are_those_of_the_untrained_model_by_tokens(
    finished: JobDirectory, base: Path
) -> None:
    """The eval loss at step 0, worked out here row by row: NLL summed, over tokens summed."""
    from engine.worker.data.encode import choose_template, collate
    from engine.worker.data.prepare import prepare
    from engine.worker.model import loading
    from tests.worker.whole_nll import nll

    wanted = finished.recipe()
    assert isinstance(wanted, TrainRecipe)
    tokenizer = loading.load_tokenizer(base)
    data = prepare(wanted.data, tokenizer, choose_template(tokenizer), wanted.training.seed)
    import torch

    model = loading.load_base(base, torch.device("cpu"), torch.float32)
    total, count = 0.0, 0
    with torch.no_grad():
        for row in data.eval:
            one, tokens = nll(model, collate([row]))
            total, count = total + float(one), count + tokens
    assert len(data.eval) == 12
    assert curves(finished)["eval/loss"][1][0] == pytest.approx(total / count, rel=1e-4)


def test_stopped_and_resumed_equals_uninterrupted(
    finished: JobDirectory, base: Path, rows: Path, root: Path, eventually: Eventually
) -> None:
    import torch

    # One step takes so little that the stop must be there before the run passes it by.
    job = launch.launch(make_recipe(base, rows), root)
    wait_for_step(job, 3, eventually)
    said: list[str] = []
    assert launch.stop(job, grace=patience.PROCESS_SECONDS, said=said.append) is State.STOPPED
    assert said == ["stopping after a checkpoint"]
    stopped = status.read(job)
    assert stopped is not None
    assert 3 <= stopped.step < 24
    assert [path.name for path in job.checkpoints.iterdir()][-1:] != []
    resume.resume_job(job)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(2).log)
    again, first = weights(job.adapter), weights(finished.adapter)
    assert again.keys() == first.keys()
    assert all(torch.equal(again[name], first[name]) for name in first), "bit for bit the same"
    seen, whole = curves(job), curves(finished)
    assert seen["train/loss"][0] == whole["train/loss"][0]
    np.testing.assert_array_equal(seen["train/loss"][1], whole["train/loss"][1])
    np.testing.assert_array_equal(seen["train/tokens"][1], whole["train/tokens"][1])
    steps, speeds = seen["train/tokens_per_second"]
    assert set(range(1, 25)) - set(steps) == {1, stopped.step + 1}, "the first step of each attempt"
    assert min(speeds) > 0


def test_killed_is_crashed_and_resumes_from_what_verifies(
    finished: JobDirectory, base: Path, rows: Path, root: Path, eventually: Eventually
) -> None:
    import torch

    job = launch.launch(make_recipe(base, rows, "training.epochs=2"), root)
    wait_for_step(job, 12, eventually)
    pid = lock.holder(job.lock_file)
    assert pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: state_of(job) is State.CRASHED, "it reads as crashed")
    flushed = curves(job)["train/loss"]
    # The newest checkpoint is spoiled as a bad disk would: it must not be resumed.
    saved = sorted(job.checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    assert len(saved) >= 2
    optimiser = saved[-1] / "optimizer.pt"
    optimiser.write_bytes(optimiser.read_bytes()[:-100])
    resume.resume_job(job)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(2).log)
    assert f"resuming from {saved[-2].name}" in job.attempt(2).log.read_text()
    assert all(
        torch.equal(value, weights(finished.adapter)[name])
        for name, value in weights(job.adapter).items()
    )
    log = LogDir(job.events)
    while log.poll():
        pass
    series = log.series["train/loss"]
    assert list(map(int, series.steps)) == list(range(1, 25))
    kept = len(series.abandoned[0].steps) if series.abandoned else 0
    step = int(saved[-2].name[11:])
    assert kept == len(flushed[0]) - step, "no event that was flushed is lost"


def test_a_run_that_is_done_can_be_given_more(
    base: Path, rows: Path, root: Path, eventually: Eventually
) -> None:
    job = launch.launch(make_recipe(base, rows, "training.epochs=1", "method.kind=full"), root)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(1).log)
    first = weights(job.model)
    with pytest.raises(Exception, match="is done"):
        resume.resume_job(job)
    resume.resume_job(job, make_recipe(base, rows, "training.epochs=2", "method.kind=full"))
    assert wait_for_end(job, eventually) is State.DONE
    now = status.read(job)
    assert now is not None
    assert (now.step, now.total, now.attempt) == (24, 24, 2)
    assert any((weights(job.model)[name] != value).any() for name, value in first.items())
    from transformers import AutoModelForCausalLM

    assert AutoModelForCausalLM.from_pretrained(job.model).config.use_cache


def test_a_diverged_loss_is_written_as_it_is(
    base: Path, rows: Path, root: Path, eventually: Eventually
) -> None:
    changes = ("training.learning_rate=10", "method.kind=full", "training.max_grad_norm=0",
               "training.warmup_ratio=0", "training.epochs=4")  # fmt: skip
    job = launch.launch(make_recipe(base, rows, *changes), root)
    wait_for_end(job, eventually)
    values = curves(job)["train/loss"][1]
    assert not np.isfinite(values).all() or values.max() > 50, "nothing was smoothed away"


def test_what_a_worker_cannot_do_is_a_failed_job_with_a_hint(
    base: Path, rows: Path, root: Path, eventually: Eventually
) -> None:
    job = launch.launch(make_recipe(base, rows, "data.max_length=8"), root)
    assert wait_for_end(job, eventually) is State.FAILED
    now = status.read(job)
    assert now is not None
    assert now.error is not None
    assert "No rows left" in now.error.title
    assert f"{rows}:1" in now.error.detail
    assert "Traceback" not in job.attempt(1).log.read_text()


def test_a_worker_that_cannot_start_is_told_with_its_log(
    base: Path, rows: Path, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such library here >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("FINETOP_PYTHON", str(broken))
    with pytest.raises(JobFailed) as caught:
        launch.launch(make_recipe(base, rows), root)
    assert "no such library here" in caught.value.detail


def test_two_runs_on_one_device_take_turns(
    base: Path, rows: Path, root: Path, eventually: Eventually
) -> None:
    first = launch.launch(make_recipe(base, rows, "training.epochs=200"), root)
    wait_for_step(first, 1, eventually)
    second = launch.launch(make_recipe(base, rows, "training.epochs=1"), root)
    eventually(lambda: state_of(second) is State.QUEUED, "the second waits")
    now = status.read(second)
    assert now is not None
    assert now.message == "#1 in the queue for cpu"
    assert launch.stop(first, grace=patience.PROCESS_SECONDS) is State.STOPPED
    assert wait_for_end(second, eventually) is State.DONE


def test_a_queued_run_stops_at_once(
    base: Path, rows: Path, root: Path, eventually: Eventually
) -> None:
    from engine.jobs.queue import OwnTicket

    place = OwnTicket("the-test", "cpu", lambda: [("cpu",)])
    assert place.ahead() == 0
    try:
        job = launch.launch(make_recipe(base, rows), root)
        eventually(lambda: state_of(job) is State.QUEUED, "it waits")
        assert launch.stop(job, grace=patience.PROCESS_SECONDS) is State.STOPPED
    finally:
        place.leave()
