"""What a run ends with here: asked of stubs that answer as systemd's own programs do."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import directory, launch, logout, process, status
from engine.jobs.lock import Lock
from engine.recipes.recipe import TrainRecipe
from engine.worker.attempt import Attempt


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Slurm, no container, no systemd, and no programs but the test's own."""
    for name in ("SLURM_JOB_ID", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(logout, "CONTAINER_MARKS", (str(tmp_path / "container"),))
    monkeypatch.setattr(logout, "SYSTEMD_MARK", str(tmp_path / "systemd"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()


def systemd(folder: Path, *, kills: str, lingers: str) -> None:
    """What answers as a system with systemd does."""
    (folder / "systemd").mkdir()
    for name, line in (
        ("busctl", f"[ $5 = KillUserProcesses ] && echo 'b {kills}'"),
        ("loginctl", f"[ $3 = --property=Linger ] && echo Linger={lingers}"),
        ("systemd-run", "exit 0"),
    ):
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)


def test_nothing_is_said_where_nothing_speaks_for_it(tmp_path: Path) -> None:
    assert (logout.warning(), logout.scope()) == ("", [])
    (tmp_path / "systemd").mkdir()  # its programs are not there
    assert (logout.warning(), logout.scope()) == ("", [])


@pytest.mark.parametrize(
    ("kills", "lingers", "warned", "scoped"),
    [("false", "no", False, False), ("true", "yes", False, True), ("true", "no", True, True)],
)
def test_a_system_that_kills_at_logout_is_told_and_worked_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    kills: str, lingers: str, warned: bool, scoped: bool,
) -> None:  # fmt: skip
    systemd(tmp_path, kills=kills, lingers=lingers)
    assert ("loginctl enable-linger" in logout.warning()) is warned
    assert logout.scope() == [], "there is no user's manager to ask"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    program = str(tmp_path / "bin" / "systemd-run")
    wanted = [program, "--user", "--scope", "--quiet", "--collect"]
    assert logout.scope() == (wanted if scoped else [])


def test_programs_that_fail_or_say_nothing_warn_of_nothing(tmp_path: Path) -> None:
    systemd(tmp_path, kills="true", lingers="no")
    (tmp_path / "bin" / "busctl").write_text("#!/bin/sh\necho no bus >&2; exit 1\n")
    assert logout.warning() == ""
    (tmp_path / "bin" / "busctl").write_text("not a program")
    assert logout.warning() == ""


def test_a_container_and_an_allocation_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "container").touch()
    assert logout.warning() == "runs stop when this container stops"
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert logout.warning() == "runs stop when Slurm job 4711 ends"


def test_a_launch_goes_through_the_scope_and_the_worker_says_what_it_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd(tmp_path, kills="true", lingers="no")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    seen: list[list[str]] = []

    def note(command: list[str], log: Path) -> None:
        seen.append(command)
        raise OSError(30, "Read-only file system", str(log))

    monkeypatch.setattr(process, "start_detached", note)
    with pytest.raises(EngineError, match="cannot be started"):
        launch.launch(TrainRecipe(name="mine"), tmp_path / "runs")
    (command,) = seen
    assert command == [*logout.scope(), *process.worker_command("train", *command[-2:])]
    assert Path(command[0]).name == "systemd-run"

    job = directory.create(tmp_path / "runs", TrainRecipe(name="other"))
    Attempt(job, Lock(job.lock_file))
    now = status.read(job)
    assert now is not None
    assert "loginctl enable-linger" in now.bound
