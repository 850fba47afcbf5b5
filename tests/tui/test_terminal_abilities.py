"""Terminals with less: a locale of ASCII alone, though Python turns to UTF-8, and few colours."""

import re
import time
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.color import Color

from engine.jobs.status import State
from tests import patience
from tests.pseudo_terminal import PseudoTerminal, dashboard
from tests.tui.building import write_run
from tests.tui.terminal import Terminal
from tui.terminal_abilities import Abilities, detect_abilities
from tui.text_guard import TextGuard

UNSET = {"LC_ALL": "", "LC_CTYPE": "", "LANG": ""}
BARE = [
    {"LC_ALL": "C"},
    {**UNSET, "LANG": "C"},
    {**UNSET, "LC_CTYPE": "POSIX"},
    {"LC_ALL": "en_US.ISO-8859-1"},
]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    root.mkdir()
    write_run(root, "漢字 é…", points=60, total=60, directory="wide", log="naïve 漢字 → ok\n")
    return root


@pytest.mark.parametrize("environ", [BARE[0], BARE[-1]], ids=str)
def test_no_byte_beyond_ascii_reaches_the_terminal(runs: Path, environ: dict[str, str]) -> None:
    with Terminal(runs, columns=120, lines=40, environ=environ) as terminal:
        terminal.see("+ ???? ?~")
        for key, text in (("2", "Learning rate"), ("3", "cursor"), ("4", "temp 0"), ("6", "exact")):
            terminal.press(key)
            terminal.see(text)
        for key, text in (("?", "Send the prompt."), (":", "enter select")):
            terminal.press("4" + key)
            terminal.see(text)
            terminal.press("\x1b")
            terminal.lose(text)
            # A key close behind a lone escape is another key, and half a screen may be drawn.
            terminal.pump(1.0)
        terminal.press("1")
        terminal.see("progress")
        terminal.press("a")  # other characters were asked for; there are none
        terminal.pump(1.0)
        assert max(terminal.written) < 0x80


@pytest.mark.parametrize("environ", BARE, ids=str)
@pytest.mark.parametrize(
    "command",
    [["runs"], ["logs", "wide"], ["keys"], ["logs", "漢é"], ["runs", "--漢"], ["doctor"]],
    ids=" ".join,
)
def test_commands_write_a_likeness_or_an_escape(
    runs: Path, environ: dict[str, str], command: list[str]
) -> None:
    written = said(runs, environ, command)
    assert max(written) < 0x80
    assert b"UnicodeEncodeError" not in written
    if command == ["logs", "wide"]:
        assert b"na\\xefve \\u6f22\\u5b57 > ok" in written


def test_a_terminal_with_utf_8_gets_it(runs: Path) -> None:
    written = said(runs, {**UNSET, "LC_CTYPE": "C.UTF-8", "LANG": "C"}, ["logs", "wide"])
    assert "naïve 漢字 → ok".encode() in written


def said(runs: Path, environ: dict[str, str], command: list[str]) -> bytes:
    """All that a command writes to a terminal."""
    line = [*dashboard(runs)[:-2], *command, "--runs", str(runs)]
    end = time.monotonic() + patience.PROCESS_SECONDS
    with PseudoTerminal(line, runs.parent, columns=100, lines=30, environ=environ) as terminal:
        written = b""
        while (data := terminal.read(1.0)) is not None:
            assert time.monotonic() < end
            written += data
    return written


def test_every_character_keeps_its_cells() -> None:
    guard = TextGuard(ascii_only=True)
    line = [Segment("a漢é—…"), Segment("╭─╮│▔"), Segment("e\u0301 ⠇")]
    texts = [one.text for one in guard.apply(line, Color(0, 0, 0))]
    assert texts == ["a???-~", "+-+|-", "e ?"]


@pytest.mark.parametrize("environ", BARE, ids=str)
def test_a_bare_locale_has_ascii_alone(environ: dict[str, str]) -> None:
    assert detect_abilities(environ, "utf-8").ascii_only


@pytest.mark.parametrize("term", ["xterm", "xterm-color", "xterm-16color", "screen", "linux"])
def test_terminals_of_sixteen_colours_are_known(term: str) -> None:
    found = detect_abilities({"TERM": term, "LC_ALL": "C.UTF-8"}, "utf-8")
    assert found == Abilities(sixteen_colors=True)


@pytest.mark.parametrize("term", ["xterm", "linux"])
@pytest.mark.parametrize("look", ["--dark", "--light"])
def test_six_colours_stay_six_on_a_terminal_of_sixteen(runs: Path, term: str, look: str) -> None:
    write_run(runs, "halted", state=State.STOPPED, points=30)
    write_run(runs, "broken", state=State.FAILED, points=30)
    seen = set()
    with Terminal(runs, look, columns=120, lines=40, environ={"TERM": term}) as terminal:
        terminal.see("broken")
        terminal.see("halted")
        for key, text in (("2", "ready"), ("3", "cursor"), ("4", "temp 0"), ("1", "progress")):
            terminal.press(key)
            terminal.see(text)
            seen |= colours(terminal)
    assert not re.search(rb"[34]8;[25];", terminal.written)
    names = {front for front, _ in seen}
    roles = (
        {"brightblue", "brown", "brightgreen", "brightred", "white", "brightwhite"}
        if look == "--dark"
        else {"blue", "magenta", "green", "red", "brightblack", "black"}
    )
    assert roles <= names
    assert not [pair for pair in seen if pair[0] == pair[1]], "text in the background's colour"


def colours(terminal: Terminal) -> set[tuple[str, str]]:
    """Front and back of all cells that hold a text."""
    cells = [terminal.screen.buffer[y][x] for y in range(40) for x in range(120)]
    return {(one.fg, one.bg) for one in cells if one.data.strip()}


@pytest.mark.parametrize("term", ["vt100", "xterm-mono"])
def test_a_terminal_without_colours_gets_none(runs: Path, term: str) -> None:
    with Terminal(runs, columns=120, lines=40, environ={"TERM": term}) as terminal:
        terminal.see("pretrain")
        terminal.press("3")
        terminal.see("cursor")
        assert {front for front, _ in colours(terminal)} == {"default"}
        assert not re.search(rb"\x1b\[(?:\d+;)*(?:3[0-8]|9[0-7])m", terminal.written)


@pytest.mark.parametrize("command", [[], ["watch", "."]], ids=str)
def test_a_terminal_without_a_screen_is_named(runs: Path, command: list[str]) -> None:
    written = said(runs, {"TERM": "dumb"}, command)
    assert b"The dashboard needs a terminal." in written
    assert b"TERM is dumb" in written
    assert b"\x1b" not in written
