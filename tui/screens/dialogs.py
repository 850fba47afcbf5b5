"""Small windows over a screen: a question, and an error to read."""

from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical

from engine.errors import EngineError
from tui.formatting import error_lines
from tui.screens.modal import Window
from tui.styled_text import Line
from tui.widgets.pager import Pager

T = TypeVar("T")


class Dialog(Window[T], Generic[T]):
    """Text and the keys that end it. `esc` always does, with nothing."""

    AUTO_FOCUS = "Pager"

    def __init__(self, text: list[Line], keys: str) -> None:
        super().__init__()
        self._text = text
        self._keys = keys

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            pager = Pager()
            pager.show([*self._text, [], [(self._keys, "dim")]])
            yield pager


class ConfirmDialog(Dialog[bool]):
    """Yes or no; only `y` is yes."""

    BINDINGS: ClassVar = [
        Binding("y", "answer(True)", show=False),
        Binding("n,enter", "answer(False)", show=False),
    ]

    def __init__(self, title: str, detail: str = "") -> None:
        lines: list[Line] = [[(title, "strong")]]
        lines += [[(line, "")] for line in detail.split("\n") if detail]
        super().__init__(lines, "y yes   n no")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class ErrorDialog(Dialog[None]):
    """An error: title, detail, hint."""

    BINDINGS: ClassVar = [Binding("enter", "app.back", show=False)]

    def __init__(self, error: EngineError) -> None:
        super().__init__(error_lines(error), "esc closes")


class Copied(Dialog[None]):
    """Text that was handed to the terminal's clipboard; not every terminal takes it."""

    BINDINGS: ClassVar = [Binding("enter", "app.back", show=False)]

    def __init__(self, text: str) -> None:
        lines: list[Line] = [[(line, "")] for line in text.split("\n")]
        note = "copied, where the terminal lets programs copy; e NAME.txt writes it   esc closes"
        super().__init__(lines, note)
