"""What may be deleted, and that it goes whole."""

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import delete, status
from engine.jobs.directory import JobDirectory, create, name_partial
from engine.jobs.lock import Lock
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.recipes.recipe import ExportRecipe
from tests.tui.building import write_run


def test_an_ended_run_goes_whole(tmp_path: Path) -> None:
    job = write_run(tmp_path / "runs", "done", points=3)
    delete.remove(job, Store(tmp_path / "runs"))
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("age", "reason"), [(0.0, "is running"), (1e6, "another host"), (-1e6, "another host")]
)
def test_a_run_that_may_be_at_work_stays(
    tmp_path: Path, age: float, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "STALE_SECONDS", 86_400)
    job = write_run(tmp_path, "busy", state=State.RUNNING, heartbeat=time.time() - age)
    with pytest.raises(EngineError, match=reason):
        delete.remove(job, Store(tmp_path))
    assert job.record() is not None


def test_the_shipped_run_stays(tmp_path: Path) -> None:
    job = write_run(tmp_path, "pretrain")
    with pytest.raises(EngineError, match="bundled with finetop"):
        delete.remove(job, Store(tmp_path / "runs", shipped=[job.path]))
    assert job.record() is not None


def test_a_free_lock_keeps_nothing(tmp_path: Path) -> None:
    job = write_run(tmp_path, "done")
    lock = Lock(job.lock_file)
    assert lock.acquire()
    lock.release()
    delete.remove(job, Store(tmp_path))
    assert not job.path.exists()


def test_what_cannot_be_deleted_whole_is_left_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = write_run(tmp_path, "done", points=3)
    before = sorted(path.name for path in job.path.rglob("*"))
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("events"))
    with pytest.raises(EngineError, match="could not be deleted"):
        delete.remove(job, Store(tmp_path))
    assert sorted(path.name for path in job.path.rglob("*")) == before


def test_a_removal_that_fails_midway_leaves_the_rest_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = write_run(tmp_path, "done", points=3)

    def fail(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(shutil, "rmtree", fail)
    with pytest.raises(EngineError) as raised:
        delete.remove(job, Store(tmp_path))
    assert "Input/output error" in raised.value.detail
    assert job.record() is not None


def test_a_link_is_refused_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    elsewhere = write_run(tmp_path / "elsewhere", "done", points=3)
    root = tmp_path / "runs"
    root.mkdir()
    (root / "done").symlink_to(elsewhere.path)
    with pytest.raises(EngineError, match="is a link to another folder"):
        delete.remove(JobDirectory(root / "done"), Store(root))
    assert elsewhere.record() is not None
    assert (root / "done").is_symlink()


def test_what_a_removal_that_was_cut_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".removing-old" / "checkpoints").mkdir(parents=True)
    delete.remove(write_run(tmp_path, "done"), Store(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_record_cannot_be_read_can_be_deleted(tmp_path: Path) -> None:
    job = write_run(tmp_path, "done")
    job.record_file.unlink()
    os.mkfifo(job.record_file)
    delete.remove(job, Store(tmp_path))
    assert not job.path.exists()


def test_a_killed_export_goes_with_its_hidden_folder_and_no_other(tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    runs.mkdir()
    job = create(runs, ExportRecipe(name="emotion", source="s", targets=["merged"], out=str(out)))
    mine = name_partial(out, job.path.name)
    kept = [name_partial(out, "export-another-1a2b"), name_partial(tmp_path / "o", job.path.name)]
    for folder in (out, mine, *kept):
        folder.mkdir()
        (folder / "weights").write_text("x")
    status.write(job, status.Status(state=State.FAILED))

    delete.remove(job, Store(runs))
    assert sorted(tmp_path.iterdir()) == sorted([runs, out, *kept])


def test_a_link_in_the_place_of_a_hidden_folder_stays(tmp_path: Path) -> None:
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    runs.mkdir()
    elsewhere.mkdir()
    (elsewhere / "work").write_text("x")
    out = str(tmp_path / "out")
    job = create(runs, ExportRecipe(name="emotion", source="s", targets=["merged"], out=out))
    name_partial(tmp_path / "out", job.path.name).symlink_to(elsewhere)
    status.write(job, status.Status(state=State.FAILED))

    delete.remove(job, Store(runs))
    assert (elsewhere / "work").read_text() == "x"
