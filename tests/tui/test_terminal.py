"""The real program in a real pseudo-terminal."""

import base64
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from engine.jobs.status import State
from tests import patience
from tests.conftest import Eventually
from tests.pseudo_terminal import PseudoTerminal
from tests.tui.building import write_run
from tests.tui.terminal import Terminal

RESET = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    root.mkdir()
    write_run(root, "emotion-lora", points=60, total=60)
    write_run(root, "halted", state=State.STOPPED, points=30)
    return root


def test_it_starts_walks_all_screens_rests_and_leaves(runs: Path) -> None:
    with Terminal(runs, columns=100, lines=30) as terminal:
        terminal.see("emotion-lora")
        terminal.see("▁")
        for key, text in (("2", "Learning rate"), ("3", "cursor"), ("4", "temp 0")):
            terminal.press(key)
            terminal.see(text)
        for key, text in (("?", "Send the prompt."), (":", "command")):
            terminal.press(key)
            terminal.see(text)
            terminal.press("\x1b")
            terminal.lose(text)
        terminal.press("1")
        terminal.see("progress")
        # A screen with nothing new writes nothing; on a busy machine what is new comes late.
        terminal.wait(lambda: terminal.pump(5.0) == 0)
        terminal.press("q")
        terminal.wait(terminal.ended)
        assert terminal.status == 0
        terminal.pump(0.5)
        for mode in RESET:
            assert mode in bytes(terminal.written[-400:])


def test_watched_logs_rest_too_also_after_the_machine_was_looked_at(runs: Path) -> None:
    with Terminal(runs, "watch", str(runs), columns=100, lines=30) as terminal:
        terminal.see("halted")
        terminal.see("▁")
        terminal.press("\r")
        terminal.see("cursor")
        terminal.press("g")
        terminal.see("Last ")
        terminal.press("\x1b")
        terminal.see("cursor")
        # The machine goes on being read, every two seconds; nobody looks.
        terminal.wait(lambda: terminal.pump(4.0) == 0)
        terminal.press("1")
        terminal.see("updated")
        terminal.wait(lambda: terminal.pump(2.0) == 0)
        terminal.press("3Y")
        terminal.see("copied, if")
        copied = re.search(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", terminal.written)
        assert copied is not None
        assert base64.b64decode(copied[1]).decode().startswith("emotion-lora · train/loss █")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_hang_up_gives_the_terminal_back(runs: Path, number: signal.Signals) -> None:
    with Terminal(runs) as terminal:
        terminal.see("emotion-lora")
        os.kill(terminal.pid, number)
        terminal.wait(terminal.ended)
        terminal.pump(0.5)
        for mode in RESET:
            assert mode in bytes(terminal.written[-400:])
        assert b"Traceback" not in terminal.written


def test_a_terminal_that_is_gone_ends_the_program(runs: Path, eventually: Eventually) -> None:
    with Terminal(runs) as terminal:
        terminal.see("emotion-lora")
        terminal.hang_up()  # the kernel sends SIGHUP, and every write fails from now on
        eventually(terminal.ended, "the program ends")


def test_over_ssh_the_mouse_is_left_to_the_terminal(runs: Path) -> None:
    with Terminal(runs, environ={"SSH_CONNECTION": "1 2 3 4"}) as terminal:
        terminal.see("emotion-lora")
        assert b"\x1b[?1000h" not in terminal.written
    with Terminal(runs) as terminal:
        terminal.see("emotion-lora")
        assert b"\x1b[?1000h" in terminal.written


FRAMES = """
import sys
from tui import cli
cli.main(sys.argv[1:])
from textual import constants
print("frames:", constants.MAX_FPS)
"""


@pytest.mark.parametrize(
    ("options", "environ", "frames"),
    [
        (["--runs"], {"SSH_CONNECTION": "1 2 3 4"}, 15),
        (["watch"], {"SSH_CONNECTION": "1 2 3 4"}, 15),
        (["watch"], {"SSH_CONNECTION": "1 2 3 4", "TEXTUAL_FPS": "30"}, 30),
    ],
)
def test_over_ssh_few_frames_are_drawn_unless_more_are_asked_for(
    runs: Path, options: list[str], environ: dict[str, str], frames: int
) -> None:
    command = [sys.executable, "-c", FRAMES, *options, str(runs)]
    with PseudoTerminal(command, runs.parent, columns=80, lines=24, environ=environ) as terminal:
        written, end = b"", time.monotonic() + patience.PROCESS_SECONDS
        asked = False
        while not (told := re.search(rb"frames: (\d+)\r", written)):
            assert time.monotonic() < end, written
            if not asked and b"emotion-lora" in written:
                terminal.press("q")
                asked = True
            written += terminal.read(0.1) or b""
        assert int(told[1]) == frames


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"COLORTERM": "truecolor"}, b"38;2;"),
        ({"TERM": "xterm-256color"}, b"38;5;"),
        ({"TERM": "xterm-16color"}, b""),
        ({"NO_COLOR": "1"}, b""),
    ],
)
def test_colours_are_those_the_terminal_has(
    runs: Path, environ: dict[str, str], colours: bytes
) -> None:
    with Terminal(runs, environ=environ) as terminal:
        terminal.see("emotion-lora")
        terminal.see("halted")
        for kind in (b"38;2;", b"38;5;", b"48;2;", b"48;5;"):
            allowed = bool(colours) and kind[2:] == colours[2:]
            assert (kind in terminal.written) <= allowed, kind


def test_a_bare_locale_gets_ascii(runs: Path) -> None:
    with Terminal(runs, environ={"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0",
                                 "PYTHONCOERCECLOCALE": "0"}) as terminal:  # fmt: skip
        terminal.see("emotion-lora")
        terminal.pump(1.0)
        assert terminal.text().isascii()
