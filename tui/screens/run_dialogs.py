"""Small windows on a run: note, removal, what tells it from another, a field to group by."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input

from engine.errors import EngineError
from engine.jobs.resume_rules import Extension, schedule_note
from engine.jobs.summary import UserNotes
from engine.recipes.diff import Difference, write_setting
from engine.recipes.recipe import TrainRecipe, changed
from engine.text import one_line
from tui.background import run_in_background
from tui.screens.dialogs import Dialog
from tui.screens.modal import Window
from tui.screens.pick_window import PickWindow, pick_row
from tui.styled_text import Line, Piece
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager
from tui.widgets.table import Column, TableRow
from tui.widgets.text_field import TextField

LONGEST_NOTE = 2000
_MOST_USERS = 4
"""So many are named before a run is deleted."""
_GROUP_COLUMNS = (Column("group by", 24, 34), Column("values", 20, 60))
Noted = tuple[str, list[str]]
"""A note and tags, as they were typed."""


class _Form(Window[Any]):
    """Fields in a window; enter in any of them takes all."""

    AUTO_FOCUS = "Input"

    def text_of(self, id: str) -> str:
        return self.query_one(f"#{id}", Input).value.strip()


class NoteWindow(_Form):
    """Dismissed with a note and tags; None where nothing is to change."""

    def __init__(self, name: str, notes: UserNotes) -> None:
        super().__init__()
        self._name_of_run = name
        self._notes = notes

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            head = Lines()
            head.show([(f"{self._name_of_run}: note, and labels separated by commas", "strong")])
            yield head
            yield TextField(one_line(self._notes.note), hint="a note", id="note")
            yield TextField(one_line(", ".join(self._notes.tags)), hint="labels", id="tags")
            keys = Lines()
            keys.show([("enter save   tab next field   esc cancel", "dim")])
            yield keys

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss((self.text_of("note")[:LONGEST_NOTE], tags_in(self.text_of("tags"))))


def tags_in(text: str) -> list[str]:
    """Tags as they were typed, commas between: no two alike, without the `#` of the screen."""
    parts = (part.strip().lstrip("#").strip() for part in text.split(","))
    return list(dict.fromkeys(part for part in parts if part))


class RemoveWindow(_Form):
    """Dismissed with True only where the run's name was typed, and its users are known."""

    def __init__(self, name: str, where: str, find_users: Callable[[], Sequence[str]]) -> None:
        """`find_users` may block: it is called on a thread."""
        super().__init__()
        self._name_of_run = name
        self._where = where
        self._find_users = find_users
        self._is_known = False
        self._waits = False
        """Confirmed before the users were known."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            head, where, warning, state = Lines(), Lines(), Pager(id="users"), Lines(id="typed")
            head.show([(f"Permanently delete {self._name_of_run}?", "strong")])
            where.show([(self._where, "")])
            yield head
            yield where
            warning.display = False
            yield warning
            yield TextField(hint=f"type {self._name_of_run} to confirm", id="name")
            state.show([("enter delete   esc cancel", "dim")])
            yield state

    def on_mount(self) -> None:
        run_in_background(self, self._find_users, self._show_users, failed=self._fail)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if self.text_of("name") != self._name_of_run:
            line: list[Piece] = [
                ("The name does not match; nothing was deleted.   esc cancel", "bad")
            ]
            self.query_one("#typed", Lines).show(line)
        elif self._is_known:
            self.dismiss(True)
        else:
            self._waits = True

    def _show_users(self, users: Sequence[str]) -> None:
        named = ", ".join(one_line(user) for user in users[:_MOST_USERS])
        more = f" and {len(users) - _MOST_USERS} more" if len(users) > _MOST_USERS else ""
        self._warn(f"Used by {named}{more}." if users else "")

    def _fail(self, error: EngineError) -> None:
        self._warn(f"It is not known who uses it: {one_line(error.title)}")

    def _warn(self, text: str) -> None:
        self._is_known = True
        if text:
            warning = self.query_one("#users", Pager)
            warning.show([[(text, "warn")]])
            warning.display = True
        elif self._waits:
            self.dismiss(True)


class MoreWindow(_Form):
    """Dismissed with the change that gives a finished run more to do; None where it stays done."""

    def __init__(self, name: str, recipe: TrainRecipe, needed: Extension) -> None:
        super().__init__()
        self._name_of_run = name
        self._recipe = recipe
        self._needed = needed
        steps = recipe.training.max_steps
        self._done: float = steps or recipe.training.epochs
        self._unit = "steps" if steps else "epochs"

    def compose(self) -> ComposeResult:
        head, note, state = Lines(), Pager(), Lines(id="typed")
        head.show([(f"{self._name_of_run} is done", "strong")])
        question = f"It trained for {self._done:g} {self._unit}. New total {self._unit}:"
        warning = schedule_note(self._recipe, changed(self._recipe, [self._needed.change]))
        note.show([[(question, "")]])
        with Vertical(classes="dialog"):
            yield head
            yield note
            yield TextField(self._needed.value, hint=self._unit, id="more")
            if warning:
                schedule = Pager()
                schedule.show([[(warning, "warn")]])
                yield schedule
            state.show([("enter resume   esc cancel", "dim")])
            yield state

    def on_input_submitted(self, event: Input.Submitted) -> None:
        change = f"{self._needed.setting}={self.text_of('more')}"
        try:
            recipe = changed(self._recipe, [change])
        except EngineError as error:
            self._refuse(error.detail.split(": ", 2)[-1])
            return
        assert isinstance(recipe, TrainRecipe)
        if (recipe.training.max_steps or recipe.training.epochs) > self._done:
            self.dismiss(change)
        else:
            self._refuse(f"must be greater than {self._done:g}")

    def _refuse(self, why: str) -> None:
        self.query_one("#typed", Lines).show([(f"{one_line(why)}   esc cancel", "bad")])


class DifferenceWindow(Dialog[None]):
    """The settings, or logged hyperparameters, in which two runs differ."""

    BINDINGS: ClassVar = [Binding("enter,d", "app.back", show=False)]

    def __init__(
        self, left: str, right: str, differences: Sequence[Difference], arrow: str, what: str
    ) -> None:
        """`what` is one of the things that differ: a setting, or a hyperparameter of a log."""
        number = len(differences)
        count = f"{number} {what}{'s' * (number != 1)} differ{'s' * (number == 1)}"
        lines: list[Line] = [
            [(left, "base"), (f" {arrow} ", "dim"), (right, "tuned")],
            [(count if differences else f"All {what}s are identical.", "dim")],
            [],
        ]
        super().__init__([*lines, *difference_lines(differences, arrow)], "esc close")


def difference_lines(differences: Sequence[Difference], arrow: str, width: int = 66) -> list[Line]:
    """A line a setting; values that are too long for it stand below each other."""
    room = max((len(difference.setting) for difference in differences), default=0)
    lines: list[Line] = []
    for each in differences:
        left, right = one_line(write_setting(each.one)), one_line(write_setting(each.other))
        if room + cell_len(left) + cell_len(right) + 6 <= width:
            lines.append(
                [
                    (f"{each.setting:<{room}}  ", ""),
                    (left, "base"),
                    (f" {arrow} ", "dim"),
                    (right, "tuned"),
                ]
            )
        else:
            lines += [
                [(each.setting, "")],
                [("  ", ""), (left, "base")],
                [(f"  {arrow} ", "dim"), (right, "tuned")],
            ]
    return lines


def pick_group(
    app: App[Any],
    settings: Mapping[str, Sequence[Any]],
    chosen: str,
    take: Callable[[str], None],
) -> None:
    """Have a setting chosen that runs are grouped by; `take` is called with its dotted name.

    `settings` has the values of each; "" is for no groups.
    """
    rows = [TableRow("", ((("none", ""),), (("no groups", "dim"),)))]
    for name, values in settings.items():
        listed = ", ".join(one_line(write_setting(value)) for value in values[:6])
        rows.append(
            TableRow(
                name,
                (
                    ((one_line(name), ""),),
                    ((f"{len(values)} value{'s' * (len(values) != 1)}: {listed}", ""),),
                ),
            )
        )
    pick_row(app, PickWindow(_GROUP_COLUMNS, rows, chosen=chosen), take)
