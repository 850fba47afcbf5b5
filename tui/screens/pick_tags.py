"""A small window to find a tag in, and to pin tags so that they come before the others."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from engine.text import one_line
from tui.screens.modal import Window
from tui.widgets.field import Field
from tui.widgets.lines import Lines
from tui.widgets.table import Column, Table, TableRow

_KEYS = "space pins   enter goes there   esc as before"


class _Part(Field):
    """Part of a tag; a space is no letter of one here, but pins."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return key != "space" and super().check_consume_key(key, character)


class PickTags(Window[tuple[str | None, list[str]] | None]):
    """Dismissed with the chosen tag and all that are pinned. What is typed narrows the list."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("space", "pin", show=False, priority=True),
    ]

    def __init__(
        self, names: Mapping[str, str], pinned: Sequence[str], chosen: str | None = None
    ) -> None:
        super().__init__()
        self._names = dict(names)
        """What each tag is shown as."""
        self._pinned = list(pinned)
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield _Part(hint="part of a tag")
            table = Table((Column("tag", 20, 70),), head=False, empty="No tag is like this.")
            table.can_focus = False
            yield table
            yield Lines(id="picking")

    def on_mount(self) -> None:
        self._refresh_rows()
        self.query_one(Table).choose(self._chosen)
        self.query_one("#picking", Lines).show([(_KEYS, "dim")])

    def on_input_changed(self) -> None:
        self._refresh_rows()

    def on_input_submitted(self) -> None:
        self.dismiss((self.query_one(Table).chosen, self._pinned))

    def action_move(self, by: int) -> None:
        self.query_one(Table).action_move(by)

    def action_pin(self) -> None:
        tag = self.query_one(Table).chosen
        if tag in self._pinned:
            self._pinned.remove(tag)
        elif tag is not None:
            self._pinned.append(tag)
        self._refresh_rows()

    def _refresh_rows(self) -> None:
        words = self.query_one(Input).value.casefold().split()
        self.query_one(Table).show(
            [
                TableRow(tag, (((one_line(name), ""),),), marked=tag in self._pinned)
                for tag, name in self._names.items()
                if all(word in f"{name} {tag}".casefold() for word in words)
            ]
        )
