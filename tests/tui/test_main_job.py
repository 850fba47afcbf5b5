"""The main job in a real terminal, by keys alone: launch, watch, lose the terminal, compare."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs import launch, lock, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes import recipe
from tests.conftest import Eventually
from tests.tui.building import write_run
from tests.tui.terminal import Terminal

STEPS = 60
LAUNCH = ASK = "\x13"  # ctrl+s
NEWEST = "\x1b[Hj"  # home, and past the shipped run
SMALL = (
    f"training.max_steps={STEPS}", "training.batch_size=2", "training.evaluations=0",
    "training.saves=1", "data.limit=24", "data.max_length=64", "samples.count=0",
    "forgetting.tokens=0", "device=cpu",
)  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    """With one earlier run, whose few steps a new one takes over."""
    root = tmp_path / "runs"
    root.mkdir()
    earlier = write_run(root, "earlier", points=STEPS, total=STEPS)
    wanted = recipe.parse(recipe.with_changes({"kind": "train"}, SMALL))
    earlier.recipe_file.write_text(recipe.to_toml(wanted))
    yield root
    for path in root.iterdir():
        if worker := lock.holder(JobDirectory(path).lock_file):
            os.kill(worker, signal.SIGKILL)


@pytest.mark.worker
def test_a_run_outlives_the_terminal_that_launched_it_and_is_compared_in_another(
    runs: Path, eventually: Eventually
) -> None:
    with Terminal(runs, columns=100, lines=30) as terminal:
        terminal.see("earlier")
        terminal.press(NEWEST)
        terminal.press("n")
        terminal.see("ready: ctrl+s launch")
        terminal.press(LAUNCH)
        terminal.wait(lambda: len(list(runs.glob("[!.]*"))) == 2)
        (job,) = (JobDirectory(path) for path in runs.glob("[!.]*") if path.name != "earlier")
        terminal.wait(lambda: _step(job) > 0)
        worker = lock.holder(job.lock_file)
        assert worker, launch.log_tail(job.attempt(1).log)
        os.kill(worker, signal.SIGSTOP)  # that it is not done before its terminal is gone
        terminal.wait(lambda: re.search(rf"step [1-9]\d*/{STEPS} ", terminal.text()) is not None)
        assert os.getsid(worker) == worker, "no session but its own can end it"
        terminal.hang_up()
        eventually(terminal.ended, "the dashboard ends")
        before = _step(job)
        os.kill(worker, signal.SIGCONT)
    eventually(lambda: lock.holder(job.lock_file) is None, "the run ends")
    now = status.read(job)
    assert now is not None
    assert (now.state, now.step, now.attempt) == (State.DONE, STEPS, 1)
    assert before < STEPS

    with Terminal(runs, columns=100, lines=30) as terminal:
        terminal.see("emotion-lora-r8")
        assert "done" in next(one for one in terminal.screen.display if "emotion-lora-r8" in one)
        terminal.press(NEWEST)
        terminal.press("c")
        terminal.see("prompt 1/")
        terminal.press(ASK)
        terminal.wait(lambda: len(_words(terminal)) == 2)
        assert min(_words(terminal)) > 0, terminal.text()
        assert job.path.name in terminal.text()


def _step(job: JobDirectory) -> int:
    now = status.read(job)
    return now.step if now is not None else 0


def _words(terminal: Terminal) -> list[int]:
    """How many words each answer has, as its pane says once it is complete or truncated."""
    counts = re.findall(r"(\d+) words?\b[^\n]*?(?:complete|truncated)", terminal.text())
    return [int(count) for count in counts]
