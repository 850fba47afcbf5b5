"""Resuming and stopping: what is refused before any worker starts, and what a bad disk leaves."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import EngineError, JobFailed
from engine.jobs import directory, launch, lock, process, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.launching import resume
from engine.recipes import recipe
from engine.recipes.recipe import EvaluateRecipe, ExportRecipe, TrainRecipe
from tests import patience
from tests.jobs.test_lock import HOLD


@pytest.fixture
def job(root: Path) -> JobDirectory:
    """A run that was stopped with a checkpoint."""
    made = directory.create(root, TrainRecipe(name="mine"))
    (made.checkpoints / "checkpoint-5").mkdir(parents=True)
    status.write(made, Status(State.STOPPED, step=5, total=9))
    return made


def changed(job: JobDirectory, *changes: str) -> recipe.Recipe:
    return recipe.parse(recipe.with_changes(recipe.to_table(job.recipe()), changes))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which jobs a worker would have been started on."""
    seen: list[Path] = []

    def note(_: list[str], log: Path) -> None:
        seen.append(log.parent)
        raise OSError(30, "Read-only file system", str(log))

    monkeypatch.setattr(process, "start_detached", note)
    return seen


@pytest.mark.parametrize(
    "change",
    ["method.rank=16", "method.kind=full", "training.learning_rate=1e-5", "training.seed=8",
     "model.checkpoint=/other", "data.train=/other", "training.batch_size=8"],
)  # fmt: skip
def test_what_a_begun_run_cannot_change_is_refused(
    job: JobDirectory, started: list[Path], change: str
) -> None:
    with pytest.raises(EngineError, match="when a run is resumed") as caught:
        resume.resume_job(job, changed(job, change))
    assert change.partition("=")[0] in caught.value.detail
    assert job.path.name in caught.value.hint
    assert started == []
    assert status.derive(job, status.read(job)) is State.STOPPED, "its state is as it was"


@pytest.mark.parametrize(
    "changes",
    [
        ["training.epochs=9", "training.save_total_limit=5"],
        ["training.batch_size=4", "training.gradient_accumulation_steps=4"],
    ],
)
def test_what_takes_effect_may_change(
    job: JobDirectory, started: list[Path], changes: list[str]
) -> None:
    with pytest.raises(EngineError, match="cannot be started"):
        resume.resume_job(job, changed(job, *changes))
    assert started == [job.path]


def test_all_may_change_where_nothing_was_saved(job: JobDirectory, started: list[Path]) -> None:
    (job.checkpoints / "checkpoint-5").rmdir()
    with pytest.raises(EngineError, match="cannot be started"):
        resume.resume_job(job, changed(job, "method.rank=16"))
    assert started == [job.path]


def test_a_run_that_is_done_is_not_given_less(job: JobDirectory, started: list[Path]) -> None:
    status.write(job, Status(State.DONE, step=9, total=9))
    for change in ("training.epochs=1", "training.saves=9"):
        with pytest.raises(EngineError, match="is done"):
            resume.resume_job(job, changed(job, change))
    assert started == []


def test_a_recipe_that_cannot_be_written_is_told(
    job: JobDirectory, started: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = job.path / "no" / "folder" / "recipe.toml"
    monkeypatch.setattr(process, "changed_recipe", lambda *_: nowhere)
    with pytest.raises(EngineError, match="cannot be started"):
        resume.resume_job(job, changed(job, "training.epochs=9"))
    assert started == []


def test_a_run_that_cannot_be_asked_is_stopped_by_signal(job: JobDirectory) -> None:
    job.attempt(1).path.mkdir()
    job.attempt(1).stop_request.symlink_to(job.path / "no" / "such" / "folder")
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(job.lock_file)], stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        child.stdout.readline()
        said: list[str] = []
        launch.stop(job, said=said.append)
        assert "cannot be written" in said[0]
        assert said[1:] == ["sent SIGTERM"]
        assert lock.holder(job.lock_file) is None
    finally:
        child.kill()
        child.wait()


def test_a_job_without_checkpoints_is_told_to_stop_and_no_more(root: Path) -> None:
    job = directory.create(root, ExportRecipe(source="x=/m", targets=["merged"], out="/out"))
    job.attempt(1).path.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(job.lock_file)], stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        child.stdout.readline()
        said: list[str] = []
        launch.stop(job, grace=0, said=said.append)
        assert said == ["stopping; nothing of the export is kept", "sent SIGTERM"]
    finally:
        child.kill()
        child.wait()


def test_what_runs_elsewhere_is_named_with_its_host(job: JobDirectory) -> None:
    status.write(job, Status(State.RUNNING, host="elsewhere", heartbeat=time.time()))
    with pytest.raises(EngineError, match="running on elsewhere"):
        launch.stop(job)


def test_a_worker_on_a_bad_disk_says_so_without_a_traceback(job: JobDirectory) -> None:
    job.attempts.rmdir()
    job.attempts.touch()
    command = process.worker_command("train", str(job.path))
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=patience.PROCESS_SECONDS
    )
    assert ended.returncode == 1
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_worker_that_could_not_even_write_its_log_has_a_reason(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = [sys.executable, "-c", "raise SystemExit(3)"]
    monkeypatch.setattr(process, "worker_command", lambda *_, **__: ended)
    with pytest.raises(JobFailed, match="did not start") as caught:
        launch.start(job, "train")
    assert "exit code 3" in caught.value.detail
    assert "ulimit -f" in caught.value.detail


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (TrainRecipe(), "stopping after a checkpoint"),
        (ExportRecipe(), "stopping; nothing of the export is kept"),
        (EvaluateRecipe(), "stopping"),
    ],
)
def test_what_is_kept_of_a_job_that_stops_is_said(
    root: Path, monkeypatch: pytest.MonkeyPatch, asked: recipe.Recipe, words: str
) -> None:
    job, said = directory.create(root, asked), list[str]()
    monkeypatch.setattr(lock, "holder", lambda path: 1)
    monkeypatch.setattr(launch, "_wait_for_end", lambda *_: True)
    launch.stop(job, said=said.append)
    assert said == [words]
