"""What pruning drops and keeps, that it is whole, and that a pruned run is not resumed."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import EngineError, JobFailed
from engine.jobs import launch, lock, prune, summary
from engine.jobs.directory import MANIFEST, JobDirectory
from engine.jobs.prune import PrunePlan
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.launching import resume
from engine.recipes import recipe as recipes
from tests import patience
from tests.jobs.made_checkpoints import (
    MOMENTS,
    TOKENIZER,
    WEIGHTS,
    verifies,
    write_checkpoints,
    write_result,
)
from tests.jobs.test_lock import HOLD
from tests.tui.building import write_run

SMALL = 600
"""Bytes of what a checkpoint has beside weights, moments and tokenizer, at the most."""


@pytest.fixture
def store(root: Path) -> Store:
    return Store(root)


@pytest.fixture
def job(root: Path) -> JobDirectory:
    """A run that is done, with its result and three checkpoints, the first of which is best."""
    made = write_run(root, "mine", points=6)
    write_checkpoints(made, (20, 40, 60), best=20)
    write_result(made)
    made.samples.write_text("{}\n")
    return made


def _prune(job: JobDirectory, store: Store, *keep: str, **options: dict[Path, str]) -> PrunePlan:
    planned = prune.plan(job, store, keep, options.get("users"))
    prune.prune(planned, store)
    return planned


def _names(job: JobDirectory) -> list[str]:
    return sorted(path.name for path in job.checkpoints.iterdir())


def _bytes(folder: Path) -> int:
    sizes = {path.lstat().st_ino: path.lstat().st_size for path in folder.rglob("*")
             if not path.is_dir()}  # fmt: skip
    return sum(sizes.values())


def test_checkpoints_go_and_all_that_is_read_stays(job: JobDirectory, store: Store) -> None:
    before = _bytes(job.path)
    planned = _prune(job, store)
    assert _names(job) == ["marks.json"]
    assert planned.summary == "3 checkpoints"
    assert planned.result == "adapter"
    assert planned.bytes == before - _bytes(job.path), "as it was said before"
    assert 3 * (WEIGHTS + MOMENTS) < planned.bytes < 3 * (WEIGHTS + MOMENTS + SMALL)
    assert (job.adapter / "tokenizer.json").stat().st_size == TOKENIZER, "the links of others stay"
    assert job.samples.exists()
    assert list(job.events.iterdir())
    view = summary.view(job)
    assert view is not None
    assert view.pruned
    assert view.state is State.DONE


def test_what_is_kept_loses_its_optimiser_and_still_verifies(
    job: JobDirectory, store: Store
) -> None:
    planned = _prune(job, store, "best", "last")
    assert planned.kept == {"checkpoint-20": "best", "checkpoint-60": "last"}
    assert planned.summary == "2 optimizer states, 1 checkpoint"
    assert _names(job) == ["checkpoint-20", "checkpoint-60", "marks.json"]
    for name in planned.kept:
        folder = job.checkpoints / name
        assert sorted(path.name for path in folder.iterdir()) == [
            "adapter_model.safetensors", MANIFEST, "tokenizer.json",
        ]  # fmt: skip
        assert verifies(folder)
        assert json.loads((folder / MANIFEST).read_text())["step"] == int(name[11:])


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED, State.CRASHED])
def test_the_only_weights_of_a_run_stay(state: State, root: Path, store: Store) -> None:
    """Even beside a result, which may be of an attempt that went less far."""
    written = State.RUNNING if state is State.CRASHED else state
    job = write_run(root, "mine", points=6, host=os.uname().nodename, state=written)
    write_checkpoints(job, (20, 40, 60), best=20)
    write_result(job)
    planned = _prune(job, store)
    assert list(planned.kept) == ["checkpoint-20", "checkpoint-60"]
    assert all(verifies(job.checkpoints / name) for name in planned.kept)


def test_the_weights_of_a_run_whose_result_is_gone_stay(job: JobDirectory, store: Store) -> None:
    shutil.rmtree(job.adapter)
    planned = prune.plan(job, store)
    assert planned.kept == {
        "checkpoint-20": "best, as it has no result",
        "checkpoint-60": "last, as it has no result",
    }


def test_the_last_whole_checkpoint_counts_as_the_last(root: Path, store: Store) -> None:
    job = write_run(root, "mine", state=State.STOPPED)
    write_checkpoints(job, (20, 40, 60))
    (job.checkpoints / "checkpoint-60" / "adapter_model.safetensors").write_bytes(b"cut")
    assert list(prune.plan(job, store).kept) == ["checkpoint-40"]


def test_what_somebody_builds_on_stays(job: JobDirectory, store: Store) -> None:
    used = {job.checkpoints / "checkpoint-40" / "adapter_model.safetensors": "run other"}
    planned = _prune(job, store, users=used)
    assert planned.kept == {"checkpoint-40": "used by run other"}
    assert _names(job) == ["checkpoint-40", "marks.json"]
    assert verifies(job.checkpoints / "checkpoint-40")


def test_a_second_time_finds_nothing(job: JobDirectory, store: Store) -> None:
    _prune(job, store, "last")
    assert prune.plan(job, store, ("last",)).items == ()
    assert prune.plan(job, store).summary == "1 checkpoint"


@pytest.mark.parametrize("state", [State.RUNNING, State.QUEUED, State.STARTING])
def test_a_run_at_work_is_refused_by_name(state: State, root: Path, store: Store) -> None:
    job = write_run(root, "busy", state=state, heartbeat=time.time())
    write_checkpoints(job, (20,))
    with pytest.raises(EngineError, match=f"busy is {state}"):
        prune.plan(job, store)
    assert not job.pruned_file.exists()


def test_a_run_that_is_resumed_meanwhile_is_left_whole(job: JobDirectory, store: Store) -> None:
    planned = prune.plan(job, store)
    job.lock_file.touch()
    worker = subprocess.Popen([sys.executable, "-c", HOLD, str(job.lock_file)],
                              stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert worker.stdout is not None
        worker.stdout.readline()
        with pytest.raises(EngineError, match=r"is done|just been resumed"):
            prune.prune(planned, store)
        with pytest.raises(EngineError, match="just been resumed"):
            prune._mark(job)
    finally:
        worker.kill()
        worker.wait()
    assert not job.pruned_file.exists()
    assert len(_names(job)) == 4
    assert launch.wait(lambda: lock.holder(job.lock_file) is None, patience.PROCESS_SECONDS)


def test_a_pruned_run_says_that_it_cannot_be_resumed(job: JobDirectory, store: Store) -> None:
    _prune(job, store)
    more = recipes.changed(job.recipe(), ["training.epochs=9"])
    for recipe in (None, more):
        with pytest.raises(EngineError, match="was pruned: it cannot be resumed") as caught:
            resume.resume_job(job, recipe)
        assert "finetop train --model run:mine" in caught.value.hint
    assert job.latest_attempt() == 1


def test_a_worker_takes_no_pruned_run(root: Path, store: Store) -> None:
    """It may have been started before the mark was there; it looks once it has the lock."""
    job = write_run(root, "mine", state=State.STOPPED)
    write_checkpoints(job, (20, 40))
    _prune(job, store)
    with pytest.raises(JobFailed) as caught:
        launch.start(job, "train")
    assert "was pruned: it cannot be resumed" in caught.value.detail
    assert str(job.checkpoints / "checkpoint-40") in caught.value.detail
    assert job.latest_attempt() == 1


class TestLinks:
    """Nothing that a link leads to is touched."""

    @pytest.fixture
    def elsewhere(self, tmp_path: Path) -> Path:
        other = write_run(tmp_path / "elsewhere", "other")
        write_checkpoints(other, (20, 40))
        (other.path / "probe").mkdir()
        (other.path / "probe" / "base.npy").write_bytes(bytes(100))
        return other.path

    @staticmethod
    def _content(folder: Path) -> list[str]:
        return sorted(str(path) for path in folder.rglob("*"))

    def test_a_run_that_is_a_link(self, root: Path, store: Store, elsewhere: Path) -> None:
        (root / "linked").symlink_to(elsewhere)
        with pytest.raises(EngineError, match="is a link to another folder"):
            prune.plan(JobDirectory(root / "linked"), store)

    def test_checkpoints_that_are_a_link(self, root: Path, store: Store, elsewhere: Path) -> None:
        job = write_run(root, "mine")
        before = self._content(elsewhere)
        job.checkpoints.symlink_to(elsewhere / "checkpoints")
        with pytest.raises(EngineError, match="could not be pruned"):
            prune.plan(job, store)
        assert self._content(elsewhere) == before

    def test_links_within(self, job: JobDirectory, store: Store, elsewhere: Path) -> None:
        before = self._content(elsewhere)
        (job.checkpoints / "checkpoint-80").symlink_to(elsewhere / "checkpoints/checkpoint-40")
        (job.path / "probe").symlink_to(elsewhere / "probe")
        (job.path / ".model").symlink_to(elsewhere)
        inside = job.checkpoints / "checkpoint-20"
        (inside / "linked").symlink_to(elsewhere)
        (inside / "optimizer.pt").unlink()
        (inside / "optimizer.pt").symlink_to(elsewhere / "checkpoints/checkpoint-20/optimizer.pt")
        planned = _prune(job, store, "best")
        assert "checkpoint-80" not in planned.kept
        assert self._content(elsewhere) == before
        assert _names(job) == ["checkpoint-20", "checkpoint-80", "marks.json"]
        assert not os.path.lexists(inside / "optimizer.pt")
        assert not os.path.lexists(job.path / ".model")


def test_a_run_that_loses_leftovers_alone_can_still_be_resumed(root: Path, store: Store) -> None:
    job = write_run(root, "mine", state=State.FAILED)
    (job.checkpoints / ".saving" / "checkpoint-5").mkdir(parents=True)
    planned = _prune(job, store)
    assert planned.summary == "1 leftover"
    assert not planned.ends_resuming
    assert list(job.checkpoints.iterdir()) == []
    assert not job.pruned_file.exists()


def test_leftovers_are_swept(job: JobDirectory, store: Store) -> None:
    for path in (
        job.checkpoints / ".saving" / "checkpoint-80" / "model.safetensors",
        job.checkpoints / ".removing-checkpoint-5" / "model.safetensors",
        job.checkpoints / "checkpoint-40" / ".removing-optimizer.pt" / "x",
        job.checkpoints / "checkpoint-60" / ".removing-optimizer.pt" / "x",
        job.path / ".adapter" / "x",
        job.path / "probe" / "base.npy",
        job.path / "probe" / "rows.json",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
    before = _bytes(job.path)
    planned = _prune(job, store, "last")
    assert before - _bytes(job.path) - planned.bytes < SMALL, "but for the shorter manifest"
    assert _names(job) == ["checkpoint-60", "marks.json"]
    assert sorted(path.name for path in (job.path / "probe").iterdir()) == ["rows.json"]
    assert [path.name for path in job.path.iterdir() if path.name.startswith(".")] == []


def test_what_somebody_removed_meanwhile_is_gone_already(job: JobDirectory, store: Store) -> None:
    planned = prune.plan(job, store)
    shutil.rmtree(job.checkpoints / "checkpoint-40")
    prune.prune(planned, store)
    assert _names(job) == ["marks.json"]


def test_a_folder_that_cannot_be_changed_is_said_before_anything_goes(
    job: JobDirectory, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("checkpoint-40"))
    with pytest.raises(EngineError, match="could not be pruned") as caught:
        _prune(job, store)
    assert "checkpoint-40: Permission denied" in caught.value.detail
    assert not job.pruned_file.exists()
    assert len(_names(job)) == 4


@pytest.mark.parametrize("at", range(1, 8))
def test_cut_anywhere_each_checkpoint_is_whole_or_gone(
    at: int, job: JobDirectory, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    replace, rmtree, unlink = os.replace, shutil.rmtree, Path.unlink

    def cut() -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(errno.EIO, "Input/output error", "a file")

    def replace_or_fail(source: Path, path: Path) -> None:
        cut()
        replace(source, path)

    def remove_or_fail(path: Path) -> None:
        cut()
        rmtree(path)

    def unlink_or_fail(path: Path, **_: object) -> None:
        cut()
        unlink(path)

    monkeypatch.setattr(os, "replace", replace_or_fail)
    monkeypatch.setattr(shutil, "rmtree", remove_or_fail)
    monkeypatch.setattr(Path, "unlink", unlink_or_fail)
    planned = prune.plan(job, store, ("last",))
    with suppress(EngineError):  # a manifest that cannot be replaced is overwritten
        prune.prune(planned, store)
    assert calls >= at, "it was cut"
    monkeypatch.undo()
    assert job.pruned_file.exists(), "it may have lost something: it is not resumed"
    for path in job.checkpoints.glob("checkpoint-*"):
        assert verifies(path)
        assert (path / "adapter_model.safetensors").stat().st_size == WEIGHTS
    assert job.adapter.is_dir()
    _prune(job, store, "last")
    assert _names(job) == ["checkpoint-60", "marks.json"]
    assert not (job.checkpoints / "checkpoint-60" / "optimizer.pt").exists()


def test_a_full_disk_can_be_pruned(
    job: JobDirectory, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a file")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    planned = _prune(job, store, "best", "last")
    assert all(verifies(job.checkpoints / name) for name in planned.kept)
    assert not list(job.checkpoints.rglob("optimizer.pt"))
