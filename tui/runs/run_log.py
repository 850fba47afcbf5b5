"""Log: what the workers of a run said, from its first start on; followed, and searched."""

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from engine.jobs.directory import JobDirectory
from engine.jobs.logs import Journal
from engine.text import one_line
from tui.formatting import name_of, size, state_words
from tui.screens.page import SubPage, bindings_of
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Line, Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager, broken

POLL_SECONDS = 0.5


class LogGrew(Message):
    """There is more of the log; carries all that is kept, as its reader changes its own."""

    def __init__(self, lines: tuple[str, ...], dropped: int, passed: int) -> None:
        super().__init__()
        self.lines = lines
        self.dropped = dropped
        self.passed = passed

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, LogGrew)


class LogPage(SubPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("log")
    name_in_keymap = "log"
    filter_name = "search"
    initial_focus = "#journal"

    def __init__(self, row: RunRow) -> None:
        super().__init__()
        self._row = row
        self._lines: tuple[str, ...] = ()
        self._missing = ""
        """What is not shown of it, in words."""
        self._read = False
        self._hits: list[int] = []
        """Lines that hold the word."""
        self._at: int | None = None
        """Which of them is looked at."""
        self._rows: list[int] = []
        """Where each line begins on the screen."""
        self._stopped = threading.Event()

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(wrap=False, follow=True, id="journal")
        yield keys

    def on_mount(self) -> None:
        self.run_worker(self._follow, thread=True)

    def on_unmount(self) -> None:
        self._stopped.set()

    def open(self) -> None:
        super().open()
        self._draw()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        self._row = snapshot.row(self._row.key) or self._row
        self._update_status()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def on_log_grew(self, event: LogGrew) -> None:
        self._lines, self._read = event.lines, True
        missing = [f"{event.dropped:,} lines"] if event.dropped else []
        missing += [size(event.passed)] if event.passed else []
        self._missing = " and ".join(missing)
        self._search()
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "turn_hit":
            return bool(self._hits)
        return super().check_action(action, parameters)

    def apply_filter(self, text: str) -> None:
        self._search()
        self._at = len(self._hits) - 1 if self._hits else None
        self._draw()
        self._scroll_to_hit()

    def action_turn_hit(self, by: int) -> None:
        if self._hits:
            self._at = ((self._at if self._at is not None else 0) + by) % len(self._hits)
            self._draw()
            self._scroll_to_hit()

    def _search(self) -> None:
        word = self.filter_text.casefold()
        hit = self._hits[self._at] if self._at is not None and self._hits else None
        self._hits = [at for at, line in enumerate(self._lines) if word and word in line.casefold()]
        if hit is not None and self._hits:
            self._at = self._hits.index(hit) if hit in self._hits else len(self._hits) - 1

    def _scroll_to_hit(self) -> None:
        if self._at is not None and self._hits:
            self.query_one(Pager).go_to(self._rows[self._hits[self._at]])

    def _draw(self) -> None:
        if not self.ready:
            return
        self._update_status()
        self.show_keys()
        pager = self.query_one(Pager)
        width = max(4, self.size.width - 3)
        current = self._hits[self._at] if self._at is not None and self._hits else None
        text = self.filter_text
        pattern = re.compile(re.escape(text), re.IGNORECASE) if text else None
        rows: list[Line] = []
        self._rows = []
        for at, line in enumerate(self._lines):
            self._rows.append(len(rows))
            for part in broken(line, width):
                cursor: Piece = (">" if at == current else " ", "strong")
                rows.append([cursor, *_underlined(part, pattern)])
        if self._read and not self._lines:
            rows = [[(" The log is empty.", "dim")]]
        pager.show(rows)

    def _update_status(self) -> None:
        between = f" {self.glyphs.separator} "
        line: list[Piece] = [
            (f" {name_of(self._row)}{between}", "strong"),
            (state_words(self._row.view), ""),
        ]
        count = len(self._lines)
        line.append((f"{between}{count:,} line{'s' * (count != 1)}", "dim"))
        if self._missing:
            line.append((f" after {self._missing}", "dim"))
        if self.filter_text:
            place = f"match {(self._at or 0) + 1} of {len(self._hits):,}"
            place = place if self._hits else "no matches"
            line.append((f"{between}“{one_line(self.filter_text)}”: {place}", "warn"))
        self.query_one("#headline", Lines).show(line)

    def _follow(self) -> None:
        """On a thread, until the page is left."""
        journal = Journal(JobDirectory(Path(self._row.key)))
        first = True
        while not self._stopped.is_set():
            if journal.poll() or first:
                first = False
                self.post_message(LogGrew(tuple(journal.lines), journal.dropped, journal.passed))
            self._stopped.wait(POLL_SECONDS)


def _underlined(text: str, pattern: re.Pattern[str] | None) -> Sequence[Piece]:
    if pattern is None:
        return [(text, "")]
    pieces: list[Piece] = []
    end = 0
    for match in pattern.finditer(text):
        pieces += [(text[end : match.start()], ""), (match.group(), "learned")]
        end = match.end()
    return [*pieces, (text[end:], "")]
