"""Runs of `finetop watch`: every log below the paths, its newest values, and when it changed."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.text import one_line
from tui.lists.listing import Heading, grouped, kept, lifted
from tui.lists.logorder import Order
from tui.phrases import odd_tags, said_of
from tui.screens.page import bindings_of
from tui.screens.remembering import EVERYTHING, Remembering
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Line, Piece
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Lines, Rule
from tui.widgets.table import Column, Table

TAGS_LISTED = 6
MOST_TAGS = 12
"""With those that are pinned."""
_OF_RUNS = ("mark_shown", "export", "turn_order", "turn_direction", "turn_value", "pick_tag")


class LogsPage(Remembering):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("logs")
    name_in_keymap = "logs"
    home = "#runs"

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
        if self._sieve is None:
            self.narrow("")
        super().open()
        self._fill()
        self.services.looks.recall(self._recalled)
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
            self._fill()

    def refill(self) -> None:
        self._fill()

    def redraw(self) -> None:
        self._fill()
        super().redraw()

    def narrow(self, word: str) -> None:
        """Only what `word` lets through; as the command line asked where that is empty."""
        super().narrow(word or self.services.runs_filter)
        if not word:
            self._keep_filter()

    def on_descendant_blur(self) -> None:
        self._keep_filter()

    def _keep_filter(self) -> None:
        if self.word != self._view.run_filter and not self.wrong:
            self.services.looks.change(run_filter=self.word)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _OF_RUNS:
            return bool(self._shown) or not self.ready
        if action == "group":
            return self._has_settings or not self.ready
        return super().check_action(action, parameters)

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self.services.selected = self.query_one(Table).chosen
        self._tell()
        self._prefer()

    async def action_watch(self) -> None:
        if self.chosen:
            await self.services.show_watch(self.chosen.key)

    def _recalled(self, note: str) -> None:
        if note:
            self.services.say(note, "warning")
        if self._view.run_filter and not (self.word or self.services.runs_filter):
            self.word = self._view.run_filter
            self.narrow(self.word)
        self._see_anew()

    def _fill(self) -> None:
        if not self.ready:
            return
        from engine.viewing.filters import parse
        from tui.lists.loglines import common_tags
        from tui.lists.logtable import LogTable

        view = self._view
        made = self._table = self._table or LogTable(self.glyphs)
        made.glyphs, made.order = self.glyphs, Order.parse(view.sort_by, view.descending)
        rows = kept(self._known.rows, hidden=self._hidden, archived=self._archived)
        shown = self.sifted([one for one in rows if one.log is not None])
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
        self._tell()
        self._prefer()
        self.show_keys()

    def _tell(self) -> None:
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
        if self.wrong:
            return [(f" filter: {one_line(self.wrong)}", "bad")]
        rows, view = self._known.rows, self._view
        parts = [f"{len(rows):,} run{'s' * (len(rows) != 1)}"]
        if len(self._shown) != len(rows):
            parts.append(f"{len(self._shown):,} shown")
        if self.word and not self.query("#filter"):  # as it was left last time
            parts.append(f"only runs like {one_line(self.word)}, esc shows all")
        marks = {row.mark for row in rows} if view.selected or view.pinned_runs else set()
        if marked := len(marks & {*view.selected, *view.pinned_runs}):
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
