"""Runs of `finetop watch`: every log below the paths, its newest values, and when it changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.text import one_line
from tui.formatting import odd_tags, said_of
from tui.runs.list_page import RunListPage
from tui.screens.page import bindings_of
from tui.screens.sort_order import CHANGED, NAME, STEP, VALUES, LogSortOrder
from tui.screens.tree_and_groups import Heading, grouped, kept, lifted, settings_of
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Line, Piece
from tui.widgets.header import Header
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines, Rule
from tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from engine.charts.view_state import ViewState
    from tui.runs.log_table import LogTable
    from tui.services import LogServices

TAGS_LISTED = 6
MOST_TAGS = 12
"""With those that are pinned."""
_OF_RUNS = ("mark_shown", "export", "turn_order", "turn_direction", "turn_value", "pick_tag")
EVERYTHING = RunsSnapshot()


class LogListMemory(RunListPage):
    """An order, marks, pins and notes that are kept in the view of the directory of logs.

    Nothing is written beside logs. Subclasses draw the list.
    """

    def __init__(self) -> None:
        super().__init__()
        self._table: LogTable | None = None
        self._shown: list[RunRow] = []
        """The runs that are listed."""
        self._known = EVERYTHING

    @property
    def services(self) -> "LogServices":
        return cast("LogServices", self.app)

    @property
    def _view(self) -> "ViewState":
        return self.services.chart_settings.view

    def _see_anew(self) -> None:
        self.services.reload_notes()
        self._known = self.services.runs
        self.refill()

    @property
    def group(self) -> str:
        return self._view.group_by

    @property
    def settings(self) -> Sequence[Mapping[str, Any]]:
        return [found for row in self._known.rows if (found := settings_of(row))]

    @property
    def other(self) -> RunRow | None:
        """The run that was marked last, beside the chosen one."""
        chosen = self.chosen
        keys = [key for key in self._view.selected if chosen is None or key != chosen.run_key]
        rows = {row.run_key: row for row in self._known.rows} if keys else {}
        return next((rows[key] for key in reversed(keys) if key in rows), None)

    def regroup(self, setting: str) -> None:
        self.services.chart_settings.change(group_by=setting)

    def keep_pins(self, run_keys: list[str]) -> None:
        self.services.chart_settings.change(pinned_runs=run_keys)

    def annotate(self, row: RunRow, **changes: str | list[str] | bool) -> None:
        from tui.feeds.log_rows import changed

        self.services.chart_settings.change(notes=changed(self._view.notes, row, changes))
        self._see_anew()

    def action_remove(self) -> None:
        self.services.notify_user("Logs are only read here, so nothing is deleted; x hides a run.")

    @property
    def _order(self) -> "LogSortOrder":
        return LogSortOrder.parse(self._view.sort_by, self._view.descending)

    def action_turn_order(self) -> None:
        """By name, by step, by change, by each tag that has a column."""
        tags = self._table.tags if self._table else []
        value = self._order.value
        turn = [
            LogSortOrder(),
            LogSortOrder(STEP, falling=True),
            LogSortOrder(CHANGED, falling=True),
            *(LogSortOrder(tag, True, value) for tag in tags),
        ]
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
            self._sort_by(LogSortOrder(tag, True, value, order.falling and order.tagged))

    def action_pick_tag(self) -> None:
        """Sort by any tag there is; pin some, so that their columns come first."""
        from tui.screens.pick_tags import pick_tags

        tags = sorted({tag for one in self._shown for tag in one.tags})
        order = self._order

        def take(tag: str | None, pinned: list[str]) -> None:
            self.services.chart_settings.change(pinned_tags=pinned)
            chosen = LogSortOrder(tag, True, order.value) if tag else order
            self._sort_by(order if chosen.column == order.column else chosen)

        now = order.column if order.tagged else None
        names = {tag: tag for tag in tags}
        pick_tags(self.app, names, self._view.pinned_tags, now, take)

    def action_mark(self) -> None:
        """Draw this run with whatever is watched, or no longer."""
        if self.chosen is not None:
            self._toggle_selected([self.chosen.run_key])
            self.query_one(Table).action_move(1)

    def action_mark_shown(self) -> None:
        """All that are listed, or none of them where all are marked."""
        self._toggle_selected([row.run_key for row in self._shown])

    def _toggle_selected(self, run_keys: list[str]) -> None:
        selected = self._view.selected
        known, asked = set(selected), set(run_keys)
        if asked <= known:
            selected = [one for one in selected if one not in asked]
        else:
            selected = [*selected, *(one for one in run_keys if one not in known)]
        self.services.chart_settings.change(selected=selected)
        self.refill()

    def action_export(self) -> None:
        """Every point of the runs that are marked, or of all that are listed."""
        from tui.charts.run_curves import RunCurves
        from tui.screens.export_points import export_points

        run_keys = {*self._view.selected, *self._view.pinned_runs}
        marked = [row.log for row in self._known.rows if row.log and row.run_key in run_keys]
        logs = marked or [row.log for row in self._shown if row.log]
        kind = "marked" if marked else "listed"
        loading = sum(not log.loaded for log in logs)
        note = f"; {loading:,} of the runs were still being read" if loading else ""
        runs = [RunCurves(log.name, log.series) for log in logs]
        whose = f"the {len(logs):,} {kind} run{'s' * (len(logs) != 1)}"
        export_points(self, runs, whose, note=note)

    def _sort_by(self, order: "LogSortOrder") -> None:
        self.services.chart_settings.change(sort_by=str(order), descending=order.falling)
        self.refill()


class LogsPage(LogListMemory):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("logs")
    name_in_keymap = "logs"
    initial_focus = "#runs"

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[RunRow | Heading] = []
        """What is listed, headings between."""
        self._counted: tuple[RunsSnapshot, list[str]] = (EVERYTHING, [])
        self._has_settings = False
        """Whether any log notes some; both are of all that is known."""

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
        if self._run_filter is None:
            self.apply_filter("")
        super().open()
        self._refresh_rows()
        self.services.chart_settings.recall(self._recalled)
        table = self.query_one(Table)
        if self.services.selected:
            table.choose(self.services.selected)

    @property
    def chosen(self) -> RunRow | None:
        at = self.query_one(Table).place
        line = self._lines[at] if at < len(self._lines) else None
        return line if isinstance(line, RunRow) else None

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        if snapshot is not self._known:
            self._known = snapshot
            self._refresh_rows()

    def refill(self) -> None:
        self._refresh_rows()

    def redraw(self) -> None:
        self._refresh_rows()
        super().redraw()

    def apply_filter(self, text: str) -> None:
        """Only what `text` lets through; as the command line asked where that is empty."""
        super().apply_filter(text or self.services.runs_filter)
        if not text:
            self._keep_filter()

    def on_descendant_blur(self) -> None:
        self._keep_filter()

    def _keep_filter(self) -> None:
        if self.filter_text != self._view.run_filter and not self.filter_error:
            self.services.chart_settings.change(run_filter=self.filter_text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _OF_RUNS:
            return bool(self._shown) or not self.ready
        if action == "group":
            return self._has_settings or not self.ready
        return super().check_action(action, parameters)

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self.services.selected = self.query_one(Table).chosen
        self._update_status()
        self._prefer()

    async def action_watch(self) -> None:
        if self.chosen:
            await self.services.show_watch(self.chosen.key)

    def _recalled(self, note: str) -> None:
        if note:
            self.services.notify_user(note, "warning")
        if self._view.run_filter and not (self.filter_text or self.services.runs_filter):
            self.filter_text = self._view.run_filter
            self.apply_filter(self.filter_text)
        self._see_anew()

    def _refresh_rows(self) -> None:
        if not self.ready:
            return
        from engine.charts.filters import parse
        from tui.feeds.log_summary import common_tags
        from tui.runs.log_table import LogTable

        view = self._view
        made = self._table = self._table or LogTable(self.glyphs)
        made.glyphs, made.order = self.glyphs, LogSortOrder.parse(view.sort_by, view.descending)
        rows = kept(self._known.rows, hidden=self._hidden, archived=self._archived)
        shown = self.filtered([one for one in rows if one.log is not None])
        logs = [one.log for one in shown if one.log is not None]
        common = common_tags(logs, parse(self.services.tags), TAGS_LISTED)
        tags = [*dict.fromkeys([*view.pinned_tags, *common])][:MOST_TAGS]
        asked = made.order.column
        made.tags = [asked, *tags] if made.order.tagged and asked not in tags else tags
        lines = grouped(lifted(made.sort(shown), view.pinned_runs), view.group_by)
        self._lines, self._shown = lines, [one for one in lines if isinstance(one, RunRow)]
        if self._counted[0] is not self._known:
            self._counted = self._known, _counts(self._known.rows)
            self._has_settings = any(row.log and row.log.settings for row in self._known.rows)
        table = self.query_one(Table)
        widest = max((_cells(one) for one in shown), default=18) + 2
        table.columns = tuple(made.columns(widest))
        table.sorted_by, table.falling = made.sorted_by, made.order.falling
        table.empty = "No run is like this." if self._known.rows else "No log here yet."
        marked, pinned = set(view.selected), set(view.pinned_runs)
        table.show_later([one.key for one in lines], made.rows(lines, marked - pinned, pinned))
        self._update_status()
        self._prefer()
        self.show_keys()

    def _update_status(self) -> None:
        self.query_one("#about", Lines).show(self._about())
        self.query_one("#summary", Lines).show(self._summary())

    def _about(self) -> Line:
        row, line = self.chosen, list[Piece]()
        between = f" {self.glyphs.separator} "
        if row is None or row.log is None:
            return line
        log = row.log
        line = [(f" {one_line(row.view.record.name)} ", "strong"), (str(log.kind), "dim")]
        line.append((f"{between}{len(log.tags)} tags", ""))
        if row.odd_tags:
            line.append((between + odd_tags(row), "bad"))
        line += [(f"{between}{one_line(f'{one.name}: {one.reason}')}", "warn")
                 for one in log.problems[:2]]  # fmt: skip
        if not log.loaded:
            line.append((between + "still being read", "dim"))
        return [*line, *said_of(row, between), (between + one_line(str(row.path)), "dim")]

    def _summary(self) -> Line:
        if self.filter_error:
            return [(f" filter: {one_line(self.filter_error)}", "bad")]
        rows, view = self._known.rows, self._view
        parts = [f"{len(rows):,} run{'s' * (len(rows) != 1)}"]
        if len(self._shown) != len(rows):
            parts.append(f"{len(self._shown):,} shown")
        if self.filter_text and not self.query("#filter"):  # as it was left last time
            parts.append(f"only runs like {one_line(self.filter_text)}, esc shows all")
        listed = {row.run_key for row in rows} if view.selected or view.pinned_runs else set()
        if marked := len(listed & {*view.selected, *view.pinned_runs}):
            parts.append(f"{marked:,} marked, drawn together")
        order = self._order
        if order.tagged:
            way = "falling" if order.falling else "rising"
            parts.append(f"by {order.value} {one_line(order.column)}, {way}")
        return [(" " + f" {self.glyphs.separator} ".join([*parts, *self._counted[1]]), "dim")]

    def _prefer(self) -> None:
        """Have what is on screen read first."""
        at, room = self.query_one(Table).place, self.size.height
        near = self._shown[max(0, at - room) : at + room]
        self.services.logs.prefer([row.log.name for row in near if row.log])


def _cells(row: RunRow) -> int:
    """Of its name, with the mark before it."""
    return len(row.view.record.name) + 2 * bool(row.odd_tags)


def _counts(rows: Sequence[RunRow]) -> list[str]:
    """How many runs there is something to say of, whatever is listed."""
    logs = [row.log for row in rows if row.log is not None]
    told = {
        "still being read": sum(not log.loaded for log in logs),
        "hidden": sum(row.view.notes.hidden for row in rows),
        "archived": sum(row.view.notes.archived for row in rows),
        "with values that are no numbers": sum(bool(row.odd_tags) for row in rows),
        "with a file that cannot be read as events": sum(bool(log.problems) for log in logs),
    }
    return [f"{count:,} {what}" for what, count in told.items() if count]
