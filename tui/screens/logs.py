"""Runs of `finetop watch`: every log below the paths, its newest values, and when it changed."""

import math
import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.errors import EngineError
from engine.text import one_line
from tui.phrases import NONE, state_mark
from tui.screens.page import Page, bindings_of
from tui.snapshots import RunRow, RunsSnapshot
from tui.widgets.cells import Line, Piece
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Lines, Rule
from tui.widgets.table import Column, Row, Table

if TYPE_CHECKING:
    from engine.events.fleet import RunLog
    from engine.viewing.filters import Filter
    from tui.logsapp import LogsApp

TAGS_LISTED = 6
_STEP = Column("step", 9, 9, right=True)
_CHANGED = Column("changed", 10, 10, right=True)
_EVERYTHING = RunsSnapshot()


class LogsPage(Page):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("logs")
    name_in_keymap = "logs"
    home = "#runs"

    def __init__(self) -> None:
        super().__init__()
        self._filter: Filter | None = None
        self._wrong = ""
        self._tags: list[str] = []
        self._order = 0
        """0 by name, 1 by newest change, 2 and up by a listed tag's value."""
        self._shown: list[RunRow] = []
        self._known = _EVERYTHING

    @property
    def logs(self) -> "LogsApp":
        from tui.logsapp import LogsApp

        assert isinstance(self.app, LogsApp)
        return self.app

    def frame(self) -> tuple[Header, KeyBar]:
        return Header("runs"), KeyBar()

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Table((Column("run", 18, 60),), empty="Looking for logs.", id="runs")
        yield Lines(id="about")
        yield Lines(id="summary")
        yield keys

    def open(self) -> None:
        if self._filter is None:
            self.narrow(self.logs.runs_filter)
        super().open()
        table = self.query_one(Table)
        if self.finetop.selected:
            table.choose(self.finetop.selected)

    @property
    def chosen(self) -> RunRow | None:
        return self.finetop.runs.row(self.query_one(Table).chosen)

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        if snapshot is not self._known:
            self._known = snapshot
            self._fill()

    def redraw(self) -> None:
        self._fill()
        super().redraw()

    def narrow(self, word: str) -> None:
        from tui.loglines import run_filter

        try:
            self._filter, self._wrong = run_filter(word or self.logs.runs_filter), ""
        except EngineError as error:
            self._wrong = error.detail.rpartition("^ ")[2]
        self._fill()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self._shown) if action in ("watch", "turn_order") and self.ready else True

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self.finetop.selected = self.query_one(Table).chosen
        self._tell()
        self._prefer()

    async def action_watch(self) -> None:
        if self.chosen:
            self.finetop.watch_run(self.chosen.key)
            await self.finetop.switch_mode("watch")

    def action_turn_order(self) -> None:
        self._order = (self._order + 1) % (2 + len(self._tags))
        self._fill()

    def _fill(self) -> None:
        if not self.ready:
            return
        from engine.viewing.filters import parse
        from tui.loglines import common_tags, subject_of

        rows = [one for one in self._known.rows if one.log is not None]
        test = self._filter
        self._shown = [one for one in rows if test is None or test.matches(subject_of(one))]
        logs = [one.log for one in self._shown if one.log is not None]
        self._tags = common_tags(logs, parse(self.logs.tags), TAGS_LISTED)
        self._order %= 2 + len(self._tags)
        self._sort()
        table = self.query_one(Table)
        names = [_short(tag, self._tags) for tag in self._tags]
        columns = [Column(name, 10, max(10, min(18, len(name))), right=True) for name in names]
        widest = max((len(one.view.record.name) for one in self._shown), default=18) + 2
        table.columns = (Column("run", 18, max(18, min(60, widest))), _STEP, _CHANGED, *columns)
        table.sorted_by = ["run", "changed", *names][self._order]
        table.falling = self._order == 1
        table.empty = "No run is like this." if rows else "No log here yet."
        table.show([self._row(one) for one in self._shown])
        self._tell()
        self._prefer()
        self.show_keys()

    def _sort(self) -> None:
        if self._order == 1:
            self._shown.sort(key=lambda row: -(row.log.modified if row.log else 0.0))
        elif self._order > 1:
            tag = self._tags[self._order - 2]
            self._shown.sort(key=lambda row: _rank(row.log, tag))

    def _row(self, row: RunRow) -> Row:
        from tui.loglines import last_step, state_of

        log = row.log
        assert log is not None
        state = state_of(row)
        mark, role = state_mark(row.view.state, self.glyphs) if state else (" ", "")
        cells: list[tuple[Piece, ...]] = [
            ((f"{mark} ", role), (one_line(row.view.record.name), ""))
        ]
        if not log.tags and log.problems:
            reason = f"{one_line(log.problems[0].name)}: {one_line(log.problems[0].reason)}"
            return Row(row.key, (cells[0], ((reason, "warn"),)))
        step = last_step(log)
        cells.append((((f"{step:,}" if step is not None else NONE).rjust(9), ""),))
        cells.append(((_moment(log.modified).rjust(10), "dim"),))
        for tag in self._tags:
            last = log.last(tag)
            text = NONE if last is None else f"{last.value:.5g}"
            wrong = last is not None and not math.isfinite(last.value)
            cells.append(((text.rjust(10), "bad" if wrong else ""),))
        return Row(row.key, tuple(cells))

    def _tell(self) -> None:
        row, line = self.chosen, list[Piece]()
        between = f" {self.glyphs.separator} "
        if row is not None and row.log is not None:
            log = row.log
            line = [(f" {one_line(row.view.record.name)} ", "strong"), (str(log.kind), "dim")]
            line.append((f"{between}{len(log.tags)} tags", ""))
            line += [(f"{between}{one_line(f'{one.name}: {one.reason}')}", "warn")
                     for one in log.problems[:2]]  # fmt: skip
            if not log.loaded:
                line.append((between + "still being read", "dim"))
            line.append((between + one_line(str(row.path)), "dim"))
        self.query_one("#about", Lines).show(line)
        self.query_one("#summary", Lines).show(self._summary())

    def _summary(self) -> Line:
        if self._wrong:
            return [(f" filter: {one_line(self._wrong)}", "bad")]
        rows = self._known.rows
        loading = sum(row.log is not None and not row.log.loaded for row in rows)
        parts = [f"{len(rows):,} run{'s' * (len(rows) != 1)}"]
        if len(self._shown) != len(rows):
            parts.append(f"{len(self._shown):,} shown")
        if loading:
            parts.append(f"{loading:,} still being read")
        faulty = sum(bool(row.log and row.log.problems) for row in rows)
        if faulty:
            parts.append(f"{faulty:,} with a file that cannot be read as events")
        return [(" " + f" {self.glyphs.separator} ".join(parts), "dim")]

    def _prefer(self) -> None:
        """Have what is on screen read first."""
        keys = [row.key for row in self._shown]
        chosen = self.query_one(Table).chosen
        at = keys.index(chosen) if chosen in keys else 0
        room = self.size.height
        near = self._shown[max(0, at - room) : at + room]
        self.logs.logs.prefer([row.log.name for row in near if row.log])


def _moment(seconds: float) -> str:
    """When, short: the time for today, else the day. Not how long ago: that would never rest."""
    then = time.localtime(seconds)
    return time.strftime("%H:%M" if then[:3] == time.localtime()[:3] else "%Y-%m-%d", then)


def _rank(log: "RunLog | None", tag: str) -> tuple[int, float]:
    last = log.last(tag) if log else None
    return (0, last.value) if last is not None and math.isfinite(last.value) else (1, 0.0)


def _short(tag: str, tags: list[str]) -> str:
    """The last part of a tag, where no other listed one ends the same."""
    clean = one_line(tag)
    last = clean.rpartition("/")[2]
    return last if sum(one.rpartition("/")[2] == last for one in tags) == 1 else clean
