"""What the list of watched logs adds to a list of runs: an order, marks, pins and notes that are
kept in the view of the directory, for nothing is written beside logs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from tui.lists.listing import settings_of
from tui.lists.logorder import CHANGED, NAME, STEP, Order
from tui.lists.ordering import VALUES
from tui.screens.curating import Curating
from tui.snapshots import RunRow, RunsSnapshot
from tui.widgets.table import Table

if TYPE_CHECKING:
    from engine.viewing.state import ViewState
    from tui.lists.logtable import LogTable
    from tui.services import LogServices

EVERYTHING = RunsSnapshot()


class Remembering(Curating):
    """Subclasses draw the list."""

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
        return self.services.looks.view

    def _see_anew(self) -> None:
        self.services.see_anew()
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
        marks = [mark for mark in self._view.selected if chosen is None or mark != chosen.mark]
        rows = {row.mark: row for row in self._known.rows} if marks else {}
        return next((rows[mark] for mark in reversed(marks) if mark in rows), None)

    def regroup(self, setting: str) -> None:
        self.services.looks.change(group_by=setting)

    def keep_pins(self, marks: list[str]) -> None:
        self.services.looks.change(pinned_runs=marks)

    def annotate(self, row: RunRow, **changes: str | list[str] | bool) -> None:
        from tui.lists.noting import changed

        self.services.looks.change(notes=changed(self._view.notes, row, changes))
        self._see_anew()

    def action_remove(self) -> None:
        self.services.say("Logs are only read here, so nothing is deleted; x hides a run.")

    @property
    def _order(self) -> "Order":
        return Order.parse(self._view.sort_by, self._view.descending)

    def action_turn_order(self) -> None:
        """By name, by step, by change, by each tag that has a column."""
        tags = self._table.tags if self._table else []
        value = self._order.value
        turn = [Order(), Order(STEP, falling=True), Order(CHANGED, falling=True),
                *(Order(tag, True, value) for tag in tags)]  # fmt: skip
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

        tags = sorted({tag for one in self._shown for tag in one.tags})
        order = self._order

        def take(choice: "tuple[str | None, list[str]] | None") -> None:
            if choice is None:
                return
            tag, pinned = choice
            self.services.looks.change(pinned_tags=pinned)
            chosen = Order(tag, True, order.value) if tag else order
            self._sort_by(order if chosen.column == order.column else chosen)

        now = order.column if order.tagged else None
        self.app.push_screen(
            PickTags({tag: tag for tag in tags}, self._view.pinned_tags, now), take
        )

    def action_mark(self) -> None:
        """Draw this run with whatever is watched, or no longer."""
        if self.chosen is not None:
            self._mark([self.chosen.mark])
            self.query_one(Table).action_move(1)

    def action_mark_shown(self) -> None:
        """All that are listed, or none of them where all are marked."""
        self._mark([row.mark for row in self._shown])

    def _mark(self, marks: list[str]) -> None:
        selected = self._view.selected
        known, asked = set(selected), set(marks)
        if asked <= known:
            selected = [one for one in selected if one not in asked]
        else:
            selected = [*selected, *(one for one in marks if one not in known)]
        self.services.looks.change(selected=selected)
        self.refill()

    def action_export(self) -> None:
        """Every point of the runs that are marked, or of all that are listed."""
        from tui.charts.run_curves import Drawn
        from tui.screens.points import give_points

        marks = {*self._view.selected, *self._view.pinned_runs}
        marked = [row.log for row in self._known.rows if row.log and row.mark in marks]
        logs = marked or [row.log for row in self._shown if row.log]
        kind = "marked" if marked else "listed"
        loading = sum(not log.loaded for log in logs)
        note = f"; {loading:,} of the runs were still being read" if loading else ""
        drawn = [Drawn(log.name, log.series) for log in logs]
        whose = f"the {len(logs):,} {kind} run{'s' * (len(logs) != 1)}"
        give_points(self, drawn, whose, note=note)

    def _sort_by(self, order: "Order") -> None:
        self.services.looks.change(sort_by=str(order), descending=order.falling)
        self.refill()
