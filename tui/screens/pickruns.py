"""A small window to choose several runs in."""

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.phrases import name_of
from tui.screens.window import Window
from tui.snapshots import RunRow
from tui.widgets.line import Lines
from tui.widgets.table import Column, Row, Table


class PickRuns(Window[frozenset[str] | None]):
    """Dismissed with the keys of the runs that are marked."""

    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", show=False),
        Binding("enter", "take", show=False),
        Binding("c", "clear", show=False),
    ]

    def __init__(self, rows: Sequence[RunRow], marked: Collection[str]) -> None:
        super().__init__()
        self._rows = rows
        self._marked = set(marked)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Table((Column("draw beside it", 20, 70),), empty="There is no other run.")
            yield Lines(id="picking")

    def on_mount(self) -> None:
        self._fill()
        keys = "space marks   c none   enter draws them   esc as before"
        self.query_one("#picking", Lines).show([(keys, "dim")])

    def action_mark(self) -> None:
        chosen = self.query_one(Table).chosen
        if chosen is not None:
            self._marked ^= {chosen}
            self._fill()

    def action_clear(self) -> None:
        self._marked.clear()
        self._fill()

    def action_take(self) -> None:
        self.dismiss(frozenset(self._marked))

    def _fill(self) -> None:
        self.query_one(Table).show(
            [
                Row(row.key, (((name_of(row), ""),),), marked=row.key in self._marked)
                for row in self._rows
            ]
        )
