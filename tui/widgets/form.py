"""A form of settings: one line each, checked while one types.

Owns text and focus; what a setting means and whether it is right is told by the screen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from engine.text import one_line
from tui.widgets.cells import Cells, Line
from tui.widgets.line import Lines


@dataclass(frozen=True, slots=True)
class Field:
    key: str
    """The setting's dotted key."""
    label: str
    choices: tuple[str, ...] = ()
    """Where there are any, one is picked; else text is typed."""


class Choice(Cells, can_focus=True):
    """One of a few words, turned with the arrows or space."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "turn(-1)", show=False),
        Binding("right,l,space", "turn(1)", show=False),
    ]

    class Changed(Message):
        """Another word was picked."""

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
        self.post_message(self.Changed())


class Form(Vertical):
    """Fields by key. Emits Edited with the key that was changed."""

    class Edited(Message):
        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, fields: Sequence[Field], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._fields = tuple(fields)
        self._inputs: dict[str, Input | Choice] = {}
        self._notes: dict[str, Lines] = {}

    def compose(self) -> ComposeResult:
        for field in self._fields:
            label = Lines(classes="label")
            label.show([(field.label, "dim")])
            entry: Input | Choice
            if field.choices:
                entry = Choice(field.choices)
            else:
                entry = Input(compact=True, classes="text-field")
                entry.cursor_blink = False
            note = Lines(classes="problem")
            self._inputs[field.key], self._notes[field.key] = entry, note
            yield Horizontal(label, entry, note, classes="field")

    @property
    def values(self) -> dict[str, str]:
        """What is in each field, as text."""
        return {key: entry.value for key, entry in self._inputs.items()}

    def fill(self, values: Mapping[str, str]) -> None:
        """Put text into fields; nothing is emitted."""
        with self.prevent(Input.Changed):
            for key, value in values.items():
                entry = self._inputs[key]
                if isinstance(entry, Choice):
                    entry.pick(value)
                elif entry.value != value:
                    entry.value = value

    def offer(self, key: str, choices: Sequence[str]) -> None:
        entry = self._inputs[key]
        if isinstance(entry, Choice):
            entry.offer(choices)

    def complain(self, problems: Mapping[str, str]) -> None:
        """Say beside each field what is wrong with it."""
        for key, note in self._notes.items():
            reason = problems.get(key, "")
            note.show([(f" {one_line(reason)}", "bad")] if reason else [])

    def enter(self) -> None:
        """Focus the first field."""
        next(iter(self._inputs.values())).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell(event.input)

    def on_choice_changed(self, event: Choice.Changed) -> None:
        event.stop()
        if isinstance(event._sender, Choice):
            self._tell(event._sender)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def _tell(self, entry: Input | Choice) -> None:
        key = next(key for key, one in self._inputs.items() if one is entry)
        self.post_message(self.Edited(key))
