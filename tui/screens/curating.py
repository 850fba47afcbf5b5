"""What the list of runs can do with a run beside running it: order, groups, notes, putting away,
deleting, and telling what is different.
"""

import dataclasses

from engine.jobs.recipe import TrainRecipe
from engine.jobs.views import UserNotes
from engine.text import one_line
from tui.lists.listing import parent_of
from tui.lists.ordering import COLUMNS, VALUES, Order
from tui.phrases import name_of
from tui.screens.deeds import Deeds
from tui.snapshots import RunRow


class Curating(Deeds):
    """Subclasses list runs, and list them anew in `refill`."""

    def __init__(self) -> None:
        super().__init__()
        self.marked: str | None = None
        """Key of the run that others are compared with."""

    def refill(self) -> None:
        raise NotImplementedError

    @property
    def order(self) -> Order:
        return self.finetop.order

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("note", "archive", "mark"):
            return self.ready and self.chosen is not None
        if action == "remove":
            row = self.chosen if self.ready else None
            return row is not None and not row.view.state.alive and not row.shipped
        if action == "difference":
            return self.ready and self._other is not None
        if action == "turn_value":
            return self.ready and any(row.loss for row in self.finetop.runs.rows)
        return super().check_action(action, parameters)

    def action_turn_order(self, by: int) -> None:
        column = COLUMNS[(COLUMNS.index(self.order.column) + by) % len(COLUMNS)]
        self._reorder(column=column)

    def action_turn_direction(self) -> None:
        self._reorder(falling=not self.order.falling)

    def action_turn_value(self) -> None:
        self._reorder(value=VALUES[(VALUES.index(self.order.value) + 1) % len(VALUES)])

    def action_group(self) -> None:
        from engine.jobs.difference import varying
        from tui.screens.paperwork import PickField

        # The others have hardly a setting in common with them.
        found = (row.view.recipe for row in self.finetop.runs.rows)
        recipes = [recipe for recipe in found if isinstance(recipe, TrainRecipe)]

        def answer(field: str | None) -> None:
            if field is not None:
                self._reorder(group=field)

        self.app.push_screen(PickField(varying(recipes), self.order.group), answer)

    def action_note(self) -> None:
        from tui.screens.paperwork import Noted, NoteWindow

        row = self.chosen
        if row is None:
            return

        def answer(noted: Noted | None) -> None:
            if noted is not None:
                note, tags = noted
                self._change(row, note=note, tags=tags)

        self.app.push_screen(NoteWindow(name_of(row), row.view.notes), answer)

    def action_hide(self) -> None:
        if self.chosen is not None:
            self._change(self.chosen, hidden=not self.chosen.view.notes.hidden)

    def action_archive(self) -> None:
        if self.chosen is not None:
            self._change(self.chosen, archived=not self.chosen.view.notes.archived)

    def action_remove(self) -> None:
        from tui.screens.paperwork import RemoveWindow

        row = self.chosen
        if row is None or row.view.state.alive:
            return
        name = name_of(row)
        children = sum(parent_of(one) == row.view.record.id for one in self.finetop.runs.rows)

        def remove() -> str:
            self.finetop.actions.remove(row.path)
            return f"{name} was deleted"

        def answer(typed: bool | None) -> None:
            if typed:
                self.do(remove)

        self.app.push_screen(RemoveWindow(name, one_line(row.key), children), answer)

    def action_mark(self) -> None:
        if self.chosen is not None:
            self.marked = None if self.marked == self.chosen.key else self.chosen.key
            self.refill()

    def action_difference(self) -> None:
        from engine.jobs.difference import differences
        from tui.screens.paperwork import DifferenceWindow

        row, other = self.chosen, self._other
        if row is None or other is None or not row.view.recipe or not other.view.recipe:
            return
        found = differences(other.view.recipe, row.view.recipe)
        arrow = self.glyphs.arrow
        self.app.push_screen(DifferenceWindow(name_of(other), name_of(row), found, arrow))

    @property
    def _other(self) -> RunRow | None:
        """What the chosen run is compared with: the marked one, else the one it builds on."""
        row = self.chosen
        if row is None or row.view.recipe is None:
            return None
        rows = self.finetop.runs.rows
        found = self.finetop.runs.row(self.marked)
        if found is None:
            found = next((one for one in rows if one.view.record.id == parent_of(row)), None)
        return found if found is not None and found.view.recipe and found is not row else None

    def _reorder(self, **changes: str | bool) -> None:
        app = self.finetop
        app.order = order = dataclasses.replace(self.order, **changes)  # type: ignore[arg-type]
        self.refill()
        self.do(lambda: app.actions.keep_order(order))

    def _change(self, row: RunRow, **changes: str | list[str] | bool) -> None:
        def change(notes: UserNotes) -> UserNotes:
            return dataclasses.replace(notes, **changes)  # type: ignore[arg-type]

        self.do(lambda: self.finetop.actions.note(row.path, change))
