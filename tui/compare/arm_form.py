"""A window to write one arm in: what answers, picked from the list, and how it is asked."""

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.compare.arms import INVALID, Arm
from engine.errors import EngineError
from engine.text import one_line
from tui.compare.arm_fields import GROUPS, HINTS, Node, arm_of, free_name, values_of
from tui.screens.modal import Window
from tui.widgets.form import Form
from tui.widgets.lines import Lines
from tui.widgets.table import Column, Table, TableRow

_COLUMNS = (Column("model", 20, 34), Column("details", 14, 44))
_FRAME = 9
"""Lines that are neither form nor list."""


class ArmForm(Window[Arm | None]):
    """Dismissed with the arm. The list fills in a model; the fields take anything."""

    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", show=False),
        Binding("ctrl+s", "accept", show=False, priority=True),
        Binding("ctrl+l", "list", show=False, priority=True),
    ]

    def __init__(self, arm: Arm | None, nodes: Sequence[Node], taken: Collection[str]) -> None:
        super().__init__()
        self._arm = arm
        self._known = tuple(nodes)
        self._taken = taken
        self.is_key_typed = False
        """Whether the user typed the variable of the API key, and did not only find it there."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Table(_COLUMNS, empty="searching for models...")
            yield Form(GROUPS, id="arm")
            yield Lines(id="arm-hint")
            yield Lines(id="arm-keys")

    def on_mount(self) -> None:
        empty = Arm("", "")
        self.query_one(Form).fill(values_of(self._arm or empty))
        self.offer(self._known)
        if self._arm is not None:
            self.query_one(Table).choose(self._arm.adapter or self._arm.checkpoint)
        keys = "enter select  tab next field  ctrl+l models  ctrl+s save  esc cancel"
        self.query_one("#arm-keys", Lines).show([(keys, "dim")])
        self._update_hint()

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(Form).limit(max(2, event.size.height - _FRAME - 4))

    def offer(self, nodes: Sequence[Node]) -> None:
        """What can be picked is known by now."""
        self._known = tuple(nodes)
        for table in self.query(Table):  # none, until it is composed
            table.show([_row(node) for node in self._known])

    def on_descendant_focus(self) -> None:
        self._update_hint()

    def on_form_edited(self, event: Form.Edited) -> None:
        before = values_of(self._arm)["key"] if self._arm else ""
        if event.key == "key" and self.query_one(Form).values["key"] != before:
            self.is_key_typed = True
        self._update_hint()

    def action_list(self) -> None:
        self.query_one(Table).focus()

    def action_take(self) -> None:
        """The chosen node answers; an arm without a name is called after it."""
        ref = self.query_one(Table).chosen
        node = next((each for each in self._known if each.ref == ref), None)
        if node is None or not self.query_one(Table).has_focus:
            return
        form = self.query_one(Form)
        name = form.values["name"] or free_name(node.ref, self._taken)
        form.fill({"checkpoint": node.ref, "adapter": "", "name": name})
        form.enter()

    def action_accept(self) -> None:
        try:
            self.dismiss(self._read())
        except EngineError as error:
            self._show_error(error)

    def _read(self) -> Arm:
        return arm_of(self.query_one(Form).values, self._known, self._taken)

    def _update_hint(self) -> None:
        """What the field is for, or what is wrong with the arm."""
        if self.query_one(Table).has_focus:
            self.query_one("#arm-hint", Lines).show([])
            return
        key = self.query_one(Form).focused_key
        try:
            self._read()
        except EngineError as error:
            if self.query_one(Form).values["checkpoint"]:
                self._show_error(error)
                return
        self.query_one("#arm-hint", Lines).show([(HINTS.get(key, ""), "dim")])

    def _show_error(self, error: EngineError) -> None:
        title = error.title.removeprefix(INVALID)
        # The hint of an arm in words is the grammar of the command line, which no field has.
        hint = error.hint if title == error.title else ""
        text = " ".join(part for part in (title, hint) if part)
        self.query_one("#arm-hint", Lines).show([(one_line(text), "bad")])


def _row(node: Node) -> TableRow:
    about = node.reason or node.about
    role = "warn" if node.reason else "dim"
    return TableRow(node.ref, (((node.name, ""),), ((about, role),)), dim=bool(node.reason))
