"""What commands that start a job have in common: changes to its settings, and how it ends."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import BASE
from engine.jobs import directory, launch, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.launching import resume
from engine.recipes import validation
from engine.recipes.recipe import Recipe, TrainRecipe
from tui import cli
from tui.commands import recipe_options

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
    monkeypatch.setattr(resume, "check_resumable", lambda *_, **__: None)
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


SHORT = [
    "--name", "short", "--model", str(BASE), "--data", "bundled:counsel", "--max-length", "64",
    "--method", "lora", "--rank", "4", "--quantize", "none", "--lr", "1e-4", "--epochs", "0.5",
    "--batch-size", "2",
]  # fmt: skip


def test_the_ten_settings_that_people_change_most_need_no_file(
    root: Path, launched: list[Recipe]
) -> None:
    assert len(SHORT) == 2 * 10
    cli.main(["--runs", str(root), "train", *SHORT, "--device", "cpu"])
    (wanted,) = launched
    assert isinstance(wanted, TrainRecipe)
    assert (wanted.name, wanted.device, wanted.model.checkpoint) == ("short", "cpu", str(BASE))
    assert (wanted.data.train, wanted.data.max_length) == ("bundled:counsel", 64)
    method, training = wanted.method, wanted.training
    assert (method.kind, method.rank, method.quantize) == ("lora", 4, "none")
    assert (training.learning_rate, training.epochs, training.batch_size) == (1e-4, 0.5, 2)


def test_options_override_a_file_and_the_last_one_counts(
    root: Path, tmp_path: Path, launched: list[Recipe]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('version = 1\n[training]\nepochs = 9\nschedule = "cosine"\naccumulation = 3\n')
    changes = ["--epochs", "2", "--set", "training.epochs=4", "--epochs", "5"]
    cli.main(["--runs", str(root), "train", str(path), *changes, "--device", "cpu"])
    (wanted,) = launched
    assert isinstance(wanted, TrainRecipe)
    training = wanted.training
    assert (training.epochs, training.lr_scheduler_type) == (5, "cosine")
    assert training.gradient_accumulation_steps == 3
    assert path.read_text().startswith("version = 1\n"), "the file of the user is left as it is"


def test_no_option_at_all_is_the_file_or_the_defaults(
    root: Path, tmp_path: Path, launched: list[Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('device = "cpu"\n')
    for command in (["train"], ["train", str(path)], ["fit", str(path)]):
        assert cli.main(["--runs", str(root), *command]) == 0
    assert launched == [TrainRecipe(), TrainRecipe(device="cpu")]


def test_fit_takes_the_same_options(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def needed(*arguments: str) -> int:
        command = ["--runs", str(root), "fit", "--json", "--device", "cpu"]
        assert cli.main([*command, *SHORT, *arguments]) == 0
        return int(json.loads(capsys.readouterr().out)["memory"]["trained"])

    assert needed("--rank", "8") == 2 * needed()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "training.epochs: must be greater than 0"),
        (["--lr", "fast"], "training.learning_rate: must be a number, not 'fast'"),
        (["--method", "qlora"], "method.kind: must be one of lora, full, not 'qlora'"),
        (["--model", "/no/such/model"], "/no/such/model"),
        (["--set", "lr=1e-4"], "lr: unknown setting; write training.learning_rate = 0.0001"),
    ],
)
@pytest.mark.parametrize("command", ["train", "fit"])
def test_a_wrong_option_is_told_by_the_setting_that_it_is_for(
    command: str,
    arguments: list[str],
    words: str,
    root: Path,
    launched: list[Recipe],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["--runs", str(root), command, "--device", "cpu", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert launched == []


@pytest.mark.parametrize("command", ["train", "fit"])
def test_the_help_tells_the_default_of_each_short_option(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    defaults = ["run", "bundled:demo-base", "bundled:emotion", "256", "lora", "8", "none",
                "0.0002", "3", "16"]  # fmt: skip
    for option, default in zip(SHORT[::2], defaults, strict=True):
        (line,) = (one for one in lines if one.startswith(f"  {option} "))
        assert line.endswith(f"(default: {default})")


def test_each_short_option_is_a_setting() -> None:
    assert {key for _, key, *_ in recipe_options.SHORT} <= set(validation.names(TrainRecipe))
