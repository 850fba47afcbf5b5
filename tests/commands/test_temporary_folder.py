"""Nothing is left in the temporary folder, however a process ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.jobs import lock
from engine.jobs.child_output import ChildOutput
from engine.jobs.directory import JobDirectory
from tests.conftest import Eventually
from tests.pseudo_terminal import HOME
from tests.tui.terminal import Terminal

pytestmark = pytest.mark.worker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "temporary"
    made.mkdir()
    (tmp_path / "runs").mkdir()
    return made


def environ(folder: Path) -> Mapping[str, str]:
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    return {"TMPDIR": str(folder), "HOME": str(home), "XDG_CACHE_HOME": ""}


def finetop(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    surroundings = {**os.environ, **environ(folder), "PYTHONPATH": str(HOME)}
    surroundings.pop("TORCHINDUCTOR_CACHE_DIR", None)
    command = [sys.executable, "-P", "-m", "tui.cli", *arguments]
    return subprocess.run(
        [*command, "--runs", str(folder.parent / "runs")],
        cwd=folder.parent, env=surroundings, capture_output=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["tokenize", "bundled:demo-base"],
        ["data", "inspect", "bundled:emotion"],
        [
            "train",
            "--set",
            "data.train=bundled:emotion",
            "--set",
            "training.max_steps=1",
            "--follow",
        ],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_leaves_nothing(folder: Path, arguments: list[str]) -> None:
    done = finetop(folder, *arguments)
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []


def test_a_dashboard_that_is_killed_leaves_nothing(folder: Path, eventually: Eventually) -> None:
    with Terminal(folder.parent / "runs", columns=100, lines=30,
                  environ=environ(folder)) as terminal:  # fmt: skip
        terminal.see("pretrain")
        terminal.press("6")
        terminal.see("exact")  # the companion has answered
        assert list(folder.iterdir()) == []
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.wait(terminal.ended)
    eventually(lambda: not list(folder.iterdir()), "nothing is left")


def test_a_killed_worker_leaves_nothing(folder: Path, eventually: Eventually) -> None:
    started = finetop(
        folder, "train", "--set", "data.train=bundled:emotion", "--set", "training.epochs=99",
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    (path,) = [one for one in (folder.parent / "runs").iterdir() if not one.name.startswith(".")]
    job = JobDirectory(path)
    eventually(lambda: "step" in _log(job), "it trains")
    holder = lock.holder(job.lock_file)
    assert holder is not None
    os.kill(holder, signal.SIGKILL)
    eventually(lambda: lock.holder(job.lock_file) is None, "it has ended")
    assert list(folder.iterdir()) == []


def _log(job: JobDirectory) -> str:
    log = job.attempt(1).log
    return log.read_text() if log.exists() else ""


def test_the_end_of_what_a_child_printed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    output = ChildOutput()
    assert output.tail() == ""
    code = "import sys; print('\\x1b[2Jfirst\\n' * 9999 + 'why', file=sys.stderr)"
    for _ in range(2):
        child = subprocess.Popen([sys.executable, "-S", "-c", code], stderr=output.fileno())
        while child.poll() is None:
            output.tail(1)  # looked at while it writes: none of its output is lost
        assert child.returncode == 0
    assert output.tail(2) == "␛[2Jfirst\nwhy"
    assert os.fstat(output.fileno()).st_size == 2 * (9999 * len("\x1b[2Jfirst\n") + len("why\n"))
    assert list(folder.iterdir()) == []
    output.close()
