"""States: what died never reads as done, and what lives never reads as dead."""

import dataclasses
import errno
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import atomic
from engine.jobs import directory, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure, State, Status
from engine.recipes.recipe import TrainRecipe
from tests import patience
from tests.jobs.test_lock import hold


@pytest.fixture
def job(root: Path) -> JobDirectory:
    return directory.create(root, TrainRecipe())


def now(state: State, **fields: object) -> Status:
    base = Status(state, heartbeat=time.time(), host=socket.gethostname())
    return dataclasses.replace(base, **fields)  # type: ignore[arg-type]


def test_a_status_reads_back_the_same(job: JobDirectory) -> None:
    written = now(State.FAILED, step=3, error=Failure("title", "detail", "hint"), eta_seconds=1.5)
    status.write(job, written)
    assert status.read(job) == written


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"started": 100.0, "heartbeat": 160.0}, 60.0),
        ({"started": 100.0, "heartbeat": 160.0, "queued_seconds": 20.0}, 40.0),
        ({"started": 100.0, "heartbeat": 160.0, "earlier_seconds": 500.0}, 560.0),
        ({"started": 100.0, "heartbeat": 90.0, "earlier_seconds": 500.0}, 500.0),  # set back
        ({"heartbeat": 160.0}, 0.0),
    ],
)
def test_the_running_time_is_that_of_all_attempts(fields: dict[str, float], seconds: float) -> None:
    assert now(State.DONE, **fields).running_seconds == seconds


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        '{"schema": 1}',
        '{"schema": 2, "state": "done"}',
        '{"schema": 1, "state": "well"}',
        '{"schema": 1, "state": "done", "step": "3"}',
        '{"schema": 1, "state": "done", "eta_seconds": NaN}',
        '{"schema": 1, "state": "done", "extra": 1, "host": null}',
    ],
)
def test_what_cannot_be_read_is_not_yet(job: JobDirectory, content: str) -> None:
    job.status_file.write_text(content)
    assert status.read(job) is None


@pytest.mark.parametrize("state", [State.QUEUED, State.STARTING, State.RUNNING, State.STOPPING])
def test_a_free_lock_and_no_final_status_is_a_crash(job: JobDirectory, state: State) -> None:
    job.lock_file.touch()
    assert status.derive(job, now(state)) is State.CRASHED


@pytest.mark.parametrize("state", [State.DONE, State.STOPPED, State.FAILED])
def test_a_final_status_stands(job: JobDirectory, state: State) -> None:
    assert status.derive(job, now(state, host="elsewhere")) is state


def test_a_held_lock_is_alive_whatever_the_heartbeat(job: JobDirectory) -> None:
    child = hold(job.lock_file)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert status.derive(job, now(State.RUNNING, heartbeat=0.0)) is State.RUNNING
        assert status.derive(job, None) is State.STARTING
    finally:
        child.kill()
        child.wait()


def test_another_host_is_believed_while_its_heart_beats_and_then_lost(job: JobDirectory) -> None:
    there = now(State.RUNNING, host="elsewhere")
    assert status.derive(job, there) is State.RUNNING
    assert status.derive(job, there, time.time() + status.STALE_SECONDS + 1) is State.LOST


def test_a_clock_that_was_set_back_keeps_no_dead_run_alive(job: JobDirectory) -> None:
    future = time.time() + 3600
    assert status.derive(job, now(State.RUNNING, host="elsewhere", heartbeat=future)) is State.LOST
    os.utime(job.path, (future, future))
    assert status.derive(job, None) is State.CRASHED


def test_a_new_directory_starts_and_an_old_silent_one_crashed(job: JobDirectory) -> None:
    assert status.derive(job, None) is State.STARTING
    assert status.derive(job, None, time.time() + 60) is State.CRASHED


def test_a_worker_that_ended_between_two_looks_is_not_a_crash(job: JobDirectory) -> None:
    seen = now(State.RUNNING)
    status.write(job, now(State.DONE))
    assert status.derive(job, seen) is State.DONE


def test_a_full_disk_still_takes_the_final_status(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    status.write(job, now(State.RUNNING, message="a long message that a short one replaces"))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "write_json", full)
    status.write(job, now(State.FAILED, error=Failure("The disk is full.")))
    read = status.read(job)
    assert read is not None
    assert read.state is State.FAILED
    with pytest.raises(OSError, match="No space"):
        status.write(job, now(State.RUNNING))


WRITE = """
import sys
from pathlib import Path
from engine import atomic
path = Path(sys.argv[1])
number = 0
while True:
    number += 1
    atomic.write_json(path, {"number": number, "filler": "x" * (number % 5000)}, durable=False)
"""


def test_a_reader_never_sees_a_part_even_when_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", WRITE, str(path)])
        seen = 0
        deadline = time.monotonic() + patience.PROCESS_SECONDS
        while seen < 50 and time.monotonic() < deadline:
            if path.exists():
                json.loads(path.read_bytes())
                seen += 1
        child.kill()
        child.wait()
        assert seen == 50
        json.loads(path.read_bytes())
    assert os.listdir(tmp_path)
