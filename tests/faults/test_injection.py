"""What is injected into a process: at the operation that was asked for, and at no other."""

import errno
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.injection import CLASSES, Fault, place_of

HOME = Path(__file__).resolve().parents[2]
WORK = """
from tests.faults import injection
injection.arm()
import os, pathlib, time
os.mkdir("events")
for n in range(3):
    with open(f"events/{n}", "wb") as file:
        file.write(b"x" * 600)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"events/{n}", f"events/done-{n}")
pathlib.Path("attempts").write_text(f"{time.time():.0f}")
"""


def work(folder: Path, fault: Fault) -> tuple[int, list[str], str]:
    """Exit code, the files that are there afterwards, and the last line of the errors."""
    environ = replace(fault, below=str(folder)).environ()
    process = subprocess.run(
        [sys.executable, "-c", WORK], cwd=folder, env={**environ, "PYTHONPATH": str(HOME)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    files = sorted(path.name for path in folder.rglob("*") if path.is_file())
    return process.returncode, files, (process.stderr.splitlines() or [""])[-1]


def test_nothing_asked_for_is_nothing_done(tmp_path: Path) -> None:
    code, files, _ = work(tmp_path, Fault())
    assert (code, files) == (0, ["attempts", "done-0", "done-1", "done-2"])


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("mkdir", []),
        ("open", ["done-0"]),
        ("write", ["1", "done-0"]),
        ("fsync", ["1", "done-0"]),
        ("rename", ["1", "done-0"]),
    ],
)
def test_one_operation_fails(tmp_path: Path, kind: str, files: list[str]) -> None:
    at = 1 if kind == "mkdir" else 2
    fault = Fault("raise", at, "events" if kind != "mkdir" else "any", kind, errno.ENOSPC)
    code, actual, words = work(tmp_path, fault)
    assert (code, actual) == (1, files)
    assert "No space left on device" in words


def test_the_process_is_killed_there(tmp_path: Path) -> None:
    code, files, _ = work(tmp_path, Fault("SIGKILL", 2, "events", "rename"))
    assert code == -signal.SIGKILL
    assert files == ["1", "done-0"]


def test_files_are_bounded_from_there_on(tmp_path: Path) -> None:
    code, files, words = work(tmp_path, Fault("limit", 2, "events", "open", size=500))
    assert (code, files) == (1, ["1", "done-0"])
    assert "File too large" in words
    assert (tmp_path / "events" / "1").stat().st_size == 500


def test_operations_are_counted_and_the_clock_is_ahead(tmp_path: Path) -> None:
    counts = tmp_path.parent / f"{tmp_path.name}-counts"
    code, _, _ = work(tmp_path, Fault(counts=str(counts), clock=1e9))
    assert code == 0
    actual = json.loads(counts.read_text())
    assert actual["events"] == 3 * 4, "opened, written, flushed to disk, renamed"
    assert int((tmp_path / "attempts").read_text()) > 2_500_000_000


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/a/checkpoints/.saving/checkpoint-3/optimizer.pt", "checkpoint"),
        ("/a/checkpoints/checkpoint-3/adapter/x", "checkpoint"),
        ("/a/.status.json.x1", "status"),
        ("/a/events/events.out.tfevents.1", "events"),
        ("/a/.adapter/adapter_config.json", "result"),
        ("/a/attempts/1/process.json", "other"),
        ("/a/job.json", "rest"),
    ],
)
def test_paths_have_their_class(path: str, place: str) -> None:
    assert place_of(path) == place
    assert place in CLASSES or place == "rest"
