"""A real terminal that changes its size while pages are drawn: no cell stays wrong."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import patience
from tests.tui.browse.answered import write_answers
from tests.tui.building import write_run
from tests.tui.terminal import Terminal

ROUNDS = 4


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    root = tmp_path / "runs"
    root.mkdir()
    write_run(root, "emotion-lora", points=60, total=60)
    write_answers(root)
    with Terminal(root, columns=160, lines=50) as terminal:
        terminal.see("emotion-lora")
        yield terminal


def grid(terminal: Terminal) -> list[list[object]]:
    screen = terminal.screen
    return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]


def at_rest(terminal: Terminal) -> list[list[object]]:
    """The cells, once nothing more is written."""
    terminal.wait(lambda: terminal.pump(0.8) == 0)
    return grid(terminal)


def drawn_anew(terminal: Terminal) -> list[list[object]]:
    """The cells of a whole frame on a terminal that was emptied."""
    terminal.screen.reset()
    before = len(terminal.written)
    os.kill(terminal.pid, signal.SIGWINCH)
    terminal.wait(lambda: len(terminal.written) > before, patience.SECONDS)
    return at_rest(terminal)


@pytest.mark.timeout(600)
def test_a_page_that_closes_while_the_window_shrinks(terminal: Terminal) -> None:
    chance = random.Random(1)
    terminal.press("/answers\r")
    terminal.see("enter browse")  # the field is closed and the row is chosen
    terminal.press("\r")
    terminal.see("token shift")
    for _ in range(ROUNDS):
        terminal.resize(160, 50)
        at_rest(terminal)
        terminal.press("x")
        terminal.pump(chance.random() * 0.4)
        terminal.press("\x1b")
        time.sleep(chance.random() * 0.12)
        terminal.resize(80, 24)
        cells = at_rest(terminal)
        assert cells == drawn_anew(terminal)
        assert "q quit" in terminal.screen.display[-1]


@pytest.mark.timeout(600)
def test_sizes_that_change_fast_while_charts_are_drawn_and_the_line_is_slow(
    terminal: Terminal,
) -> None:
    chance = random.Random(2)
    terminal.press("3")
    terminal.see("cursor")
    for _ in range(ROUNDS):
        for _ in range(8):  # nothing is read meanwhile
            terminal.press(chance.choice("nlhvs"))
            time.sleep(chance.random() * 0.05)
            terminal.resize(*chance.choice([(80, 24), (160, 50), (100, 30), (81, 60)]))
            time.sleep(chance.random() * 0.08)
        terminal.resize(80, 24)
        cells = at_rest(terminal)
        assert cells == drawn_anew(terminal)
