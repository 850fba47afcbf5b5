"""A run's directory that cannot be written: each command says what, where and what helps.

By a mount where one may be made; by modes everywhere. Root may write where modes forbid it, so the
commands are then run by a root that was never given that right.
"""

import errno
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs import directory, status
from engine.jobs.lock import Lock
from engine.jobs.status import State, Status
from engine.recipes.recipe import TrainRecipe
from engine.worker import __main__ as worker
from engine.worker.attempt import Attempt
from tests import patience
from tests.jobs.test_lock import HOLD

HOME = Path(__file__).resolve().parents[2]
REASONS = {"modes": "Permission denied", "mount": "Read-only file system"}

# PR_CAPBSET_DROP of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what is run next has them no more.
BOUND = """
import ctypes, os, sys
if os.geteuid() == 0 and hasattr(os, "pidfd_open"):
    libc = ctypes.CDLL(None, use_errno=True)
    if any(libc.prctl(24, right, 0, 0, 0) for right in (1, 2)):
        sys.exit("these rights cannot be given up: " + os.strerror(ctypes.get_errno()))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
COMMANDS = """
import contextlib, io, json, sys
from engine.worker.__main__ import main as work
from tui.cli import main

root, told = sys.argv[1], {}
for name, call, arguments in (
    ("runs", main, ["--runs", root, "runs"]),
    ("train", main, ["--runs", root, "train", "--set", "device=cpu"]),
    ("resume", main, ["--runs", root, "resume", "mine"]),
    ("rm", main, ["--runs", root, "rm", "--yes", "mine"]),
    ("stop", main, ["--runs", root, "stop", "going"]),
    ("worker", work, ["train", root + "/mine"]),
):
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(said):
        code = call(arguments)
    told[name] = code, said.getvalue()
print(json.dumps(told))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With a run that was stopped, and one that runs."""
    folder = tmp_path / "runs"
    for name, state in (("mine", State.STOPPED), ("going", State.RUNNING)):
        job = directory.create(folder, TrainRecipe(name=name))
        (job.checkpoints / "checkpoint-5").mkdir(parents=True)
        job.attempt(1).path.mkdir()
        now = Status(state, step=5, total=9, host=socket.gethostname(), heartbeat=time.time())
        status.write(job, now)
        job.lock_file.touch()
        job.path.rename(folder / name)
    return folder


@pytest.fixture(params=REASONS)
def closed(
    request: pytest.FixtureRequest, root: Path, tmp_path: Path
) -> Iterator[tuple[Path, str]]:
    """The folder, where it cannot be written, and what the system says to who tries."""
    reason = REASONS[request.param]
    if request.param == "modes":
        folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o500)
        for file in root.glob("*/alive.lock"):
            file.chmod(0o400)
        yield root, reason
        for folder in folders:
            folder.chmod(0o700)
        return
    place = tmp_path / "mounted"
    place.mkdir()
    try:
        for options in (["--bind", str(root)], ["-o", "remount,bind,ro"]):
            command = ["mount", *options, str(place)]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                pytest.skip("nothing can be mounted here")
        yield place, reason
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def test_each_command_says_what_and_where_and_what_helps(
    closed: tuple[Path, str], root: Path
) -> None:
    place, reason = closed
    lives = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root / "going" / "alive.lock")],
        stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert lives.stdout is not None
        lives.stdout.readline()
        ended = subprocess.run(
            [sys.executable, "-c", BOUND, "-c", COMMANDS, str(place)],
            capture_output=True, text=True, check=False, cwd=HOME, timeout=patience.PROCESS_SECONDS,
        )  # fmt: skip
        if "cannot be given up" in ended.stderr:
            pytest.skip(ended.stderr)
        assert ended.returncode == 0, ended.stderr
        assert lives.wait(patience.PROCESS_SECONDS) != 0, "it was stopped, by a signal"
    finally:
        lives.kill()
        lives.wait()
    told = json.loads(ended.stdout)
    assert {name: code for name, (code, _) in told.items()} == {
        "runs": 0, "train": 2, "resume": 2, "rm": 2, "stop": 1, "worker": 1,
    }  # fmt: skip
    assert "stopped" in told["runs"][1]
    for name, title, hint in (
        ("train", "The run's directory cannot be created.", "--runs DIR"),
        ("resume", "The worker cannot be started.", "directory must be writable"),
        ("rm", "The run could not be deleted.", "permissions of its folder"),
        ("stop", "The stop request cannot be written.", "sent SIGTERM"),
        ("worker", "The run cannot be written", ""),
    ):
        said = told[name][1]
        for part in (title, f"{place}", reason, hint):
            assert part in said, f"{name}: {said}"
        assert "Traceback" not in said


FULL, CLOSED = "The disk is full.", "The run's directory cannot be written."
QUOTA = "The disk quota is used up."


@pytest.mark.parametrize(
    ("number", "title"),
    [
        (errno.ENOSPC, FULL), (errno.EDQUOT, QUOTA),
        (errno.EROFS, CLOSED), (errno.EACCES, CLOSED), (errno.EPERM, CLOSED),
    ],
)  # fmt: skip
def test_a_job_that_cannot_write_any_more_ends_with_the_reason(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, title: str
) -> None:
    """The full disk is a real one, where the system has a device for that."""
    job = directory.create(root, TrainRecipe(name="late", device="cpu"))
    attempt = Attempt(job, Lock(job.lock_file))
    attempt._writer.start()
    file = job.checkpoints / "checkpoint-5"

    class Module:
        @staticmethod
        def run(attempt: Attempt) -> str:
            if number == errno.ENOSPC and Path("/dev/full").exists():
                Path("/dev/full").write_text("x")
            raise OSError(number, os.strerror(number), str(file))

    monkeypatch.setitem(sys.modules, worker.JOBS["train"], Module)
    assert worker.run(attempt, "train") == 1
    now = status.read(job)
    assert now is not None
    assert now.state is State.FAILED
    assert now.error is not None
    assert now.error.title == title
    assert str(job.path) in now.error.detail
    assert "then resume" in now.error.hint
    assert ("--runs DIR" in now.error.hint) == (title == CLOSED)
