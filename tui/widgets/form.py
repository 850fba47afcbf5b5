"""A form of settings in groups, one group at a time, checked while one types.

Owns text and focus; what a setting means and whether it is right is told by the screen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input

from engine.text import one_line
from tui.widgets.choice import Choice
from tui.widgets.lines import Lines


@dataclass(frozen=True, slots=True)
class FormField:
    key: str
    """The setting's dotted key."""
    label: str
    choices: tuple[str, ...] = ()
    """Where there are any, one is picked; else text is typed."""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    fields: tuple[FormField, ...]


MOST_ROWS = 20
"""Fields that show at once."""


class Form(Vertical):
    """Fields by key. Emits Edited with the key that was changed.

    A group is made when it is first shown: most never are.
    """

    class Edited(Message):
        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, groups: Sequence[Group], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._groups = tuple(groups)
        self._at = 0
        self._bodies: dict[int, VerticalScroll] = {}
        self._inputs: dict[str, Input | Choice] = {}
        self._notes: dict[str, Lines] = {}
        self._texts: dict[str, str] = {}
        """What fields that are not made yet will hold."""
        self._offers: dict[str, tuple[str, ...]] = {}
        self._most = MOST_ROWS

    def compose(self) -> ComposeResult:
        yield Lines(id="group")
        yield self._make(0)

    def on_mount(self) -> None:
        self._update_group()

    @property
    def values(self) -> dict[str, str]:
        """What is in each field that was ever shown, as text."""
        return {key: entry.value for key, entry in self._inputs.items()}

    @property
    def focused_key(self) -> str:
        """The key of the field that has the focus; empty for none."""
        return next((key for key, entry in self._inputs.items() if entry.has_focus), "")

    def turn(self, by: int, *, enter: bool = False) -> None:
        """Show another group, and go to its first field where one is in a field or asks for it."""
        enter = enter or self.has_focus_within
        self._at = (self._at + by) % len(self._groups)
        if self._at not in self._bodies:
            self.mount(self._make(self._at))
        for at, body in self._bodies.items():
            body.display = at == self._at
        self._update_group()
        if enter:
            self.call_after_refresh(self.enter)

    def limit(self, rows: int) -> None:
        """Show at most so many fields at once; the others are scrolled to."""
        self._most = max(2, min(rows, MOST_ROWS))
        for body in self._bodies.values():
            body.styles.max_height = self._most

    def fill(self, values: Mapping[str, str]) -> None:
        """Put text into fields; nothing is emitted."""
        with self.prevent(Input.Changed):
            for key, value in values.items():
                entry = self._inputs.get(key)
                if entry is None:
                    self._texts[key] = value
                elif isinstance(entry, Choice):
                    entry.pick(value)
                elif entry.value != value:
                    entry.value = value

    def offer(self, key: str, choices: Sequence[str]) -> None:
        self._offers[key] = tuple(choices)
        entry = self._inputs.get(key)
        if isinstance(entry, Choice):
            entry.offer(choices)

    def complain(self, problems: Mapping[str, str]) -> None:
        """Say beside each field what is wrong with it."""
        for key, note in self._notes.items():
            reason = problems.get(key, "")
            note.show([(f" {one_line(reason)}", "bad")] if reason else [])

    def enter(self) -> None:
        """Focus the first field of the group that shows."""
        self._inputs[self._groups[self._at].fields[0].key].focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._post_edited(event.input)

    def on_choice_changed(self, event: Choice.Changed) -> None:
        event.stop()
        self._post_edited(event.choice)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def _make(self, at: int) -> VerticalScroll:
        rows = [self._row(field) for field in self._groups[at].fields]
        body = VerticalScroll(*rows, can_focus=False)
        body.styles.max_height = self._most
        self._bodies[at] = body
        return body

    def _row(self, field: FormField) -> Horizontal:
        label = Lines(classes="label")
        label.show([(field.label, "dim")])
        text = self._texts.pop(field.key, None)
        entry: Input | Choice
        if field.choices:
            entry = Choice(self._offers.get(field.key, field.choices))
            entry.pick(entry.value if text is None else text)
        else:
            entry = Input(text or "", compact=True, classes="text-field")
            entry.cursor_blink = False
        note = Lines(classes="problem")
        self._inputs[field.key], self._notes[field.key] = entry, note
        return Horizontal(label, entry, note, classes="field")

    def _update_group(self) -> None:
        title, count = self._groups[self._at].title, len(self._groups)
        place = f"  page {self._at + 1} of {count}   m/f2 next  M back"
        self.query_one("#group", Lines).show([(title, "strong"), (place, "dim")])

    def _post_edited(self, entry: Input | Choice) -> None:
        key = next(key for key, one in self._inputs.items() if one is entry)
        self.post_message(self.Edited(key))
