"""Small windows that ask for one thing: one of a list, or a line of text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from engine.text import one_line
from tui.screens.modal import Window
from tui.widgets.lines import Lines
from tui.widgets.table import Column, Table, TableRow


@dataclass(frozen=True, slots=True)
class Offer:
    key: str
    label: str
    about: str = ""


class Choose(Window[str | None]):
    """Dismissed with the key of what was taken."""

    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "take", show=False)]

    def __init__(self, title: str, offers: Sequence[Offer], chosen: str | None = None) -> None:
        super().__init__()
        self._title_of_list = title
        self._offers = offers
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            columns = Column(self._title_of_list, 22, 40), Column(" ", 12, 44)
            yield Table(columns, empty="Nothing.")
            keys = Lines()
            keys.show([("enter takes it   esc leaves it", "dim")])
            yield keys

    def on_mount(self) -> None:
        table = self.query_one(Table)
        table.show(
            [
                TableRow(one.key, (((one_line(one.label), ""),), ((one_line(one.about), "dim"),)))
                for one in self._offers
            ]
        )
        table.choose(self._chosen)

    def action_take(self) -> None:
        self.dismiss(self.query_one(Table).chosen)


class Ask(Window[str | None]):
    """Dismissed with what was typed, without the spaces around it."""

    AUTO_FOCUS = "Input"

    def __init__(self, title: str, text: str = "", hint: str = "", longest: int = 4000) -> None:
        super().__init__()
        self._title_of_field = title
        self._text = text
        self._hint = hint
        self._longest = longest

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            head, keys = Lines(), Lines()
            head.show([(self._title_of_field, "strong")])
            keys.show([("enter keeps it   esc leaves it", "dim")])
            field = Input(
                one_line(self._text), placeholder=self._hint, compact=True, classes="text-field",
                max_length=self._longest,
            )  # fmt: skip
            field.cursor_blink = False
            yield head
            yield field
            yield keys

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
