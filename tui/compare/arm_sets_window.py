"""A window to choose a saved set of arms in."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.text import one_line
from tui.screens.dialogs import ErrorDialog
from tui.screens.modal import Window
from tui.widgets.lines import Lines
from tui.widgets.table import Column, Table, TableRow

if TYPE_CHECKING:
    from tui.actions import Actions

_COLUMNS = (Column("set", 16, 28), Column("arms", 20, 60))


class PickSet(Window[tuple[Arm, ...] | None]):
    """Dismissed with the arms of a set."""

    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", show=False),
        Binding("D,delete", "remove", show=False),
    ]

    def __init__(self, sets: Mapping[str, tuple[Arm, ...]], actions: "Actions") -> None:
        super().__init__()
        self._sets = dict(sets)
        self._actions = actions

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Table(_COLUMNS, empty="No set is left.")
            yield Lines(id="sets-keys")

    def on_mount(self) -> None:
        self._refresh_rows()
        keys = "enter takes   D deletes   esc as before"
        self.query_one("#sets-keys", Lines).show([(keys, "dim")])

    def action_take(self) -> None:
        self.dismiss(self._sets.get(self.query_one(Table).chosen or ""))

    def action_remove(self) -> None:
        name = self.query_one(Table).chosen
        if name is not None:
            del self._sets[name]
            self.run_worker(lambda: self._drop(name), thread=True)
            self._refresh_rows()

    def _drop(self, name: str) -> None:
        """On a thread: it writes to a disk."""
        try:
            self._actions.drop_arms(name)
        except EngineError as error:
            self.app.call_from_thread(self.app.push_screen, ErrorDialog(error))

    def _refresh_rows(self) -> None:
        self.query_one(Table).show(
            [
                TableRow(name, (((one_line(name), ""),), ((_names(arms), "dim"),)))
                for name, arms in self._sets.items()
            ]
        )


def _names(arms: tuple[Arm, ...]) -> str:
    return one_line(", ".join(arm.name for arm in arms))
