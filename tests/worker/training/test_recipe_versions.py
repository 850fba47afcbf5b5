"""Recipes of both versions in real workers: one of version 1 trains, goes on, stays as it is."""

import tomllib
from pathlib import Path

import pytest

from engine.jobs import directory, launch
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching import resume
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from tests.conftest import Eventually
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, wait_for_end
from tui import cli

pytestmark = pytest.mark.worker

VERSION1 = """
version = 1
name = "old"
device = "cpu"

[model]
checkpoint = "{base}"

[data]
train = "{rows}"
eval_share = 0.25
too_long = "cut"

[method]
rank = 2
targets = ["q_proj"]

[training]
objective = "answers"
schedule = "constant"
warmup_share = 0.5
learning_rate = 1e-3
accumulation = 2
batch_size = 4
max_steps = 2
evaluations = 1
keep = 1

[samples]
count = 0

[forgetting]
tokens = 0
"""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "say {one}", "completion": "number {one}"}}\n' for one in range(24))
    )
    return path


def test_a_job_of_version_1_trains_and_goes_on_and_its_recipe_stays(
    root: Path, tmp_path: Path, rows: Path, eventually: Eventually
) -> None:
    job = directory.create(root, TrainRecipe(name="old"))
    written = VERSION1.format(base=save_checkpoint(tmp_path / "base"), rows=rows)
    job.recipe_file.write_text(written)
    launch.start(job, "train")
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(1).log)
    assert curves(job)["train/learning_rate"][1] == pytest.approx([0, 1e-3]), "it warms up"
    resume.resume_job(job, recipe.changed(job.recipe(), ["training.max_steps=4"]))
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(2).log)
    assert curves(job)["train/loss"][0][-1] == 4
    assert job.recipe_file.read_text() == written
    changed = tomllib.loads(job.attempt(2).recipe.read_text())
    assert (changed["version"], changed["training"]["lr_scheduler_type"]) == (
        2, "constant_with_warmup",
    )  # fmt: skip


def test_a_command_of_short_options_trains(
    root: Path, tmp_path: Path, rows: Path, eventually: Eventually
) -> None:
    base = save_checkpoint(tmp_path / "base")
    options = ["--name", "short", "--model", str(base), "--data", str(rows), "--epochs", "0.5",
               "--lr", "1e-3", "--rank", "2", "--batch-size", "4", "--max-length", "64",
               "--device", "cpu", "--set", "forgetting.tokens=0"]  # fmt: skip
    assert cli.main(["--runs", str(root), "train", *options, "--follow"]) == 0
    (folder,) = root.iterdir()
    job = JobDirectory(folder)
    assert wait_for_end(job, eventually) is State.DONE
    assert tomllib.loads(job.recipe_file.read_text())["version"] == 2
    assert len(curves(job)["train/loss"][0]) > 1
