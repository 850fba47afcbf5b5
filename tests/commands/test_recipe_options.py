"""What commands that start a job have in common: changes to its settings, and how it ends."""

import time
from pathlib import Path
from typing import Any

import pytest

from engine.jobs import directory, launch, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.launching import resume
from engine.recipes.recipe import Recipe, TrainRecipe
from tui import cli

STARTS = {
    "train": ["train", "--follow"],
    "demo": ["demo"],
    "generate": ["generate", "--arm", "a=bundled:demo-base", "--prompts", "bundled:code"],
    "resume": ["resume", "mine", "--follow"],
}


@pytest.fixture
def launched(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """The recipes of the jobs that were started. Each is stopped at once, by somebody else."""
    recipes: list[Recipe] = []

    def stopped(job: JobDirectory, recipe: Recipe) -> JobDirectory:
        status.write(job, Status(State.STOPPED, heartbeat=time.time()))
        recipes.append(recipe)
        return job

    def start(recipe: Recipe, root: Path, **_: Any) -> JobDirectory:
        return stopped(directory.create(root, recipe), recipe)

    monkeypatch.setattr(launch, "launch", start)
    monkeypatch.setattr(resume, "resume_job", lambda job, changed, **_: stopped(job, changed))
    return recipes


@pytest.mark.parametrize("command", STARTS)
def test_the_device_is_an_option_and_a_job_that_was_stopped_has_failed(
    command: str, root: Path, launched: list[Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    directory.create(root, TrainRecipe(name="mine"))
    options = ["--set", "name=changed", "--device", "cpu"]
    assert cli.main(["--runs", str(root), *STARTS[command], *options]) == 1
    (recipe,) = launched
    assert (recipe.name, recipe.device) == ("changed", "cpu")
    assert "Traceback" not in capsys.readouterr().err


def test_what_fits_is_asked_of_a_device(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--runs", str(root), "fit", "--device", "cuda:77"]) == 2
    assert "cuda:77" in capsys.readouterr().err
