"""A few fault trials, and that the harness finds a run that lost something or went another way."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from engine.jobs.directory import JobDirectory
from tests.faults import reference, trial_runner
from tests.faults.trial import World
from tests.faults.trial_runner import ALL, one_trial, plan
from tests.faults.trials import KINDS
from tests.faults.verdict import LostError, Verdict, WrongError

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, warm_python: Path, warm_server: None
) -> Iterator[World]:
    """The undisturbed run, made once."""
    folder = tmp_path_factory.mktemp("faults")
    python = warm_python if hasattr(os, "pidfd_open") else None
    before = dict(os.environ)
    with ExitStack() as stack:
        yield stack.enter_context(trial_runner.make_world(folder, python))
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "kind",
    [
        "kill -9 while a checkpoint is saved",
        "no space (ENOSPC)",
        "resume and removal at once",
    ],
)
def test_a_disturbed_run_comes_to_the_same_end(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETOP_PYTHON", str(world.inputs / "python"))
    result = one_trial(replace(world, seconds=max(world.seconds, 20.0)), 7, 0, kind)
    assert result.verdict is Verdict.SURVIVED, result.detail


def shorten_curve(job: JobDirectory) -> None:
    (path,) = job.events.iterdir()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_weight(job: JobDirectory) -> None:
    path = job.adapter / "adapter_model.safetensors"
    weights = load_file(path)
    name = min(weights)
    weights[name] = weights[name] + np.float32(1e-7)
    save_file(weights, path)


def say_otherwise(job: JobDirectory) -> None:
    first, *rest = job.samples.read_text().splitlines(keepends=True)
    table = json.loads(first) | {"text": "something else"}
    job.samples.write_text(json.dumps(table) + "\n" + "".join(rest))


def cut_marks(job: JobDirectory) -> None:
    (job.checkpoints / "marks.json").write_text("{")


def remove_held_out(job: JobDirectory) -> None:
    job.held_out.unlink()


def name_no_pad_token(job: JobDirectory) -> None:
    path = job.adapter / "generation_config.json"
    table = json.loads(path.read_bytes())
    del table["pad_token_id"]
    path.write_text(json.dumps(table))


def undo_last_step(job: JobDirectory) -> None:
    table = json.loads(job.status_file.read_bytes())
    job.status_file.write_text(json.dumps(table | {"step": table["step"] - 1}))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (shorten_curve, LostError),
        (remove_held_out, LostError),
        (undo_last_step, LostError),
        (change_weight, WrongError),
        (say_otherwise, WrongError),
        (cut_marks, WrongError),
        (name_no_pad_token, WrongError),
    ],
)
def test_what_differs_from_the_undisturbed_run_is_found(
    world: World,
    tmp_path: Path,
    change: Callable[[JobDirectory], None],
    error: type[AssertionError],
) -> None:
    shutil.copytree(world.undisturbed.path, tmp_path / "copy")
    job = JobDirectory(tmp_path / "copy")
    reference.compare(job, world.undisturbed)
    change(job)
    with pytest.raises(error):
        reference.compare(job, world.undisturbed)


def test_a_plan_has_every_kind_in_its_share() -> None:
    assert ALL == 300
    assert Counter(plan(1, ALL)) == {kind: share for kind, (_, share) in KINDS.items()}
    assert set(plan(1, len(KINDS))) == set(KINDS)
    assert plan(1, 40) == plan(1, 40) != plan(2, 40)
