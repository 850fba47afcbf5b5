"""A window on who answers: two to four arms, to add, change, order, save by a name and load."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from engine.compare.arm_sets import SetExists
from engine.compare.arms import Arm
from engine.compare.endpoint_keys import KeyUse, uses_of
from engine.errors import EngineError
from engine.text import one_line
from tui.background import run_in_background
from tui.compare.answer_pane import ARM_ROLES
from tui.compare.arm_fields import how_asked, nodes_of
from tui.compare.arm_form import ArmForm
from tui.compare.arm_sets_window import pick_arm_set
from tui.compare.session import MOST_ARMS
from tui.screens.answer_side import label_of
from tui.screens.key_questions import ask_for_keys
from tui.screens.modal import Window
from tui.snapshots import RunsSnapshot
from tui.widgets.lines import Lines
from tui.widgets.table import Column, Table, TableRow
from tui.widgets.text_field import TextField

if TYPE_CHECKING:
    from engine.checkpoints.checkpoint_list import Checkpoint
    from tui.actions import Actions

_COLUMNS = (Column("arm", 12, 18), Column("model", 16, 28), Column("prompt and decoding", 14, 44))
_KEYS = (
    "enter edit   a add   D remove   K J move",
    "s save set   l load set   ctrl+s apply   esc cancel",
)
_KEYS_OF_NAME = ("enter save   esc cancel", "")


class ArmsWindow(Window[tuple[Arm, ...] | None]):
    """Dismissed with the arms that answer from now on."""

    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "change", show=False),
        Binding("a", "add", show=False),
        Binding("D,delete", "remove", show=False),
        Binding("K,shift+up", "move(-1)", show=False),
        Binding("J,shift+down", "move(1)", show=False),
        Binding("s", "save", show=False),
        Binding("l", "load", show=False),
        Binding("ctrl+s", "use", show=False, priority=True),
    ]

    def __init__(self, arms: Sequence[Arm], runs: RunsSnapshot, actions: "Actions") -> None:
        super().__init__()
        self._arms = list(arms)
        self._runs = runs
        self._actions = actions
        self._checkpoints: tuple[Checkpoint, ...] = ()
        """Those on this machine; none, until they have been looked for."""
        self._form: ArmForm | None = None
        self._typed_keys: set[KeyUse] = set()
        """What the user typed here is not asked about, unless it is sent unencrypted."""
        self._taken = ""
        """A name whose set the next `enter` replaces."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Table(_COLUMNS, empty="No arms. Press a to add one.")
            yield Lines(id="set-label", classes="line")
            yield TextField(hint="name of this set", id="set-name")
            yield Lines(id="arms-note")
            yield Lines(id="arms-keys")
            yield Lines(id="arms-more")

    def on_mount(self) -> None:
        self.query_one("#set-label", Lines).show([("name of the arm set", "dim")])
        self._ask_name(False)
        self._refresh_rows()
        run_in_background(
            self,
            lambda: self._actions.catalogue().checkpoints,
            self._offer_checkpoints,
            failed=self._show_error,
        )

    def action_add(self) -> None:
        if len(self._arms) >= MOST_ARMS:
            self._show_note(f"At most {MOST_ARMS} arms: remove one first.", "warn")
            return
        self._edit(None, len(self._arms))

    def action_change(self) -> None:
        at = self._at
        if at is not None:
            self._edit(self._arms[at], at)

    def action_remove(self) -> None:
        at = self._at
        if at is None:
            return
        if len(self._arms) == 1:
            self._show_note("At least one arm is required; edit this one instead.", "warn")
            return
        del self._arms[at]
        self._refresh_rows()

    def action_move(self, by: int) -> None:
        at = self._at
        if at is not None and 0 <= at + by < len(self._arms):
            self._arms.insert(at + by, self._arms.pop(at))
            self._refresh_rows(at + by)

    def action_use(self) -> None:
        if self.query_one(Input).has_focus:
            self._save(self.query_one(Input).value.strip())
        else:
            arms = tuple(self._arms)
            ask_for_keys(self, self._actions, arms, lambda: self.dismiss(arms), self._typed_keys)

    def action_save(self) -> None:
        self._ask_name(True)
        self.query_one(Input).focus()

    def go_back(self) -> None:
        """Leave the name, where that is asked for; else the window."""
        if self.query_one(Input).display:
            self._ask_name(False)
            self.query_one(Table).focus()
        else:
            super().go_back()

    def action_load(self) -> None:
        def take(arms: tuple[Arm, ...]) -> None:
            self._arms = list(arms)
            self._refresh_rows(0)

        def show(sets: dict[str, tuple[Arm, ...]]) -> None:
            if sets:
                pick_arm_set(self.app, sets, self._actions, take)
            else:
                self._show_note("No saved sets. Press s to save this one.", "dim")

        run_in_background(self, self._actions.arm_sets, show, failed=self._show_error)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._save(event.value.strip())

    def _save(self, name: str) -> None:
        if not name:
            self._show_note("A name is required.", "warn")
            return
        arms, replace = tuple(self._arms), name == self._taken
        self._taken = ""

        def show(_: None) -> None:
            self._ask_name(False)
            self.query_one(Table).focus()
            self._show_note(f"Saved as “{one_line(name)}”.", "good")

        def ask(error: EngineError) -> None:
            if not isinstance(error, SetExists):
                self._show_error(error)
                return
            self._taken = name
            self._show_note(f"“{one_line(name)}” exists: enter again replaces it.", "warn")

        run_in_background(
            self, lambda: self._actions.keep_arms(name, arms, replace=replace), show, failed=ask
        )

    def _ask_name(self, asked: bool) -> None:
        """Show the field for the name of the set, and what its keys do, or the keys of the list."""
        self.query_one(Input).display = self.query_one("#set-label").display = asked
        shown = _KEYS_OF_NAME if asked else _KEYS
        for name, keys in zip(("#arms-keys", "#arms-more"), shown, strict=True):
            self.query_one(name, Lines).show([(keys, "dim")])

    def _edit(self, arm: Arm | None, at: int) -> None:
        """Have an arm changed or made, and put it in its place."""

        def take(changed: Arm | None) -> None:
            form, self._form = self._form, None
            if changed is not None:
                if form is not None and form.is_key_typed:
                    self._typed_keys.update(uses_of([changed]))
                self._arms[at : at + 1] = [changed]
                self._refresh_rows(at)

        names = {each.name for place, each in enumerate(self._arms) if place != at}
        self._form = ArmForm(arm, nodes_of(self._runs.rows, self._checkpoints), names)
        self.app.push_screen(self._form, take)

    def _offer_checkpoints(self, checkpoints: "tuple[Checkpoint, ...]") -> None:
        self._checkpoints = checkpoints
        if self._form is not None:
            self._form.offer(nodes_of(self._runs.rows, checkpoints))

    @property
    def _at(self) -> int | None:
        chosen = self.query_one(Table).chosen
        return None if chosen is None else int(chosen)

    def _refresh_rows(self, at: int | None = None) -> None:
        table = self.query_one(Table)
        table.show([_row(place, arm) for place, arm in enumerate(self._arms)])
        if at is not None:
            table.choose(str(at))
        alone = len(self._arms) == 1
        self._show_note("A comparison needs at least two arms." if alone else "", "dim")

    def _show_note(self, text: str, role: str) -> None:
        self.query_one("#arms-note", Lines).show([(text, role)])

    def _show_error(self, error: EngineError) -> None:
        text = " ".join(part for part in (error.title, error.detail) if part)
        self._show_note(one_line(text), "bad")


def _row(place: int, arm: Arm) -> TableRow:
    name = ((one_line(arm.name), ARM_ROLES[place]),)
    return TableRow(str(place), (name, ((label_of(arm), ""),), ((how_asked(arm), "dim"),)))
