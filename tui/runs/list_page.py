"""A list of runs, of jobs or of watched logs: filter, groups, marks, pins, notes, any order.

Where all that is kept is the affair of a `ListMemory`, how a run looks that of a `ListTable`.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.jobs.directory import RUN
from engine.jobs.status import State
from engine.recipes.recipe import JudgeRecipe, SynthesizeRecipe, TrainRecipe
from engine.text import one_line
from tui.formatting import FILTER_HINT, name_of
from tui.keymap import KEYS, Key, keys_of
from tui.runs.list_protocols import ListedRuns, ListMemory, ListTable
from tui.runs.opened_page import LABELS, find_page
from tui.screens.page import bindings_of
from tui.screens.run_actions import RunActions
from tui.screens.sort_order import SortOrder
from tui.screens.tree_and_groups import Heading, kept, parent_of, settings_of
from tui.snapshots import RunRow, RunsSnapshot
from tui.widgets.header import Header
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines, Rule
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.screens.run_filter import RunFilter

LISTS = ("runs", "logs")
"""The names of these pages in the keymap. A key that both have does the same on both."""
_ACTIONS = {key.action_name for key in KEYS if key.screen in LISTS}
_ON_CHOSEN = ("new", "note", "archive", "hide", "pin", "mark", "prune")
"""What needs a chosen run, whatever it is."""


class RunListPage(RunActions):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(*LISTS)
    filter_hint = FILTER_HINT
    initial_focus = "#runs"

    def __init__(
        self, name_in_keymap: str, memory: ListMemory, table: ListTable, run_filter: str = ""
    ) -> None:
        """`run_filter` is of the command line: it holds as long as no other one is typed."""
        super().__init__()
        self.name_in_keymap = name_in_keymap
        self.memory = memory
        self.table = table
        self._actions = {key.action_name for key in keys_of(name_in_keymap)}
        self._default_filter = run_filter
        self._run_filter: RunFilter | None = None
        """None as long as nothing was filtered."""
        self._shows_hidden = False
        self._shows_archived = False
        self._snapshot = RunsSnapshot()
        self._lines: list[RunRow | Heading] = []
        """What is listed, headings between."""
        self._listed = ListedRuns()
        self._opened = False
        """Whether a run was chosen to begin with."""
        self._to_choose: str | None = None
        """Key of the run to be chosen once it is listed."""

    def frame(self) -> tuple[Header, KeyBar]:
        return Header("runs"), KeyBar()

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Table(self.table.columns, empty=self.table.empty, id="runs")
        yield Lines(id="about")
        yield Lines(id="summary")
        yield keys

    def open(self) -> None:
        if self._default_filter and self._run_filter is None:
            self.apply_filter("")
        self._to_choose = self.services.selected
        self._snapshot = self.services.runs
        self._refresh_rows()
        super().open()
        self.memory.load(self._memory_loaded)

    def _memory_loaded(self, note: str) -> None:
        if note:
            self.services.notify_user(note, "warning")
        run_filter = self.memory.run_filter
        if run_filter and not (self.filter_text or self._default_filter):
            self.filter_text = run_filter
            self.apply_filter(run_filter)
        self._show_newest()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._refresh_rows()

    def redraw(self) -> None:
        self._refresh_rows()
        super().redraw()

    @property
    def chosen(self) -> RunRow | None:
        place = self.query_one(Table).place
        line = self._lines[place] if place < len(self._lines) else None
        return line if isinstance(line, RunRow) else None

    def on_table_row_highlighted(self) -> None:
        # Not the event's: another one may have been chosen since it was sent.
        self.services.selected = self.query_one(Table).chosen
        self._to_choose = None
        self._update_status()
        self._prefer_in_sight()
        self.show_keys()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _ACTIONS and action not in self._actions:
            return False
        if action in _ON_CHOSEN:
            return self.ready and self.chosen is not None
        if action == "difference":
            return self.ready and self._compared_runs is not None
        if action == "remove" and self.memory.read_only:
            return True  # it says why
        if action in _ACTIONS and not self.table.is_possible(action, self._listed):
            return False
        return super().check_action(action, parameters)

    def label_of(self, key: Key) -> str:
        if key.action == "watch" and self.chosen is not None:
            page, _ = find_page(self.chosen, self._snapshot.rows)
            return LABELS.get(page) or super().label_of(key)
        return super().label_of(key)

    def apply_filter(self, text: str) -> None:
        if self._run_filter is None:
            from tui.screens.run_filter import RunFilter

            self._run_filter = RunFilter()
        self._run_filter.set_text(text or self._default_filter)
        self._refresh_rows()
        if not text:
            self._keep_filter()

    def on_descendant_blur(self) -> None:
        self._keep_filter()

    def _keep_filter(self) -> None:
        if not self._filter_error:
            self.memory.keep_filter(self.filter_text)

    async def action_watch(self) -> None:
        if self.chosen is None:
            return
        page, row = find_page(self.chosen, self._snapshot.rows)
        if page in ("overview", "proof"):
            self.services.show_overview(row)
        elif page == "browse":
            self.services.show_browse(row.path)
        elif page == "impact":
            await self.services.show_impact(row.key)
        elif page == "made":
            self.services.show_made(row.path)
        elif page == "judges":
            self._show_judged(row)
        else:
            await self.services.show_watch(row.key)

    def _show_judged(self, row: RunRow) -> None:
        """The answers that a judge judged, with what it made of them."""
        recipe = row.view.recipe
        assert isinstance(recipe, JudgeRecipe)
        judged = row.path.parent / recipe.job.removeprefix(RUN)
        if self.services.runs.row(str(judged)) is None or len(recipe.arms) != 2:
            self.services.notify_user(
                f"The judged job {one_line(judged.name)} does not exist: "
                f"finetop judge show {one_line(row.path.name)} prints the verdicts."
            )
            return
        self.services.show_browse(judged, "judges", (recipe.arms[0], recipe.arms[1]))

    async def action_new(self) -> None:
        recipe = self.chosen.view.recipe if self.chosen else None
        if isinstance(recipe, SynthesizeRecipe):
            self.services.show_make(recipe)
            return
        await self.services.show_launch(recipe if isinstance(recipe, TrainRecipe) else None)

    def action_remove(self) -> None:
        row = self.chosen
        if self.memory.read_only:
            self.services.notify_user(
                "Logs are read-only here and cannot be deleted; x hides a run."
            )
        elif row is not None and not row.view.state.alive:
            self.commands.remove(row)

    def action_prune(self) -> None:
        if self.chosen is not None:
            self.commands.prune(self.chosen)

    def action_turn_order(self) -> None:
        self._change_order(self.table.next_order(self.memory.order))

    def action_turn_direction(self) -> None:
        order = self.memory.order
        self._change_order(dataclasses.replace(order, descending=not order.descending))

    def action_turn_value(self) -> None:
        self._change_order(self.table.next_value(self.memory.order))

    def action_pick_tag(self) -> None:
        """Sort by any tag that some run logged; pin some, so that they come first."""
        from tui.screens.pick_tags import pick_tags

        names = {
            tag: tag for tag in sorted({tag for row in self._listed.shown for tag in row.tags})
        }
        order = self.memory.order

        def take(tag: str | None, pinned: list[str]) -> None:
            self.services.chart_settings.change(pinned_tags=pinned)
            changes = tag is not None and tag != order.tag
            self._change_order(self.table.by_tag(order, tag) if tag and changes else order)

        def ask(note: str) -> None:
            if note:
                self.services.notify_user(note, "warning")
            pick_tags(
                self.app, names, self.memory.pinned_tags, order.tag or None, take,
                space=self.table.pinning_tags, enter="sort by tag",
            )  # fmt: skip

        self.services.chart_settings.recall(ask)

    def action_group(self) -> None:
        from engine.recipes.diff import varying
        from engine.recipes.versions import current_key
        from tui.screens.run_dialogs import pick_group

        # Recipes that train nothing have hardly a setting in common with those that do.
        rows = [row for row in self._snapshot.rows
                if row.view.recipe is None or isinstance(row.view.recipe, TrainRecipe)]  # fmt: skip
        settings = [settings for row in rows if (settings := settings_of(row))]

        def take(field: str) -> None:
            self._change_order(dataclasses.replace(self.memory.order, group=field))

        pick_group(self.app, varying(settings), current_key(self.memory.order.group), take)

    def action_pin(self) -> None:
        if self.chosen is not None:
            key, order = self.chosen.run_key, self.memory.order
            others = [pin for pin in order.pinned if pin != key]
            pinned = others if key in order.pinned else [*others, key]
            self._change_order(dataclasses.replace(order, pinned=pinned))

    def action_mark(self) -> None:
        if self.chosen is not None:
            self.memory.toggle_marks([self.chosen.run_key])
            self._refresh_rows()
            if self.memory.several_marks:
                self.query_one(Table).action_move(1)

    def action_mark_shown(self) -> None:
        """All that are listed, or none of them where all are marked."""
        self.memory.toggle_marks([row.run_key for row in self._listed.shown])
        self._refresh_rows()

    def action_note(self) -> None:
        from tui.screens.run_dialogs import Noted, NoteWindow

        row = self.chosen
        if row is None:
            return

        def answer(typed: Noted | None) -> None:
            if typed is not None:
                self._annotate(row, note=typed[0], tags=typed[1])

        self.app.push_screen(NoteWindow(name_of(row), row.view.notes), answer)

    def action_hide(self) -> None:
        if self.chosen is not None:
            self._annotate(self.chosen, hidden=not self.chosen.view.notes.hidden)

    def action_archive(self) -> None:
        if self.chosen is not None:
            self._annotate(self.chosen, archived=not self.chosen.view.notes.archived)

    def action_show_hidden(self) -> None:
        self._shows_hidden = not self._shows_hidden
        self._refresh_rows()

    def action_show_archived(self) -> None:
        self._shows_archived = not self._shows_archived
        self._refresh_rows()

    def action_difference(self) -> None:
        from engine.recipes.diff import differences
        from tui.screens.run_dialogs import DifferenceWindow

        if self._compared_runs is None:
            return
        base, row = self._compared_runs
        changes = differences(settings_of(base), settings_of(row))
        arrow = self.glyphs.arrow
        what = "hyperparameter" if row.log is not None and row.log.settings else "setting"
        self.app.push_screen(DifferenceWindow(name_of(base), name_of(row), changes, arrow, what))

    def action_export(self) -> None:
        """Every point of the runs that are marked, or of all that are listed."""
        from tui.charts.run_curves import RunCurves
        from tui.screens.export_points import export_points

        run_keys = {*self.memory.marked, *self.memory.order.pinned}
        marked = [row.log for row in self._snapshot.rows if row.log and row.run_key in run_keys]
        logs = marked or [row.log for row in self._listed.shown if row.log]
        kind = "marked" if marked else "listed"
        loading = sum(not log.loaded for log in logs)
        note = f"; {loading:,} runs were still loading" if loading else ""
        runs = [RunCurves(log.name, log.series) for log in logs]
        whose = f"the {len(logs):,} {kind} run{'s' * (len(logs) != 1)}"
        export_points(self, runs, whose, note=note)

    def _change_order(self, order: SortOrder) -> None:
        self.memory.change_order(order)
        self._refresh_rows()

    def _annotate(self, row: RunRow, **changes: str | list[str] | bool) -> None:
        self.memory.annotate(row, changes)
        self._show_newest()

    def _show_newest(self) -> None:
        self._snapshot = self.services.runs
        self._refresh_rows()

    @property
    def _filter_error(self) -> str:
        return "" if self._run_filter is None else self._run_filter.error

    @property
    def _compared_runs(self) -> tuple[RunRow, RunRow] | None:
        """The chosen run after the one that was marked last, else after the one it builds on."""
        chosen, marked = self.chosen, self.memory.marked
        if chosen is None or not _has_settings(chosen) or not (marked or parent_of(chosen)):
            return None
        others = {row.run_key: row for row in self._snapshot.rows if row.key != chosen.key}
        keys = (*reversed(marked), parent_of(chosen))
        base = next((others[key] for key in keys if key in others), None)
        return (base, chosen) if base is not None and _has_settings(base) else None

    def _refresh_rows(self) -> None:
        if not self.ready:
            return
        rows: Sequence[RunRow] = kept(
            self._snapshot.rows, hidden=self._shows_hidden, archived=self._shows_archived
        )
        if self._run_filter is not None:
            rows = self._run_filter.matching(rows)
        self.table.glyphs = self.glyphs
        self._lines = self.table.arrange(rows, self.memory, tree=not self.filter_text)
        shown = [line for line in self._lines if isinstance(line, RunRow)]
        self._listed = ListedRuns(self._snapshot.rows, shown, self.filter_text, self._filter_error)
        table = self.query_one(Table)
        table.columns = self.table.columns
        table.sorted_by = self.table.sorted_by
        table.descending = self.memory.order.descending
        table.empty = "No runs match the filter." if self._snapshot.rows else self.table.empty
        table.show_later([line.key for line in self._lines], self.table.rows(self.memory))
        self._choose_run(table)
        self._update_status()
        self._prefer_in_sight()
        self.show_keys()

    def _choose_run(self, table: Table) -> None:
        """What is to be chosen, as soon as it is listed."""
        if not self._opened and self._lines:
            self._opened = True
            self._to_choose = self._to_choose or _newest_at_work(self._snapshot.rows)
        if self._to_choose is not None and table.choose(self._to_choose):
            self.services.selected, self._to_choose = self._to_choose, None

    def _update_status(self) -> None:
        """What the chosen run has to say, and how many there are."""
        if self.ready:
            row = self.chosen
            listed = dataclasses.replace(self._listed, filter_open=bool(self.query("#filter")))
            self.query_one("#about", Lines).show(self.table.about(row) if row else [])
            self.query_one("#summary", Lines).show(self.table.summary(listed, self.memory))

    def _prefer_in_sight(self) -> None:
        """Have what is on screen read first."""
        place, height = self.query_one(Table).place, self.size.height
        near = self._lines[max(0, place - height) : place + height]
        self.services.feed.prefer([line.run_key for line in near if isinstance(line, RunRow)])


def _newest_at_work(rows: Sequence[RunRow]) -> str | None:
    """The newest job at work, else the newest that waits: what one opens the list to see."""
    live = [row for row in rows if row.log is None and row.view.state.alive]
    live = [row for row in live if not row.view.notes.hidden]
    live.sort(key=lambda row: (row.view.state is State.QUEUED, -row.view.record.created))
    return live[0].key if live else None


def _has_settings(row: RunRow) -> bool:
    return row.view.recipe is not None or bool(row.log and row.log.settings)
