"""One of a few words, turned with the arrows or space."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from engine.text import one_line
from tui.styled_text import Line
from tui.widgets.cells import Cells


class Choice(Cells, can_focus=True):
    """Emits Changed when another word was picked by a key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "turn(-1)", show=False),
        Binding("right,l,space", "turn(1)", show=False),
    ]

    class Changed(Message):
        def __init__(self, choice: "Choice") -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, choices: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._choices = tuple(choices)
        self.value = self._choices[0]

    def offer(self, choices: Sequence[str]) -> None:
        """Replace the words; the picked one stays, whether it is among them or not."""
        self._choices = tuple(dict.fromkeys((*choices, self.value)))
        self.repaint()

    def pick(self, value: str) -> None:
        self.value = value
        self.offer(self._choices)

    def paint(self, width: int, height: int) -> list[Line]:
        at = f"< {one_line(self.value)} >" if self.has_focus else f"  {one_line(self.value)}"
        return [[(at.ljust(width), "cursor" if self.has_focus else "strong")]]

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def action_turn(self, by: int) -> None:
        at = self._choices.index(self.value) if self.value in self._choices else 0
        self.value = self._choices[(at + by) % len(self._choices)]
        self.repaint()
        self.post_message(self.Changed(self))
