"""Data being made: how far, how fast, at what price; why rows are held back; the newest rows."""

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from engine.jobs.status import State
from engine.synthesis.tally import MakingProgress, measure_progress
from engine.text import one_line
from tui.feeds.write_queue import OperationFailed
from tui.formatting import activity, progress, state_glyph, state_words
from tui.screens.page import bindings_of
from tui.screens.run_actions import RunActions
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Line, Piece
from tui.synthesis.made_feed import MadeData, MadeDataRead, MadeFeed
from tui.synthesis.made_lines import (
    NAMES,
    headline,
    label_lines,
    opening_lines,
    row_text,
    share_lines,
    source_name,
    spent,
)
from tui.synthesis.write_rows import ask_and_write
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager
from tui.widgets.table import Column, Table, TableRow

WIDE = 120
"""Cells from which openings and labels stand beside the shares, and not below them."""
_NEWEST = 200
_ROLES = {"passed": "good", "held back": "warn", "set aside": "bad"}


class MadePage(RunActions):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("made")
    name_in_keymap = "made"
    is_sub_page = True
    initial_focus = "#newest"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._data = MadeData()
        self._feed = MadeFeed(path, self.post_message)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Lines(id="status")
        with Horizontal(id="made"):
            yield Pager(wrap=False, id="shares")
            yield Pager(wrap=False, id="beside")
        with Vertical(id="newest-rows"):
            yield Rule()
            yield Table(
                (
                    Column("source", 12, NAMES),
                    Column("came to", 9, 9),
                    Column("row or reason", 20, 400),
                ),
                empty="No source is finished yet.",
                id="newest",
            )
        yield keys

    def on_mount(self) -> None:
        self.run_worker(self._feed.run, thread=True)

    def on_unmount(self) -> None:
        self._feed.stop()

    def open(self) -> None:
        super().open()
        self._feed.again()
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        self._show_status()
        self.show_keys()

    def on_made_data_read(self, event: MadeDataRead) -> None:
        self._data = event.data
        self._draw()

    def on_operation_failed(self, event: OperationFailed) -> None:
        self.services.show_error(event.error)

    @property
    def chosen(self) -> RunRow | None:
        """The job in the list of runs, once it is there."""
        return self.services.runs.row(str(self._path))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("review", "write"):
            return bool(self._data.outcomes)
        return action != "filter" and super().check_action(action, parameters)

    def go_back(self) -> bool:
        if not super().go_back():
            self.dismiss()
        return True

    def action_review(self) -> None:
        from tui.synthesis.review_page import ReviewPage

        if self._data.outcomes:
            self.app.push_screen(ReviewPage(self._path, self._data))

    def action_write(self) -> None:
        ask_and_write(self, self._path, self._data.recipe)

    @property
    def _progress(self) -> MakingProgress | None:
        row, tally = self.chosen, self._data.tally
        if tally is None:
            return None
        status = row.view.status if row else None
        seconds = status.running_seconds if status else 0.0
        return measure_progress(tally, seconds, self._data.recipe.budget)

    def _draw(self) -> None:
        if not self.ready:
            return
        self._show_status()
        tally, glyphs = self._data.tally, self.glyphs
        shares = share_lines(tally, glyphs) if tally else [[(" reading...", "dim")]]
        beside = opening_lines(self._data.openings, glyphs)
        if tally and tally.labels:
            beside = [*label_lines(tally.labels, glyphs), [], *beside]
        wide = self.size.width >= WIDE
        self.query_one("#beside").display = wide
        self.query_one("#shares", Pager).show(shares if wide else [*shares, [], *beside])
        self.query_one("#beside", Pager).show(beside)
        newest = list(self._data.outcomes)[-_NEWEST:]
        self.query_one("#newest", Table).show([self._row(source) for source in reversed(newest)])
        self.show_keys()

    def _row(self, source: str) -> TableRow:
        outcome = self._data.outcomes[source]
        reasons = ", ".join(one_line(f"{one.name}: {one.detail}" if one.detail else one.name)
                            for one in outcome.reasons)  # fmt: skip
        shown: tuple[Piece, ...] = ((row_text(outcome.row, self._data.recipe), ""),)
        if reasons:
            shown = ((f"{reasons}  ", _ROLES[outcome.state]), *shown)
        state: Piece = (outcome.state, _ROLES[outcome.state])
        name = source_name(source, self.glyphs.ellipsis)
        return TableRow(source, (((name, ""),), (state,), shown))

    def _show_status(self) -> None:
        if not self.ready:
            return
        row, rate, tally = self.chosen, self._progress, self._data.tally
        running = row is not None and row.view.state.alive
        head: Line = [(" reading...", "dim")]
        if tally is not None and rate is not None:
            head = headline(tally, rate, self.glyphs.separator, running=running)
        self.query_one("#headline", Lines).show(head)
        line: list[Piece] = []
        if row is not None:
            view = row.view
            line = [(" ", ""), state_glyph(view.state, self.glyphs), (" ", "")]
            line += progress(view, self.glyphs, 20) if running else [(state_words(view), "strong")]
            if tally is not None and rate is not None:
                line += spent(tally, rate, self.glyphs.separator)
            status = view.status
            if status is not None and status.activity and running:
                line.append((f"  {activity(status)}", ""))
            elif status is not None and status.message:
                line.append(
                    (
                        f"  {one_line(status.message)}",
                        "dim" if running or view.state is State.DONE else "warn",
                    )
                )
            if status is not None and status.error is not None:
                line.append((f"  {one_line(status.error.title)}", "bad"))
        self.query_one("#status", Lines).show(line)
