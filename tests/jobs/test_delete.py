"""What may be deleted, and that it goes whole."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import delete
from engine.jobs.lock import Lock
from engine.jobs.status import State
from engine.jobs.store import Store
from tests.tui.building import write_run


def test_an_ended_run_goes_whole(tmp_path: Path) -> None:
    job = write_run(tmp_path / "runs", "done", points=3)
    delete.remove(job, Store(tmp_path / "runs"))
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("state", "heartbeat", "reason"),
    [(State.RUNNING, 9e9, "is running"), (State.RUNNING, 1.0, "another host")],
)
def test_a_run_that_may_be_at_work_stays(
    tmp_path: Path, state: State, heartbeat: float, reason: str
) -> None:
    job = write_run(tmp_path, "busy", state=state, heartbeat=heartbeat)
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
