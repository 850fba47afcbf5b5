"""A small window to choose several runs in."""

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.text import one_line
from tui.formatting import FILTER_HINT, name_of
from tui.screens.modal import Window
from tui.screens.run_filter import RunFilter
from tui.screens.tree_and_groups import lifted
from tui.snapshots import RunRow
from tui.widgets.field import Field
from tui.widgets.lines import Lines
from tui.widgets.table import Column, Table, TableRow

_KEYS = "space marks   c none   / filter   enter draws them   esc as before"
_TYPED = "enter to the list   esc shows all"


class PickRuns(Window[frozenset[str] | None]):
    """Dismissed with the keys of the runs that are marked; pinned ones are drawn anyway."""

    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", show=False),
        Binding("enter", "take", show=False),
        Binding("c", "clear", show=False),
        Binding("slash", "filter", show=False),
    ]

    def __init__(
        self, rows: Sequence[RunRow], marked: Collection[str], pinned: Collection[str] = ()
    ) -> None:
        super().__init__()
        self._rows = lifted(rows, pinned)
        self._marked = set(marked)
        self._pinned = frozenset(pinned)
        self._run_filter = RunFilter()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Table((Column("draw beside it", 20, 70),))
            field = Field(hint=FILTER_HINT)
            field.display = False
            yield field
            yield Lines(id="picking")

    def on_mount(self) -> None:
        self._refresh_rows()

    def on_descendant_focus(self) -> None:
        self._update_status()

    def on_input_changed(self, event: Field.Changed) -> None:
        self._run_filter.set_text(event.value)
        self._refresh_rows()

    def on_input_submitted(self) -> None:
        self.query_one(Table).focus()

    def go_back(self) -> None:
        field = self.query_one(Field)
        if not field.display:
            super().go_back()
            return
        field.value = ""
        field.display = False
        self.query_one(Table).focus()

    def action_filter(self) -> None:
        field = self.query_one(Field)
        field.display = True
        self.set_focus(field)

    def action_mark(self) -> None:
        chosen = self.query_one(Table).chosen
        if chosen is not None:
            self._marked ^= {chosen}
            self._refresh_rows()

    def action_clear(self) -> None:
        self._marked.clear()
        self._refresh_rows()

    def action_take(self) -> None:
        self.dismiss(frozenset(self._marked))

    def _refresh_rows(self) -> None:
        table = self.query_one(Table)
        table.empty = "No run is like this." if self._rows else "There is no other run."
        table.show(
            [
                TableRow(
                    row.key,
                    (((name_of(row), ""),),),
                    marked=row.key in self._marked,
                    pinned=row.run_key in self._pinned,
                )
                for row in self._run_filter.matching(self._rows)
            ]
        )
        self._update_status()

    def _update_status(self) -> None:
        line = (_TYPED if self.focused is self.query_one(Field) else _KEYS, "dim")
        if self._run_filter.error:
            line = (f"filter: {one_line(self._run_filter.error)}", "bad")
        self.query_one("#picking", Lines).show([line])
