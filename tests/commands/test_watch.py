"""`finetop watch --plain`, as a program of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs.status import State
from tests import patience
from tests.tui.building import write_event, write_run

HERE = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tui.cli", "watch", *arguments]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    for step in range(3):
        write_event(tmp_path / "logs" / "a b", step, {"train/loss": 3.0 - step, "lr": 0.5})
    return tmp_path / "logs"


@pytest.fixture
def watching(logs: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command(str(logs), "--plain"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE,
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()


def line(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n").split("\t")


def test_a_line_a_change(watching: "subprocess.Popen[str]", logs: Path) -> None:
    assert line(watching) == ["a b", "2", "lr=0.5", "train/loss=1"]
    write_event(logs / "a b", 3, {"train/loss": float("nan")})
    assert line(watching) == ["a b", "3", "train/loss=nan"]
    assert line(watching) == ["a b", "!", "train/loss: NaN since step 3"]
    write_event(logs / "c\x1b", 7, {"reward": 2.0})
    assert line(watching) == ["c␛", "7", "reward=2"]
    (logs / "d").mkdir()
    (logs / "d" / "events.out.tfevents.1.x").write_bytes(b"\x1f\x8b zipped")
    assert line(watching)[:2] == ["d", "!"]


def test_ctrl_c_ends_it_without_a_traceback(watching: "subprocess.Popen[str]") -> None:
    line(watching)
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=patience.PROCESS_SECONDS)
    assert (watching.returncode, said) == (130, "")


def test_a_reader_that_goes_away_ends_it(watching: "subprocess.Popen[str]", logs: Path) -> None:
    line(watching)
    assert watching.stdout is not None
    assert watching.stderr is not None
    watching.stdout.close()
    write_event(logs / "a b", 3, {"lr": 0.25})
    assert watching.wait(timeout=patience.PROCESS_SECONDS) == 0
    assert watching.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "The log directory does not exist."),
        ([".", "--plain", "--tags", "(loss"], "missing )"),
        ([".", "--plain", "--runs-filter", "who:me"], "unknown field 'who'"),
        (["."], "--plain prints one line per change"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, cwd=tmp_path,
        timeout=patience.PROCESS_SECONDS, env={**os.environ, "PYTHONPATH": str(HERE)},
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_filters_of_tags_and_runs(logs: Path) -> None:
    write_event(logs / "z", 1, {"train/loss": 2.0, "lr": 0.5})
    write_run(logs, "job", state=State.FAILED, points=3)
    process = subprocess.Popen(
        command(str(logs), "--plain", "--tags", "/loss$/", "--runs-filter", "z or state:failed"),
        stdout=subprocess.PIPE, text=True, cwd=HERE,
    )  # fmt: skip
    try:
        assert line(process)[:2] == ["job", "3"]
        assert line(process) == ["z", "1", "train/loss=2"]
        assert line(process) == ["job", "-", "failed at step 3"]
    finally:
        process.kill()
        process.communicate()
