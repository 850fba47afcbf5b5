"""A run that was stopped or killed, and resumed, against one that never was: bit for bit."""

import functools
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.events.event_tags import TOKENS_PER_SECOND
from engine.jobs import directory, launch, lock
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching import resume
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.worker.training import checkpoints
from tests.conftest import Eventually
from tests.worker.here import resume_here, train_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, wait_for_end, wait_for_step

CLOCKED = ("train/tokens_per_second", "machine/")
"""Tags that no two runs agree on."""
TIMED = (
    "machine/cpu_percent",
    "machine/memory_bytes",
    "machine/disk_free_bytes",
    "machine/gpu",
)
"""Tags that are written every few seconds, at whichever step that is."""

ALL_ON = {
    "epochs": 2,
    "batch_size": 2,
    "gradient_accumulation_steps": 2,
    "evaluations": 5,
    "saves": 4,
    "save_total_limit": 2,
    "seed": 3,
    "learning_rate": 5e-3,
}
"""12 steps an epoch, 24 in all: evaluated at 5, 10, 14, 19, 24; saved at 6, 12, 18, 24."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With dropout of its own, so that full fine-tuning draws random numbers as well."""
    path = save_checkpoint(tmp_path_factory.mktemp("base"))
    config = json.loads((path / "config.json").read_bytes())
    (path / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.2}))
    return path


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 rows of different lengths."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(
        "".join(
            json.dumps({"prompt": "say " * (one % 7 + 1), "completion": f"number {one}"}) + "\n"
            for one in range(60)
        )
    )
    return path


def make(base: Path, rows: Path, *changes: str) -> TrainRecipe:
    table: dict[str, Any] = {
        "name": "exact",
        "device": "cpu",
        "model": {"checkpoint": str(base)},
        "data": {"train": str(rows), "max_length": 64, "eval_fraction": 0.2},
        "method": {"rank": 4, "dropout": 0.2},
        "training": ALL_ON,
        "stopping": {"patience": 5, "result": "best", "min_delta": 0.01},
        "samples": {"count": 2, "max_new_tokens": 4},
    }
    built = recipe.parse(recipe.with_changes(table, changes))
    assert isinstance(built, TrainRecipe)
    return built


PACKED = ("training.packing=true", "training.batch_size=1", "training.epochs=3",
          "data.max_length=128")  # fmt: skip
FULL = ("method.kind=full", "training.learning_rate=1e-3")
CASES = {
    "lora": (),
    "full": FULL,
    "packed": PACKED,
    "packed full": (*FULL, *PACKED),
    "by-length": ("training.group_by_length=true", "training.lr_scheduler_type=cosine"),
    "dora": ("method.variant=dora", "training.max_grad_norm=0", "training.weight_decay=0.1"),
    "patience": ("stopping.patience=2", "stopping.min_delta=100"),
}
PLACES = {"lora": (4, 5, 13, 23), "full": (4, 23)}
"""Before an evaluation, in it, in the next one's, at the last step; two of them elsewhere."""


@pytest.fixture(scope="module")
def wholes(
    base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], JobDirectory]:
    """The run of a case that was never stopped: made once, and then only read."""
    root = tmp_path_factory.mktemp("wholes")
    return functools.cache(lambda case: train_here(make(base, rows, *CASES[case]), root))


@pytest.mark.parametrize("case", [case for case in CASES if case != "packed full"])
def test_stopped_and_resumed_is_as_never_stopped(
    base: Path, rows: Path, root: Path, wholes: Callable[[str], JobDirectory], case: str
) -> None:
    whole = wholes(case)
    last = curves(whole)["train/loss"][0][-1]
    stops = [step for step in PLACES.get(case, (5, 13)) if step < last]
    job = directory.create(root, make(base, rows, *CASES[case]))
    assert [resume_here(job, stop_at=step) for step in stops] == [State.STOPPED] * len(stops)
    assert resume_here(job) is State.DONE
    assert_same(job, whole)


@pytest.mark.parametrize("case", ["lora", "full", "packed", "packed full"])
def test_killed_anywhere_and_resumed_is_as_never_killed(
    base: Path,
    rows: Path,
    root: Path,
    wholes: Callable[[str], JobDirectory],
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    """Ended in this process where SIGKILL would hit: in a measurement, in a save, in a step."""
    from engine.worker.training import eval_samples
    from engine.worker.training.trainer import TokenTrainer

    class Killed(BaseException):
        pass

    def dying(countdown: int, then: Any) -> Any:
        left = [countdown]

        def call(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                raise Killed
            return then(*given, **named)

        return call

    early = (TokenTrainer, "log", 4)  # before any checkpoint
    later = (TokenTrainer, "log", 6)
    job = directory.create(root, make(base, rows, *CASES[case]))
    for owner, name, countdown in (
        *([early] if case == "lora" else []),
        (eval_samples, "append", 3),  # measured, and nothing of it written
        *([later] if case == "lora" else []),
        (checkpoints, "publish", 2),  # a checkpoint that has no name yet
        (TokenTrainer, "training_step", 5),  # in the middle of what is accumulated
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dying(countdown, getattr(owner, name)))
            with pytest.raises(Killed):
                resume_here(job)
    assert resume_here(job) is State.DONE
    assert_same(job, wholes(case))


@pytest.mark.worker
def test_sigkill_in_mid_epoch(base: Path, rows: Path, root: Path, eventually: Eventually) -> None:
    wanted = make(base, rows, "method.kind=full", "training.epochs=4")
    job = launch.launch(wanted, root)
    wait_for_step(job, 14, eventually)
    pid = lock.holder(job.lock_file)
    assert pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: lock.holder(job.lock_file) is None, "it is gone")
    resume.resume_job(job)
    assert wait_for_end(job, eventually) is State.DONE
    assert "resuming from checkpoint-" in job.attempt(2).log.read_text()
    assert_same(job, train_here(wanted, root))


def test_a_run_that_ended_early_is_finished_where_it_was_killed_before_its_result(
    base: Path,
    rows: Path,
    root: Path,
    wholes: Callable[[str], JobDirectory],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from engine.worker import train

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    wanted = make(base, rows, *CASES["patience"])
    job = directory.create(root, wanted)
    with monkeypatch.context() as patch:
        patch.setattr(train, "_save_result", die)
        with pytest.raises(Killed):
            resume_here(job)
    assert resume_here(job) is State.DONE
    assert_same(job, wholes("patience"))


def test_a_run_stopped_before_its_first_step_begins_again(
    base: Path, rows: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has measured the base already: none of that may stand there twice."""
    from engine.worker.attempt import Stopped
    from engine.worker.training.trainer import TokenTrainer

    wanted = make(base, rows, "training.epochs=1")
    job = directory.create(root, wanted)

    def stop(*_: Any, **__: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(TokenTrainer, "train", stop)
        assert resume_here(job) is State.STOPPED
    assert curves(job)["eval/loss"][0] == [0]
    assert resume_here(job) is State.DONE
    assert_same(job, train_here(wanted, root))


def test_a_finished_run_that_is_given_more_goes_on_with_another_schedule(
    base: Path, rows: Path, root: Path
) -> None:
    job = train_here(make(base, rows, "training.epochs=1", "stopping.result=last"), root)
    assert curves(job)["train/loss"][0][-1] == 12
    more = make(base, rows, "training.epochs=2", "stopping.result=last")
    job.attempt(1).recipe.write_text(recipe.to_toml(more))
    assert resume_here(job) is State.DONE
    seen = curves(job)
    assert seen["train/loss"][0] == list(range(1, 25))
    assert "the schedule changes: it ended at step 12" in job.attempt(2).log.read_text()
    rate = seen["train/learning_rate"][1]
    assert rate[11] < rate[12], "it had come down, and goes on higher"
    assert len(_samples(job)) == 2 * len(seen["eval/loss"][0])


def assert_same(job: JobDirectory, whole: JobDirectory) -> None:
    """Result, newest checkpoint, curves, samples and marks of two runs are equal."""
    for name in ("adapter", "model"):
        for path in sorted((whole.path / name).glob("*.safetensors")):
            assert (job.path / name / path.name).read_bytes() == path.read_bytes()
    names = [sorted(path.name for path in one.checkpoints.iterdir()) for one in (job, whole)]
    marks = [json.loads((one.checkpoints / "marks.json").read_bytes()) for one in (job, whole)]
    assert marks[0] == marks[1]
    assert _newest(job).name == _newest(whole).name, names
    for path in sorted(_newest(whole).iterdir()):
        other = _newest(job) / path.name
        if path.suffix in (".pt", ".pth"):
            mine, yours = (torch.load(one, weights_only=False) for one in (other, path))
            _equal(mine, yours, path.name)
        elif path.name == "measured.json":
            mine, yours = (_unclocked(json.loads(one.read_bytes())) for one in (other, path))
            if mine["pending"]:  # it was stopped there, and measured when it went on
                yours = yours | {"pending": True, "rows": yours["rows"][:-1]}
            _equal(mine, yours, path.name)
        elif path.name == "trainer_state.json":
            _equal(json.loads(other.read_bytes()), json.loads(path.read_bytes()), path.name)
        elif path.suffix == ".safetensors":
            assert other.read_bytes() == path.read_bytes(), path.name
    seen, expected = _untimed(curves(job)), _untimed(curves(whole))
    assert seen.keys() == expected.keys()
    for tag in expected:
        if tag == TOKENS_PER_SECOND:  # the first step of each attempt has none
            missing = set(expected[tag][0]) - set(seen[tag][0])
            assert set(seen[tag][0]) <= set(expected[tag][0])
            assert len(missing) < job.latest_attempt()
            continue
        assert seen[tag][0] == expected[tag][0], tag
        if not tag.startswith(CLOCKED):
            np.testing.assert_array_equal(seen[tag][1], expected[tag][1], tag)
    assert _samples(job) == _samples(whole)


def _untimed(found: dict[str, Any]) -> dict[str, Any]:
    assert "machine/cpu_percent" in found
    return {tag: curve for tag, curve in found.items() if not tag.startswith(TIMED)}


def _newest(job: JobDirectory) -> Path:
    found = checkpoints.newest(job.checkpoints)
    assert found is not None
    return found


def _samples(job: JobDirectory) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in job.samples.read_text().splitlines()]
    for line in lines:
        del line["timings"]
        line["arm"] = re.sub("run:.*", "", line["arm"])
    return lines


def _unclocked(table: dict[str, Any]) -> dict[str, Any]:
    def keep(values: dict[str, float]) -> dict[str, float]:
        return {tag: value for tag, value in values.items() if not tag.startswith(CLOCKED)}

    rows = [[step, keep(values)] for step, values in table["rows"]]
    return table | {"rows": rows, "logged": keep(table["logged"])}


def _equal(one: Any, other: Any, where: str) -> None:
    """Values of any nesting; tensors bit for bit."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            _equal(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for at, (mine, yours) in enumerate(zip(one, other, strict=True)):
            _equal(mine, yours, f"{where}.{at}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, where)
    else:
        assert one == other, where
