"""Runs of `finetop watch`: every log below the paths, its newest values, and when it changed."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.errors import EngineError
from engine.text import one_line
from tui.lists.logorder import CHANGED, NAME, Order
from tui.lists.ordering import VALUES
from tui.screens.page import Page, bindings_of
from tui.snapshots import RunRow, RunsSnapshot
from tui.widgets.cells import Line, Piece
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Lines, Rule
from tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from engine.viewing.filters import Filter
    from tui.lists.logtable import LogTable
    from tui.logsapp import LogsApp

TAGS_LISTED = 6
MOST_TAGS = 12
"""With those that are pinned."""
_EVERYTHING = RunsSnapshot()
_OF_RUNS = ("watch", "mark", "mark_shown", "turn_order", "turn_direction", "turn_value", "pick_tag")


class LogsPage(Page):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("logs")
    name_in_keymap = "logs"
    home = "#runs"

    def __init__(self) -> None:
        super().__init__()
        self._filter: Filter | None = None
        self._wrong = ""
        self._table: LogTable | None = None
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
        self._fill()
        self.finetop.looks.recall(self._recalled)
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
        from tui.lists.loglines import run_filter

        try:
            self._filter, self._wrong = run_filter(word or self.logs.runs_filter), ""
        except EngineError as error:
            self._wrong = error.detail.rpartition("^ ")[2]
        self._fill()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self._shown) or action not in _OF_RUNS or not self.ready

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self.finetop.selected = self.query_one(Table).chosen
        self._tell()
        self._prefer()

    async def action_watch(self) -> None:
        if self.chosen:
            self.finetop.watch_run(self.chosen.key)
            await self.finetop.switch_mode("watch")

    def _recalled(self, note: str) -> None:
        if note:
            self.finetop.say(note, "warning")
        self._fill()

    @property
    def _order(self) -> "Order":
        view = self.finetop.looks.view
        return Order.parse(view.sort_by, view.descending)

    def action_turn_order(self) -> None:
        """By name, by change, by each tag that has a column."""
        tags = self._table.tags if self._table else []
        value = self._order.value
        turn = [Order(), Order(CHANGED, falling=True), *(Order(tag, True, value) for tag in tags)]
        names = [(one.column, one.tagged) for one in turn]
        here = (self._order.column, self._order.tagged)
        at = names.index(here) if here in names else names.index((NAME, False))
        self._sort_by(turn[(at + 1) % len(turn)])

    def action_turn_direction(self) -> None:
        self._sort_by(replace(self._order, falling=not self._order.falling))

    def action_turn_value(self) -> None:
        """Last, best, smoothed: of the tag that it is sorted by, else of the first one."""
        order, tags = self._order, self._table.tags if self._table else []
        if tags:
            value = VALUES[(VALUES.index(order.value) + 1) % len(VALUES)]
            tag = order.column if order.tagged else tags[0]
            self._sort_by(Order(tag, True, value, order.falling and order.tagged))

    def action_pick_tag(self) -> None:
        """Sort by any tag there is; pin some, so that their columns come first."""
        from tui.screens.picktags import PickTags

        tags = sorted({tag for one in self._shown if one.log for tag in one.log.tags})
        order = self._order

        def take(choice: "tuple[str | None, list[str]] | None") -> None:
            if choice is None:
                return
            tag, pinned = choice
            self.finetop.looks.change(pinned_tags=pinned)
            chosen = Order(tag, True, order.value) if tag else order
            self._sort_by(order if chosen.column == order.column else chosen)

        now = order.column if order.tagged else None
        self.app.push_screen(PickTags({tag: tag for tag in tags}, self._pinned, now), take)

    @property
    def _pinned(self) -> list[str]:
        return self.finetop.looks.view.pinned_tags

    def action_mark(self) -> None:
        """Draw this run with whatever is watched, or no longer."""
        if self.chosen is not None:
            self._mark([self.chosen.mark])
            self.query_one(Table).action_move(1)

    def action_mark_shown(self) -> None:
        """All that are listed, or none of them where all are marked."""
        self._mark([row.mark for row in self._shown])

    def _mark(self, marks: list[str]) -> None:
        selected = self.finetop.looks.view.selected
        known, asked = set(selected), set(marks)
        if asked <= known:
            selected = [one for one in selected if one not in asked]
        else:
            selected = [*selected, *(one for one in marks if one not in known)]
        self.finetop.looks.change(selected=selected)
        self._fill()

    def _sort_by(self, order: "Order") -> None:
        self.finetop.looks.change(sort_by=str(order), descending=order.falling)
        self._fill()

    def _fill(self) -> None:
        if not self.ready:
            return
        from engine.viewing.filters import parse
        from tui.lists.loglines import common_tags, subject_of
        from tui.lists.logtable import LogTable

        view = self.finetop.looks.view
        made = self._table = self._table or LogTable(self.glyphs)
        made.glyphs, made.order = self.glyphs, Order.parse(view.sort_by, view.descending)
        rows = [one for one in self._known.rows if one.log is not None]
        test = self._filter
        shown = [one for one in rows if test is None or test.matches(subject_of(one))]
        logs = [one.log for one in shown if one.log is not None]
        common = common_tags(logs, parse(self.logs.tags), TAGS_LISTED)
        tags = [*dict.fromkeys([*view.pinned_tags, *common])][:MOST_TAGS]
        asked = made.order.column
        made.tags = [asked, *tags] if made.order.tagged and asked not in tags else tags
        self._shown = made.sort(shown)
        table = self.query_one(Table)
        widest = max((len(one.view.record.name) for one in shown), default=18) + 2
        table.columns = tuple(made.columns(widest))
        table.sorted_by, table.falling = made.sorted_by, made.order.falling
        table.empty = "No run is like this." if rows else "No log here yet."
        keys = [one.key for one in self._shown]
        table.show_later(keys, made.rows(self._shown, frozenset(view.selected)))
        self._tell()
        self._prefer()
        self.show_keys()

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
        marked = len(set(self.finetop.looks.view.selected) & {row.mark for row in rows})
        if marked:
            parts.append(f"{marked:,} marked, drawn together")
        if loading:
            parts.append(f"{loading:,} still being read")
        order = self._order
        if order.tagged:
            way = "falling" if order.falling else "rising"
            parts.append(f"by {order.value} {one_line(order.column)}, {way}")
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
