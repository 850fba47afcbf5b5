"""What may be deleted, and that it goes whole."""

import time
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import delete, status
from engine.jobs.lock import Lock
from engine.jobs.status import State
from engine.jobs.store import Store
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
