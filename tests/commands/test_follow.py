"""One line of progress: however long it is, the next one replaces it."""

import io
import os
import shutil
import sys
from pathlib import Path

import pytest

from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from tui.commands import follow as following


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("with_message", [False, True])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_line_of_progress_is_never_wider_than_the_terminal(
    columns: int, with_message: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrapped stays on the screen, a line more at each change."""
    running = Status(
        State.RUNNING, step=112, total=150, activity="evaluating", activity_done=24,
        activity_total=300, tokens_per_second=2004.0, eta_seconds=72.0, message="m" * 200,
    )  # fmt: skip
    seen = iter([running, Status(State.DONE), Status(State.DONE)])
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_: os.terminal_size((columns, 24)))
    monkeypatch.setattr(following, "POLL_SECONDS", 0)
    monkeypatch.setattr(statuses, "read", lambda job: next(seen))
    monkeypatch.setattr(statuses, "derive", lambda job, now: now.state)
    following.follow(JobDirectory(Path("a")), "1/6 training emotion-lora-r32-546a",
                     with_message=with_message)  # fmt: skip
    lines = [line for line in terminal.getvalue().split("\r\x1b[2K") if line]
    assert lines
    assert max(map(len, lines)) < columns
    if columns > 79:
        assert "112/150  1:12 left" in lines[0]
