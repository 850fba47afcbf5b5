"""`finetop queue` with real workers that wait: listed, moved, cancelled, killed."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs import directory, launch, lock, queue, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching import resume
from engine.recipes.recipe import TrainRecipe
from tests import patience
from tests.conftest import Eventually
from tests.jobs.waiters import Line
from tui import cli
from tui.commands import queue as queue_command


@pytest.fixture
def line(
    root: Path,
    tmp_path: Path,
    eventually: Eventually,
    warm_server: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[Line, list[str]]]:
    """Three runs that wait for a CPU that something else has."""
    monkeypatch.setattr(queue_command, "LEAVE_SECONDS", patience.PROCESS_SECONDS)
    made: list[JobDirectory] = []
    with Line(tmp_path, eventually) as line:
        line.add("busy", "cpu")
        try:
            for name in ("one", "two", "three"):
                job = launch.launch(TrainRecipe(name=name, device="cpu"), root)
                made.append(job)
                eventually(lambda job=job: state_of(job) is State.QUEUED, f"{name} waits")
            yield line, [job.path.name for job in made]
        finally:
            for job in made:
                if pid := lock.holder(job.lock_file):
                    os.kill(pid, signal.SIGKILL)


def state_of(job: JobDirectory) -> State:
    return status.derive(job, status.read(job))


def listed(root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, object]]]:
    assert cli.main(["--runs", str(root), "queue", "--json"]) == 0
    found: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return found


def test_the_queue_is_listed_moved_and_cancelled(
    line: tuple[Line, list[str]], root: Path, capsys: pytest.CaptureFixture[str],
    eventually: Eventually,
) -> None:  # fmt: skip
    _, (one, two, three) = line

    def order() -> list[object]:
        return [entry["run"] for entry in listed(root, capsys)["waiting"]]

    found = listed(root, capsys)
    assert [(entry["run"], entry["device"]) for entry in found["running"]] == [("busy", "cpu")]
    assert [entry["position"] for entry in found["waiting"]] == [1, 2, 3]
    assert found["waiting"][0]["device"] == "cpu"
    assert found["waiting"][0]["path"] == str(root / one)
    for command, place, after in (
        ("up", "#2", [one, three, two]),
        ("first", "#1", [three, one, two]),
        ("down", "#2", [one, three, two]),
    ):
        assert cli.main(["--runs", str(root), "queue", command, three]) == 0
        assert capsys.readouterr().out.strip() == place
        assert order() == after
    job = JobDirectory(root / two)
    eventually(lambda: "#3" in getattr(status.read(job), "message", ""), "it says its place")
    assert cli.main(["--runs", str(root), "queue", "cancel", one]) == 0
    assert capsys.readouterr().out.strip() == "stopped"
    assert state_of(JobDirectory(root / one)) is State.STOPPED
    assert order() == [three, two]
    assert cli.main(["--runs", str(root), "queue"]) == 0
    text = capsys.readouterr().out
    assert "busy" in text
    assert f"#1    cpu             {three}" in text


def test_a_waiting_run_that_is_killed_makes_room_and_can_be_resumed(
    line: tuple[Line, list[str]], root: Path, eventually: Eventually
) -> None:
    _, (one, two, three) = line
    job = JobDirectory(root / one)
    os.kill(lock.holder(job.lock_file) or 0, signal.SIGKILL)
    eventually(lambda: state_of(job) is State.CRASHED, "it is dead")
    assert [ticket.job for ticket in queue.waiting("cpu")] == [two, three]
    resume.resume_job(job)
    eventually(lambda: state_of(job) is State.QUEUED, "it waits again, last in line")
    assert [ticket.job for ticket in queue.waiting("cpu")] == [two, three, one]


def test_moving_what_does_not_wait_is_wrong_use(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = directory.create(root, TrainRecipe(name="idle"))
    assert cli.main(["--runs", str(root), "queue"]) == 0
    assert capsys.readouterr().out == "No running or queued runs.\n"
    for command in ("up", "down", "first", "cancel"):
        assert cli.main(["--runs", str(root), "queue", command, job.path.name]) == 2
        assert "is not in this machine" in capsys.readouterr().err
        assert cli.main(["--runs", str(root), "queue", command, "nobody"]) == 2
