"""Runs: every run there is, its state, and what can be done with the chosen one."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.jobs.status import State
from engine.jobs.summary import UserNotes
from engine.recipes.diff import flatten
from engine.recipes.recipe import GenerateRecipe, TrainRecipe
from engine.text import one_line
from tui.formatting import (
    NONE,
    SHORT_WORDS,
    forgot,
    name_of,
    number,
    progress,
    short,
    small,
    state_glyph,
    time_left,
)
from tui.keymap import Key
from tui.runs.list_page import RunListPage
from tui.runs.status_lines import about, summary
from tui.screens.page import bindings_of
from tui.screens.sort_order import SORT_COLUMNS, VALUES, SortOrder, value_of
from tui.screens.tree_and_groups import Entry, Heading, kept, parent_of, sorted_rows
from tui.snapshots import SPARK_CELLS, RunRow, RunsSnapshot, Spark
from tui.styled_text import Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.sparkline import sparkline
from tui.widgets.table import Column, Table, TableRow

COLUMNS = (
    Column("run", 18, 40),
    Column("on", 9, 16),
    Column("how", 8, 12),
    Column("progress", SHORT_WORDS, 15),
    Column("left", 7, 8, right=True),
    Column("loss", 13, 15),
    Column("eval", 6, 7, right=True),
    Column("ppl", 6, 7, right=True),
    Column("forgot", 8, 9, right=True),
    Column("ppl curve", 9),
)
_TAG_AT = 3
"""Where the column of a tag stands that is sorted by."""
MOST_RAILS = 6
"""Levels of a family that are drawn; deeper ones stand under each other."""


class JobListMemory(RunListPage):
    """An order that is kept, notes beside each job, deleting, a mark to compare recipes with.

    Subclasses draw the list.
    """

    def __init__(self) -> None:
        super().__init__()
        self.compare_with: str | None = None
        """Key of the marked run, whose settings others are compared with."""

    @property
    def order(self) -> SortOrder:
        return self.services.order

    @property
    def group(self) -> str:
        return self.order.group

    @property
    def settings(self) -> Sequence[Mapping[str, Any]]:
        # The others have hardly a setting in common with those that learn.
        found = (row.view.recipe for row in self.services.runs.rows)
        return [flatten(recipe) for recipe in found if isinstance(recipe, TrainRecipe)]

    @property
    def other(self) -> RunRow | None:
        """The marked run, else the one that the chosen one builds on."""
        runs, row = self.services.runs, self.chosen
        if row is None or (compared := runs.row(self.compare_with)) is not None:
            return compared if row is not None else None
        return next((one for one in runs.rows if one.view.record.id == parent_of(row)), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "remove":
            row = self.chosen if self.ready else None
            return row is not None and not row.view.state.alive and not row.shipped
        if action in ("turn_value", "pick_tag"):
            return self.ready and any(row.tags for row in self.services.runs.rows)
        return super().check_action(action, parameters)

    def regroup(self, setting: str) -> None:
        self._reorder(group=setting)

    def keep_pins(self, run_keys: list[str]) -> None:
        self._reorder(pinned=run_keys)

    def annotate(self, row: RunRow, **changes: str | list[str] | bool) -> None:
        def change(notes: UserNotes) -> UserNotes:
            return dataclasses.replace(notes, **changes)  # type: ignore[arg-type]

        self.run_in_thread(lambda: self.services.actions.note(row.path, change))

    def action_turn_order(self, by: int) -> None:
        column = SORT_COLUMNS[(SORT_COLUMNS.index(self.order.column) + by) % len(SORT_COLUMNS)]
        self._reorder(column=column, tag="")

    def action_turn_direction(self) -> None:
        self._reorder(falling=not self.order.falling)

    def action_turn_value(self) -> None:
        self._reorder(value=VALUES[(VALUES.index(self.order.value) + 1) % len(VALUES)])

    def action_pick_tag(self) -> None:
        """Sort by any tag that some run logged."""
        from tui.screens.pick_tags import pick_tags

        tags = sorted({tag for row in self.services.runs.rows for tag in row.tags})
        chart_settings, sorted_by = self.services.chart_settings, self.order.tag or None

        def take(tag: str | None, pinned: list[str]) -> None:
            chart_settings.change(pinned_tags=pinned)
            self._reorder(column="", tag=tag or "")

        def ask(note: str) -> None:
            if note:
                self.services.notify_user(note, "warning")
            names = {tag: tag for tag in tags}
            pinned = chart_settings.view.pinned_tags
            pick_tags(self.app, names, pinned, sorted_by, take)

        chart_settings.recall(ask)

    def action_remove(self) -> None:
        from tui.screens.run_dialogs import RemoveWindow

        row = self.chosen
        if row is None or row.view.state.alive:
            return
        name = name_of(row)
        children = sum(parent_of(one) == row.view.record.id for one in self.services.runs.rows)

        def remove() -> str:
            self.services.actions.remove(row.path)
            return f"{name} was deleted"

        def answer(typed: bool | None) -> None:
            if typed:
                self.run_in_thread(remove)

        self.app.push_screen(RemoveWindow(name, one_line(row.key), children), answer)

    def action_mark(self) -> None:
        if self.chosen is not None:
            self.compare_with = None if self.compare_with == self.chosen.key else self.chosen.key
            self.refill()

    def _reorder(self, **changes: Any) -> None:
        services = self.services
        services.order = order = dataclasses.replace(self.order, **changes)
        self.refill()
        self.run_in_thread(lambda: services.actions.keep_order(order))


class RunsPage(JobListMemory):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("runs")
    name_in_keymap = "runs"
    initial_focus = "#runs"

    def __init__(self) -> None:
        super().__init__()
        self._opened = False
        """Whether a row was chosen to begin with."""
        self._entries: list[Entry | Heading] = []

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Table(COLUMNS, empty=_EMPTY, id="runs")
        yield Lines(id="about")
        yield Lines(id="summary")
        yield keys

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        self._refresh_rows()

    def refill(self) -> None:
        self._refresh_rows()

    def redraw(self) -> None:
        self._refresh_rows()
        super().redraw()

    @property
    def chosen(self) -> RunRow | None:
        return self.services.runs.row(self.query_one(Table).chosen)

    def on_table_chosen(self, event: Table.Chosen) -> None:
        # Not the event's: another one may have been chosen since it was sent.
        self.services.selected = self.query_one(Table).chosen
        self._update_status()
        self.show_keys()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "new":
            return self.chosen is not None
        return super().check_action(action, parameters)

    async def action_watch(self) -> None:
        if self.chosen and isinstance(self.chosen.view.recipe, GenerateRecipe):
            self.services.show_browse(self.chosen.path)
        elif self.chosen:
            await self.services.show_watch(self.chosen.key)

    def label_of(self, key: Key) -> str:
        answers = self.chosen is not None and self.chosen.view.record.kind == "generate"
        return "browse" if answers and key.action == "watch" else super().label_of(key)

    async def action_new(self) -> None:
        recipe = self.chosen.view.recipe if self.chosen else None
        await self.services.show_launch(recipe if isinstance(recipe, TrainRecipe) else None)

    def _refresh_rows(self) -> None:
        rows = kept(self.services.runs.rows, hidden=self._hidden, archived=self._archived)
        self._entries = sorted_rows(self.filtered(rows), self.order, tree=not self.filter_text)
        table, order = self.query_one(Table), self.order
        table.columns = _columns(order)
        table.empty = "No run is like this." if self.services.runs.rows else _EMPTY
        table.sorted_by, table.falling = _title(order), order.falling
        table.show([self._row(entry) for entry in self._entries])
        if not self._opened and self._entries:
            self._opened = True
            self.services.selected = self.services.selected or _what_runs(self.services.runs.rows)
        if self.services.selected and table.chosen != self.services.selected:
            table.choose(self.services.selected)
        self._update_status()
        self.show_keys()

    def _row(self, entry: Entry | Heading) -> TableRow:
        if isinstance(entry, Heading):
            what = f"{entry.setting} {entry.value} ({entry.count})"
            return TableRow(entry.key, (((what, "title"),),))
        row, view, glyphs = entry.row, entry.row.view, self.glyphs
        glyph = state_glyph(view.state, glyphs)
        tree = ""
        if entry.depth:
            rails = "".join(f"{glyphs.trunk if one else ' '} " for one in entry.rails)
            tree = rails[-2 * MOST_RAILS :] + (glyphs.last if entry.last else glyphs.branch) + " "
        odd: Piece = (" !" if row.odd_tags else "", "bad")
        name: Piece = (f" {name_of(row)}", _name_role(row))
        cells: list[tuple[Piece, ...]] = [
            ((tree, "dim"), glyph, odd, name),
            ((one_line(view.base) or "(nothing)", ""),),
            ((one_line(view.method), ""),),
            tuple(progress(view, glyphs)),
            ((time_left(view), ""),),
            self._loss(row.loss),
            ((number(value_of(row.eval_loss, self.order.value)), ""),),
            ((number(value_of(row.perplexity, self.order.value), 2), ""),),
            (forgot(row),),
            ((sparkline(row.perplexity.values, glyphs) if row.perplexity else "", "tuned"),),
        ]
        if self.order.tag:
            value = value_of(row.curves.get(self.order.tag), self.order.value)
            cells.insert(_TAG_AT, ((small(value), ""),))
        return TableRow(
            row.key,
            tuple(cells),
            dim=view.notes.hidden or view.notes.archived,
            marked=row.key == self.compare_with,
            pinned=row.run_key in self.order.pinned,
        )

    def _loss(self, spark: Spark | None) -> tuple[Piece, ...]:
        if spark is None:
            return ((NONE, "dim"),)
        curve = sparkline(spark.values, self.glyphs)
        return (
            (f"{curve:<{SPARK_CELLS}} ", "tuned"),
            (number(value_of(spark, self.order.value)), ""),
        )

    def _update_status(self) -> None:
        """What the chosen run has to say, and how many there are."""
        with contextlib.suppress(LookupError):
            self.query_one("#about", Lines).show(about(self.chosen, self.glyphs.separator))
        rows = self.services.runs.rows
        self.query_one("#summary", Lines).show(
            summary(
                rows,
                self.glyphs.separator,
                shown=sum(isinstance(entry, Entry) for entry in self._entries),
                filter_text=self.filter_text,
                order=self.order,
                filter_error=self.filter_error,
            )
        )


def _columns(order: SortOrder) -> tuple[Column, ...]:
    """With one for the tag that is sorted by."""
    if not order.tag:
        return COLUMNS
    title = _title(order)
    tag = Column(title, 9, max(9, min(18, len(title))), right=True)
    return (*COLUMNS[:_TAG_AT], tag, *COLUMNS[_TAG_AT:])


def _title(order: SortOrder) -> str:
    """Of the column that is sorted by."""
    if not order.tag:
        return order.column
    return short(order.tag, [order.tag, *(column.title for column in COLUMNS)])


def _what_runs(rows: tuple[RunRow, ...]) -> str | None:
    """The newest run at work, else the newest that waits: what one opens the list to see."""
    live = [row for row in rows if row.view.state.alive and not row.view.notes.hidden]
    live.sort(key=lambda row: (row.view.state is State.QUEUED, -row.view.record.created))
    return live[0].key if live else None


def _name_role(row: RunRow) -> str:
    return "strong" if row.view.state.alive else ""


_EMPTY = "No run yet. Press 2, choose a model and data, and launch one."
