"""Commands by name: what the keymap holds for this screen, narrowed while one types."""

from collections.abc import Callable
from typing import Any

from textual.widget import AwaitMount

from tui.keymap import Key, faces, keys_of
from tui.screens.page import Page
from tui.screens.pick_window import FilterField, Picked, PickWindow
from tui.widgets.table import Column, TableRow

_COLUMNS = (Column("key", 12), Column("action", 20, 60))


def pick_command(page: Page, run: Callable[[str], Any]) -> AwaitMount:
    """Have a command of this page chosen; `run` is called with its action."""
    keys = {key.id: key for key in keys_of(page.name_in_keymap) if _works(page, key)}

    def rows(text: str) -> list[TableRow]:
        words = text.casefold().split()
        return [
            TableRow(key.id, (((faces(key), "key"),), ((key.help, ""),)))
            for key in keys.values()
            if all(word in f"{key.label} {key.help} {key.id}".casefold() for word in words)
        ]

    def receive(picked: Picked) -> Any:
        return None if picked.key is None else run(keys[picked.key].action)

    window = PickWindow(
        _COLUMNS,
        rows(""),
        field=FilterField("command", rows),
        empty="No matching commands.",
        head=False,
    )
    return window.open(page.app, receive)


def _works(page: Page, key: Key) -> bool:
    name, _, rest = key.action.partition("(")
    return bool(page.check_action(name, (rest.rstrip(")"),) if rest else ()))
