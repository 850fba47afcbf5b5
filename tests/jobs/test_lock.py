"""Locks of real processes: held, asked about, freed by any death."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.jobs.lock import Lock, holder
from tests import patience
from tests.conftest import Eventually

HOLD = """
import sys, time
from pathlib import Path
from engine.jobs.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held" if lock.acquire() else "refused", flush=True)
time.sleep(60)
"""


def hold(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alive.lock"


def test_a_missing_or_free_file_has_no_holder(path: Path) -> None:
    assert holder(path) is None
    path.touch()
    assert holder(path) is None


def test_the_holder_is_the_process_that_took_it(path: Path, eventually: Eventually) -> None:
    child = hold(path)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        assert holder(path) == child.pid
        assert not Lock(path).acquire()
        # Asking took nothing: a second look sees the same.
        assert holder(path) == child.pid
    finally:
        child.kill()
    # Killed and not reaped: a zombie still answers signals, but holds no lock.
    eventually(lambda: holder(path) is None, "the lock of a zombie is free")
    os.kill(child.pid, signal.SIG_DFL)
    child.wait()


def test_a_fork_does_not_keep_the_lock_of_its_dead_parent(
    path: Path, eventually: Eventually
) -> None:
    script = HOLD.replace(
        "time.sleep(60)", "import os\nif os.fork() == 0: time.sleep(60)\nos._exit(0)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        child.wait(timeout=patience.PROCESS_SECONDS)
        eventually(lambda: holder(path) is None, "the lock is free though a fork lives")
    finally:
        os.killpg(child.pid, signal.SIGKILL)


def test_release_lets_another_take_it(path: Path) -> None:
    first = Lock(path)
    assert first.acquire()
    first.release()
    assert Lock(path).acquire()


def test_the_holder_is_known_on_a_disk_that_is_read_only(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(errno.EROFS, "Read-only file system")
        return really_open(path, flags, mode)

    child = hold(path)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        monkeypatch.setattr(os, "open", read_only)
        assert holder(path) == child.pid
    finally:
        child.kill()
        child.wait()
