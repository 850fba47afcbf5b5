"""The commands: exit codes, errors as title, detail and hint, and never a traceback."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from engine.bundled import BASE
from engine.compare import arm_sets
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.jobs import directory, launch, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure, State, Status
from engine.recipes.recipe import GenerateRecipe, Recipe, TrainRecipe
from engine.text import is_safe
from tests import patience
from tests.checkpoints.made import make_adapter
from tests.jobs.test_lock import hold
from tui import cli
from tui.commands.follow import follow


def finetop(*arguments: str) -> int:
    return cli.main(list(arguments))


@pytest.fixture
def job(root: Path) -> JobDirectory:
    """A run that failed, with a log."""
    made = directory.create(root, TrainRecipe(name="mine"))
    made.attempt(1).path.mkdir()
    made.attempt(1).log.write_text("first line\n\x1b]0;evil\x07second [/red] line\n")
    status.write(
        made,
        Status(State.FAILED, step=3, total=9, heartbeat=time.time(), error=Failure("It broke.")),
    )
    return made


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "missing.toml"], "cannot be read"),
        (["train", "--set", "training.epochs=0"], "training.epochs: must be greater than 0"),
        (["train", "--set", "nonsense"], "key=value"),
        (["train", "--set", "model.checkpoint=bundled:none"], "bundled:none"),
        (["train", "--set", "model.checkpoint=/no/such/folder"], "/no/such/folder"),
        (["train", "--set", "data.train=/no/such/file.jsonl"], "/no/such/file.jsonl"),
        (["stop", "nobody"], "No run 'nobody'"),
        (["logs", "nobody"], "See finetop runs"),
        (["generate", "--arm", "a=", "--prompts", "p", "--out", "o"], "checkpoint is missing"),
        (["generate", "--arm", "a=x", "--prompts", "/none", "--out", "o"], "/none"),
        (["generate", "--arm", "a=/no/model", "--prompts", __file__, "--out", "o"], "/no/model"),
        (["generate", "--arm", "a=x", "--prompts", __file__, "--out", "/tmp"], "a folder"),
        (["logs", "~nobody-here/x"], "not a run directory"),
    ],
)
def test_wrong_use_is_told_and_exits_with_2(
    arguments: Sequence[str], words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop("--runs", str(root), *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("finetop: ")
    assert words in error
    assert "Traceback" not in error
    assert list(root.iterdir()) == [], "nothing was made"


def test_relative_paths_are_anchored_where_the_user_stands(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base").symlink_to(BASE)
    (tmp_path / "rows.jsonl").write_text('{"instruction": "a", "input": "b", "output": "c"}\n')
    (tmp_path / "prompts.txt").write_text("a prompt\n")
    monkeypatch.chdir(tmp_path)
    launched: list[Recipe] = []

    def note(recipe: Recipe, root: Path, **_: object) -> JobDirectory:
        launched.append(recipe)
        raise EngineError("Noted.")

    monkeypatch.setattr(launch, "launch", note)
    changes = ("model.checkpoint=./base", "data.train=rows.jsonl", "data.eval=rows.jsonl")
    options = [part for change in changes for part in ("--set", change)]
    assert finetop("--runs", str(root), "train", *options) == 2
    arms = ("--arm", "a=./base", "--prompts", "prompts.txt", "--out", "out.jsonl")
    assert finetop("--runs", str(root), "generate", *arms) == 2
    train, generate = launched
    assert isinstance(train, TrainRecipe)
    assert isinstance(generate, GenerateRecipe)
    assert train.model.checkpoint == str(tmp_path / "base")
    assert train.data.train == train.data.eval == str(tmp_path / "rows.jsonl")
    assert generate.arms == [f"a={tmp_path / 'base'}"]
    assert generate.prompts == str(tmp_path / "prompts.txt")


def test_a_bad_row_file_is_refused_before_anything_starts(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert finetop("--runs", str(root), "train", "--set", f"data.train={empty}") == 2
    assert str(empty) in capsys.readouterr().err


def test_a_root_that_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "file"
    taken.touch()
    assert finetop("--runs", str(taken / "runs"), "train") == 2
    assert "cannot be created" in capsys.readouterr().err


def test_runs_lists_states_that_are_true(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashed = directory.create(root, TrainRecipe(name="gone"))
    crashed.lock_file.touch()
    host = os.uname().nodename
    status.write(crashed, Status(State.RUNNING, host=host, heartbeat=time.time()))
    assert finetop("--runs", str(root), "runs", "--json") == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert listed["mine"]["state"] == "failed"
    assert listed["mine"]["error"] == "It broke."
    assert listed["gone"]["state"] == "crashed"
    assert finetop("--runs", str(root), "runs") == 0
    assert "crashed" in capsys.readouterr().out


def test_a_log_is_cleaned_before_it_is_printed(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop("--runs", str(root), "logs", "mine") == 0
    assert capsys.readouterr().out == "first line\n␛]0;evil␇second [/red] line\n"


def test_a_worker_that_died_before_its_log_is_heard(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job.attempt(2).path.mkdir()
    assert finetop("--runs", str(root), "logs", "mine") == 2
    assert "no log" in capsys.readouterr().err
    job.launch_log.write_text("its last words\n")
    assert finetop("--runs", str(root), "logs", "mine") == 0
    assert capsys.readouterr().out == "its last words\n"


def test_following_a_log_cuts_no_letter(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    log = job.attempt(1).log
    log.write_bytes("caf\u00e9".encode()[:-1])
    host = os.uname().nodename
    status.write(job, Status(State.RUNNING, host="elsewhere", heartbeat=time.time()))

    def go_on(_: float) -> None:
        with log.open("ab") as file:
            file.write("\u00e9\n".encode()[1:])
        status.write(job, Status(State.DONE, host=host))

    monkeypatch.setattr(time, "sleep", go_on)
    assert finetop("--runs", str(root), "logs", "--follow", "mine") == 0
    assert capsys.readouterr().out == "caf\u00e9\n"


def test_an_end_written_between_two_looks_is_the_end(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = os.uname().nodename
    status.write(job, Status(State.DONE, host=host))
    really_read, stale = status.read, [Status(State.RUNNING, host=host)]
    monkeypatch.setattr(status, "read", lambda one: stale.pop() if stale else really_read(one))
    assert follow(job, "training").state is State.DONE


def test_the_kind_of_a_strange_run_is_cleaned(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = json.loads(job.record_file.read_text()) | {"kind": "\x1b]0;evil\x07"}
    job.record_file.write_text(json.dumps(table))
    job.recipe_file.unlink()
    assert finetop("--runs", str(root), "runs") == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_run_of_another_folder_is_found(
    job: JobDirectory, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from engine.jobs.store import remember_root

    remember_root(root)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert finetop("logs", "mine") == 0
    assert "first line" in capsys.readouterr().out


def test_two_runs_of_one_name_are_not_guessed_between(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = directory.create(root, TrainRecipe(name="mine"))
    assert finetop("--runs", str(root), "logs", "mine") == 2
    error = capsys.readouterr().err
    assert job.path.name in error
    assert other.path.name in error
    assert finetop("--runs", str(root), "logs", job.path.name) == 0


def test_rm_asks_and_spares_what_runs(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop("--runs", str(root), "rm", "mine") == 2, "no terminal, no --yes: no deletion"
    assert job.path.exists()
    child = hold(job.lock_file)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert finetop("--runs", str(root), "rm", "--yes", "mine") == 2
        assert job.path.exists()
    finally:
        child.kill()
        child.wait()
    assert finetop("--runs", str(root), "rm", "--yes", "mine") == 2, "a name is no whole id"
    assert job.path.name in capsys.readouterr().err
    assert finetop("--runs", str(root), "rm", "--yes", job.path.name) == 0
    assert list(root.iterdir()) == []


def test_rm_names_who_uses_a_run(
    job: JobDirectory, root: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    name = job.path.name
    arm_sets.save("two", [Arm("tuned", f"run:{name}")])
    assert finetop("--runs", str(root), "rm", "--yes", name) == 2
    error = capsys.readouterr().err
    assert "used by the set of arms 'two'" in error
    assert f"finetop rm --yes --force {name}" in error
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert finetop("--runs", str(root), "rm", name) == 2
    assert "used by the set of arms 'two'" in capsys.readouterr().out
    assert job.path.exists()
    assert finetop("--runs", str(root), "rm", "--yes", "--force", name) == 0
    assert not job.path.exists()


def test_the_shipped_run_cannot_be_removed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from engine.bundled import PRETRAIN_RUN

    assert finetop("--runs", str(root), "rm", "--yes", str(PRETRAIN_RUN)) == 2
    assert "Hide it" in capsys.readouterr().err
    assert PRETRAIN_RUN.exists()


def test_stopping_what_does_not_run_is_wrong_use(
    job: JobDirectory, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop("--runs", str(root), "stop", "mine") == 2
    assert "state: failed" in capsys.readouterr().err


def test_checkpoints_lists_the_bundled_model_first(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop("--runs", str(root), "checkpoints", "--json") == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert first["ref"] == "bundled:demo-base"
    assert first["reason"] is None
    assert finetop("checkpoints") == 0


def test_adapters_are_listed_with_the_path_of_their_base(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_adapter(tmp_path / "adapter", str(BASE))
    monkeypatch.setenv("FINETOP_MODELS", str(tmp_path))
    assert finetop("--runs", str(root), "checkpoints", "--json") == 0
    listed = {one["kind"]: one for one in json.loads(capsys.readouterr().out)}
    assert listed["adapter"]["base_path"] == str(BASE)


def test_the_dashboard_needs_a_terminal() -> None:
    started = subprocess.run(
        [sys.executable, "-m", "tui.cli"], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, timeout=patience.PROCESS_SECONDS,
    )  # fmt: skip
    assert started.returncode == 2
    assert "needs a terminal" in started.stderr
    assert started.stdout == ""


def test_doctor_names_the_devices(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finetop("--runs", str(root), "doctor") == 0
    assert "device     cpu" in capsys.readouterr().out


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        finetop("--help")
    text = capsys.readouterr().out
    for room, names in cli.ROOMS.items():
        parsers = argparse.ArgumentParser().add_subparsers()
        import_module(f"tui.commands.{room}").add_parsers(parsers)
        assert set(parsers.choices) == set(names), "so that a command is found without the others"
        for name in names:
            assert name in text.split()


def test_a_command_loads_no_other_and_no_screen(tmp_path: Path) -> None:
    code = "import sys; from tui import cli; cli.main(sys.argv[1:]); print(*sys.modules)"
    given = ["--runs", str(tmp_path), "watch", str(tmp_path), "--plain", "--tags", "(half"]
    started = subprocess.run(
        [sys.executable, "-c", code, *given],
        capture_output=True,
        text=True,
        check=True,
        timeout=patience.PROCESS_SECONDS,
    )
    loaded = set(started.stdout.split())
    assert "missing )" in started.stderr
    assert {one for one in loaded if one.startswith("tui.commands.")} == {"tui.commands.watch"}
    assert loaded & {"textual", "numpy.random"} == set()


def test_letters_that_the_encoding_lacks_are_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "caf\u00e9"
    folder.mkdir()
    started = subprocess.run(
        [sys.executable, "-m", "tui.cli", "--runs", str(folder), "doctor"], capture_output=True,
        text=True, check=False, timeout=patience.PROCESS_SECONDS,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    assert "caf\\xe9" in started.stdout


def test_a_closed_pipe_is_no_error(root: Path) -> None:
    command = f"{sys.executable} -m tui.cli --runs {root} checkpoints | head -c 1"
    piped = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False,
        timeout=patience.PROCESS_SECONDS,
    )  # fmt: skip
    assert "Traceback" not in piped.stderr
    assert piped.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [["--\x1b]0;x\x07"], ["runs", "--\x1b]0;x\x07"], ["logs", "a", "\x9b2Jb"], ["\u202eruns"],
     ["stop", "a", "--grace", "\x1b[2J"], ["data", "inspect", "a", "--rows", "\x9b"]],
    ids=ascii,
)  # fmt: skip
def test_an_argument_that_is_refused_drives_no_terminal(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        finetop(*arguments)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "error" in said
    assert is_safe(said.replace("\n", ""))
