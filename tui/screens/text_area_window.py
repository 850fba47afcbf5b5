"""A window to write a text of several lines in."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import TextArea

from tui.screens.modal import Window
from tui.widgets.lines import Lines


class TextAreaWindow(Window[str | None]):
    """Dismissed with what was written, as it stands there."""

    AUTO_FOCUS = "TextArea"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", show=False, priority=True),
    ]

    def __init__(self, title: str, text: str = "", hint: str = "") -> None:
        """`title` and `hint` are clean."""
        super().__init__()
        self._title_of_text = title
        self._text = text
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            for text, role in ((self._title_of_text, "strong"), (self._hint, "dim")):
                line = Lines()
                line.show([(text, role)])
                yield line
            yield text_area(self._text)
            keys = Lines()
            keys.show([("ctrl+s apply   esc cancel", "dim")])
            yield keys

    def action_accept(self) -> None:
        self.dismiss(self.query_one(TextArea).text)


def text_area(text: str = "", *, id: str | None = None) -> TextArea:
    """A field of several lines; the tabulator leaves it."""
    area = TextArea(text, id=id, classes="text-field", soft_wrap=True, tab_behavior="focus")
    area.cursor_blink = False
    return area
