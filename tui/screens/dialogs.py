"""Small windows over a screen: a question, a line to type, and an error to read."""

from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input

from engine.errors import EngineError
from engine.text import one_line
from tui.formatting import error_lines
from tui.screens.modal import Window
from tui.styled_text import Line
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager
from tui.widgets.text_field import TextField

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
        super().__init__(error_lines(error), "esc close")


class Copied(Dialog[None]):
    """Text that was handed to the terminal's clipboard; not every terminal takes it."""

    BINDINGS: ClassVar = [Binding("enter", "app.back", show=False)]

    def __init__(self, text: str, *, in_file: bool = True) -> None:
        """`in_file`: whether the page writes it to a file by `e`."""
        lines: list[Line] = [[(line, "")] for line in text.split("\n")]
        note = "copied, if the terminal supports it"
        note += "; to a file: e, then NAME.txt" if in_file else ""
        super().__init__([*lines, [], [(note, "")]], "esc close")


class TextWindow(Window[str | None]):
    """Dismissed with what was typed, without the spaces around it."""

    AUTO_FOCUS = "Input"

    def __init__(
        self, title: str, text: str = "", hint: str = "", longest: int = 4000, enter: str = "save"
    ) -> None:
        """`enter` is what that key does with the text."""
        super().__init__()
        self._enter = enter
        self._title_of_field = title
        self._text = text
        self._hint = hint
        self._longest = longest

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            head, keys = Lines(), Lines()
            head.show([(self._title_of_field, "strong")])
            keys.show([(f"enter {self._enter}   esc cancel", "dim")])
            yield head
            yield TextField(one_line(self._text), hint=self._hint, max_length=self._longest)
            yield keys

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
