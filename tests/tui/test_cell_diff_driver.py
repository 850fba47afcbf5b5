"""The driver that sends changed cells alone: the same screen as without it, in fewer bytes."""

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.cell_diff_driver import CellDiff

WIDTH, HEIGHT = 24, 6
TEXTS = st.text("ab ⠇│é", min_size=1, max_size=10) | st.sampled_from(["漢字", "e\u0301", "\u0301a"])
STYLES = st.sampled_from(
    ["", "1", "31", "38;2;1;2;3", "1;38;2;1;2;3;48;2;9;9;9", "7;97;104", "38;5;77"]
)
CHUNKS = st.tuples(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 11), STYLES, TEXTS)
FRAMES = st.lists(st.lists(CHUNKS, min_size=1, max_size=8), min_size=1, max_size=8)


def frame(chunks: list[tuple[int, int, str, str]]) -> str:
    """As Textual writes: a place, styled segments with a reset after each, the cursor at last."""
    chunks = sorted(chunks, key=lambda chunk: chunk[0])
    parts = []
    for row, column, style, text in chunks:
        parts.append(f"\x1b[{row + 1};{column + 1}H")
        parts.append(f"\x1b[{style}m{text}\x1b[0m" if style else text)
        if row != chunks[-1][0]:
            parts.append("\n")
    return "".join(parts) + "\x1b[1;1H"


class Terminal:
    def __init__(self) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self.stream = pyte.Stream(self.screen)

    def cells(self) -> list[object]:
        cursor = self.screen.cursor
        rows = [[self.screen.buffer[y][x] for x in range(WIDTH)] for y in range(HEIGHT)]
        return [rows, cursor.x, cursor.y, cursor.attrs]


@settings(deadline=None, max_examples=60)
@given(FRAMES)
def test_the_screen_is_the_same(frames: list[list[tuple[int, int, str, str]]]) -> None:
    plain, reduced, cell_diff = Terminal(), Terminal(), CellDiff()
    for chunks in frames:
        data = frame(chunks)
        plain.stream.feed(data)
        reduced.stream.feed(cell_diff.reduce(data))
        assert reduced.cells() == plain.cells()


def test_what_is_there_is_not_written_again() -> None:
    cell_diff = CellDiff()
    data = frame([(0, 0, "31", "hello"), (1, 2, "", "there")])
    assert cell_diff.reduce(data)
    assert cell_diff.reduce(data) == ""


def test_one_cell_costs_one_cell() -> None:
    cell_diff = CellDiff()
    cell_diff.reduce(frame([(2, 0, "31", "loss 0.4123 at 800")]))
    assert cell_diff.reduce(frame([(2, 0, "31", "loss 0.4129 at 800")])) == (
        "\x1b[3;11H\x1b[31m9\x1b[1;1H\x1b[0m"
    )


def test_anything_else_goes_out_untouched_and_forgets_the_screen() -> None:
    cell_diff = CellDiff()
    data = frame([(0, 0, "31", "hello")])
    cell_diff.reduce(data)
    for other in ("\x1b[?1049h", "\x1b[2J", "\x07", "\x1b]52;c;aGk=\x07", "words without a place"):
        assert cell_diff.reduce(other) == other
        assert "hello" in cell_diff.reduce(data)


APP = """
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.widgets import Static
from tui.cell_diff_driver import with_cell_diff

class Ticking(App):
    count = drawn = seen = 0
    def compose(self):
        yield Static("words that stay " * 20 + "0", id="text")
    def on_mount(self):
        self.set_interval(0.05, self.tick)
    def _display(self, screen, renderable):
        super()._display(screen, renderable)
        self.drawn += 1
    def tick(self):
        if self.drawn == self.seen:
            return  # on a busy machine two would be drawn as one
        self.seen = self.drawn
        self.count += 1
        if self.count <= 20:
            self.query_one("#text", Static).update("words that stay " * 20 + str(self.count))
        elif self.count < 40:
            self.query_one("#text", Static).refresh()
        else:
            self.exit()

Ticking(driver_class=with_cell_diff(LinuxDriver)).run()
"""


def test_a_real_terminal_gets_only_what_changed() -> None:
    main, side = pty.openpty()
    environ = {
        **os.environ,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "COLUMNS": "80",
        "LINES": "24",
    }
    root = Path(__file__).parents[2]
    app = subprocess.Popen(
        [sys.executable, "-c", APP], stdin=side, stdout=side, stderr=side, env=environ, cwd=root
    )
    received = b""
    while app.poll() is None or select.select([main], [], [], 0)[0]:
        if select.select([main], [], [], 0.1)[0]:
            received += os.read(main, 1 << 16)
    os.close(side)
    os.close(main)
    assert app.returncode == 0
    assert received.count(b"words that stay") == 20, "written once"
    numbers = re.findall(rb"\x1b\[\d+;\d+H\x1b\[[\d;]*m(\d+)\x1b", received)
    whole = [*range(11), *range(1, 10), 20]  # from 11 to 19 the first digit stays
    assert numbers == [str(at).encode() for at in whole], "nothing for a repaint without news"


def whole_frame(columns: int, lines: int, mark: str) -> str:
    """All rows of a layout, each with what belongs there alone."""
    rows = [(at, 0, "", f"{mark} {at}".ljust(columns, ".")) for at in range(lines - 1)]
    return frame([*rows, (lines - 1, 0, "7", f"{mark} keys".ljust(columns))])


def test_a_frame_of_the_old_layout_leaves_no_cell_wrong_after_the_terminal_shrank() -> None:
    fresh, shrunk, cell_diff = Terminal(), Terminal(), CellDiff()
    cell_diff.resize((WIDTH * 2, HEIGHT * 2))
    cell_diff.reduce(whole_frame(WIDTH * 2, HEIGHT * 2, "old"))
    cell_diff.resize((WIDTH, HEIGHT))
    # Textual has not seen the new size yet; a page that closes is drawn whole for the old one.
    shrunk.stream.feed("\x1b[?7l")  # as Textual: what is too long stays on its line
    late = cell_diff.reduce(whole_frame(WIDTH * 2, HEIGHT * 2, "old"))
    assert f"\x1b[{HEIGHT + 1};" not in late
    shrunk.stream.feed(late)
    new = whole_frame(WIDTH, HEIGHT, "new")
    shrunk.stream.feed(cell_diff.reduce(new))
    fresh.stream.feed(new)
    assert shrunk.cells() == fresh.cells()


def test_what_is_wider_than_the_terminal_is_cut_at_its_edge() -> None:
    cell_diff = CellDiff()
    cell_diff.resize((4, 2))
    written = cell_diff.reduce("\x1b[1;1Habc漢字\x1b[31mdef\x1b[0m\x1b[2;9Hg\x1b[3;1Hh")
    assert written == "\x1b[1;1Habc "
