"""Commands by name: what the keymap holds for this screen, narrowed while one types."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input

from tui.keymap import Key, faces, keys_of
from tui.screens.modal import Window
from tui.screens.page import Page
from tui.widgets.field import Field
from tui.widgets.table import Column, Table, TableRow

_COLUMNS = (Column("key", 12), Column("what it does", 20, 60))


class PalettePage(Window[str | None]):
    """Dismissed with the action to run."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._keys = [key for key in keys_of(page.name_in_keymap) if _works(page, key)]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Field(hint="a command")
            table = Table(_COLUMNS, head=False, empty="No command is called so.")
            table.can_focus = False
            yield table

    def on_mount(self) -> None:
        self._narrow("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._narrow(event.value)

    def on_input_submitted(self) -> None:
        chosen = self.query_one(Table).chosen
        action = next((key.action for key in self._keys if key.id == chosen), None)
        self.dismiss(action)

    def action_move(self, by: int) -> None:
        self.query_one(Table).action_move(by)

    def _narrow(self, text: str) -> None:
        words = text.casefold().split()
        rows = [
            TableRow(key.id, (((faces(key), "key"),), ((key.help, ""),)))
            for key in self._keys
            if all(word in f"{key.label} {key.help} {key.id}".casefold() for word in words)
        ]
        self.query_one(Table).show(rows)


def _works(page: Page, key: Key) -> bool:
    name, _, rest = key.action.partition("(")
    return bool(page.check_action(name, (rest.rstrip(")"),) if rest else ()))
