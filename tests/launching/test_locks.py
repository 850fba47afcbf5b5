"""A folder of locks that cannot be used: said in words before anything is made."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.compare.arms import Arm, format_arm
from engine.errors import EngineError
from engine.jobs import directory, launch, process, queue, status
from engine.jobs.status import State, Status
from engine.jobs.store import open_store
from engine.launching import resume
from engine.recipes.recipe import EvaluateRecipe, GenerateRecipe, Recipe, TrainRecipe
from tui import cli
from tui.actions import Actions

HINT = "Set FINETOP_LOCKS to a folder of your own on this machine."


def _file(folder: Path) -> Path:
    (folder / "locks").write_text("")
    return folder / "locks"


def _below_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "locks"


def _dangling_link(folder: Path) -> Path:
    (folder / "locks").symlink_to(folder / "nowhere" / "locks")
    return folder / "locks"


def _file_as_queue(folder: Path) -> Path:
    (folder / "locks").mkdir()
    (folder / "locks" / "queue").write_text("")
    return folder / "locks"


def _owned_by_somebody_else(folder: Path) -> Path:
    if os.getuid():
        pytest.skip("only root gives folders away")
    (folder / "locks").mkdir()
    os.chown(folder / "locks", 4242, 4242)
    return folder / "locks"


def _in_proc(folder: Path) -> Path:
    return Path("/proc/finetop-locks")  # nobody makes a folder there, not even root


@pytest.fixture(
    params=[_file, _below_a_file, _dangling_link, _file_as_queue, _owned_by_somebody_else, _in_proc]
)
def bad_locks(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    made: Path = request.param(tmp_path)
    monkeypatch.setenv("FINETOP_LOCKS", str(made))
    return made


@pytest.fixture
def read_only_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """On a disk that is mounted read-only, with the folders there."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        for name in ("queue", "devices"):
            (folder / "locks" / name).mkdir(parents=True)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        monkeypatch.setenv("FINETOP_LOCKS", str(folder / "locks"))
        yield folder / "locks"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(process, "start_detached", fail)


def _refused(action: Callable[[], object]) -> EngineError:
    with pytest.raises(EngineError, match="folder of locks") as caught:
        action()
    assert caught.value.hint == HINT
    return caught.value


@pytest.mark.parametrize(
    "recipe",
    [TrainRecipe(name="one"), GenerateRecipe(name="two"), EvaluateRecipe(name="three")],
    ids=lambda recipe: recipe.kind,
)
def test_no_job_is_made(bad_locks: Path, recipe: Recipe, root: Path) -> None:
    error = _refused(lambda: launch.launch(recipe, root))
    assert str(bad_locks) in error.detail
    assert list(root.iterdir()) == []


def test_nothing_is_made_where_the_disk_of_the_locks_is_read_only(
    read_only_locks: Path, root: Path
) -> None:
    error = _refused(lambda: launch.launch(TrainRecipe(name="one"), root))
    assert "Read-only file system" in error.detail
    assert list(root.iterdir()) == []


def test_nothing_is_made_where_files_cannot_be_locked(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.lockf", refuse)
    error = _refused(lambda: launch.launch(TrainRecipe(name="one"), root))
    assert "No locks available" in error.detail
    assert list(root.iterdir()) == []


def test_doctor_says_what_to_do(
    bad_locks: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", "--runs", str(root)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("locks "))
    assert "folder of locks" in line
    assert str(bad_locks) in line
    assert HINT in line


def test_doctor_names_the_folder_of_locks(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--runs", str(root)]) == 0
    assert f"locks      {queue.locks_path()}\n" in capsys.readouterr().out


def test_a_resumed_job_is_as_it_was(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = directory.create(root, TrainRecipe(name="mine"))
    status.write(job, Status(State.STOPPED, step=5, total=9))
    before = sorted((path, path.lstat().st_mtime_ns) for path in job.path.rglob("*"))
    monkeypatch.setenv("FINETOP_LOCKS", str(_file(tmp_path)))
    _refused(lambda: resume.resume_job(job))
    assert sorted((path, path.lstat().st_mtime_ns) for path in job.path.rglob("*")) == before


def test_the_command_line_says_it_and_makes_nothing(
    bad_locks: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["train", "--device", "cpu"],
        ["generate", "--arm", "bundled:demo-base", "--prompts", "bundled:outside"],
        ["demo", "--device", "cpu"],
    ):
        assert cli.main([*words, "--runs", str(root)]) == 2
        said = capsys.readouterr().err
        assert "folder of locks" in said
        assert HINT in said
        assert "Traceback" not in said
        assert list(root.iterdir()) == [], words


def test_pages_say_it_and_make_nothing(bad_locks: Path, root: Path) -> None:
    actions = Actions(open_store(root))
    recipe = GenerateRecipe(
        name="two", arms=[format_arm(Arm("base", "bundled:demo-base"))], prompts="bundled:outside"
    )
    _refused(lambda: actions.generate(recipe))
    _refused(lambda: actions.launch(TrainRecipe(name="one", device="cpu")))
    assert list(root.iterdir()) == []


def test_a_relative_folder_is_the_same_for_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINETOP_LOCKS", "locks")
    assert process.worker_environment()["FINETOP_LOCKS"] == str(tmp_path / "locks")
    assert queue.lock_folder() == tmp_path / "locks"
