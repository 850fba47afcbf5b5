"""A dialog with one form: a title, the fields, lines below them that the window fills, the keys.

Owns how it is laid out, and what its keys are. What the fields mean is the window's.
"""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.text import one_line
from tui.styled_text import Line
from tui.widgets.form import Form, FormField, Group
from tui.widgets.lines import Lines

ACCEPT_KEYS: list[BindingType] = [
    Binding("ctrl+s", "accept", show=False, priority=True),
    Binding("enter", "accept", show=False),
]
"""Of the window: where a field has the focus, `enter` goes on to the next one."""
_KEYS = "ctrl+s start   h l change   tab next field   esc cancel"


class FormDialog(Vertical):
    """Its form begins with a choice, which has the focus first."""

    def __init__(self, title: str, fields: Sequence[FormField], lines: Sequence[str]) -> None:
        """`lines` are the ids of what stands below the fields."""
        super().__init__(classes="dialog")
        self._title = title
        self._fields = tuple(fields)
        self._lines = tuple(lines)

    def compose(self) -> ComposeResult:
        head = Lines()
        head.show([(one_line(self._title), "strong")])
        yield head
        yield Form((Group("", self._fields),))
        yield from (Lines(id=name) for name in self._lines)
        keys = Lines()
        keys.show([(_KEYS, "dim")])
        yield keys

    @property
    def values(self) -> dict[str, str]:
        """What is in each field, by its key, without spaces around it."""
        return {key: value.strip() for key, value in self.query_one(Form).values.items()}

    def show(self, name: str, *lines: Line) -> None:
        """Show lines in the place with this id."""
        self.query_one(f"#{name}", Lines).show(*lines)
