"""A small window to choose a run in."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.text import one_line
from tui.formatting import name_of
from tui.screens.modal import Window
from tui.snapshots import RunRow
from tui.widgets.table import Column, Table, TableRow

_COLUMNS = (Column("run", 20, 40), Column("on", 10, 16), Column("how", 8, 12))


class PickRun(Window[str | None]):
    """Dismissed with the key of a run."""

    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "take", show=False)]

    def __init__(self, rows: Sequence[RunRow], chosen: str | None) -> None:
        super().__init__()
        self._rows = rows
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Table(_COLUMNS, empty="No run has left a model yet.")

    def on_mount(self) -> None:
        table = self.query_one(Table)
        table.show(
            [
                TableRow(
                    row.key,
                    (
                        ((name_of(row), ""),),
                        ((one_line(row.view.base), ""),),
                        ((one_line(row.view.method), ""),),
                    ),
                )
                for row in self._rows
            ]
        )
        table.choose(self._chosen)

    def action_take(self) -> None:
        self.dismiss(self.query_one(Table).chosen)
