"""What the list of jobs adds to a list of runs: an order that is kept, notes beside each job,
deleting, a mark to compare recipes with.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from engine.jobs.difference import flatten
from engine.jobs.recipe import TrainRecipe
from engine.jobs.views import UserNotes
from engine.text import one_line
from tui.lists.listing import parent_of
from tui.lists.ordering import COLUMNS, VALUES, Order
from tui.phrases import name_of
from tui.screens.curating import Curating
from tui.snapshots import RunRow


class Filing(Curating):
    """Subclasses draw the list."""

    def __init__(self) -> None:
        super().__init__()
        self.marked: str | None = None
        """Key of the run that others are compared with."""

    @property
    def order(self) -> Order:
        return self.services.order

    @property
    def group(self) -> str:
        return self.order.group

    @property
    def settings(self) -> Sequence[Mapping[str, Any]]:
        # The others have hardly a setting in common with those that learn.
        found = (row.view.recipe for row in self.services.runs.rows)
        return [flatten(recipe) for recipe in found if isinstance(recipe, TrainRecipe)]

    @property
    def other(self) -> RunRow | None:
        """The marked run, else the one that the chosen one builds on."""
        runs, row = self.services.runs, self.chosen
        if row is None or (marked := runs.row(self.marked)) is not None:
            return marked if row is not None else None
        return next((one for one in runs.rows if one.view.record.id == parent_of(row)), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "remove":
            row = self.chosen if self.ready else None
            return row is not None and not row.view.state.alive and not row.shipped
        if action in ("turn_value", "pick_tag"):
            return self.ready and any(row.tags for row in self.services.runs.rows)
        return super().check_action(action, parameters)

    def regroup(self, setting: str) -> None:
        self._reorder(group=setting)

    def keep_pins(self, marks: list[str]) -> None:
        self._reorder(pinned=marks)

    def annotate(self, row: RunRow, **changes: str | list[str] | bool) -> None:
        def change(notes: UserNotes) -> UserNotes:
            return dataclasses.replace(notes, **changes)  # type: ignore[arg-type]

        self.do(lambda: self.services.actions.note(row.path, change))

    def action_turn_order(self, by: int) -> None:
        column = COLUMNS[(COLUMNS.index(self.order.column) + by) % len(COLUMNS)]
        self._reorder(column=column, tag="")

    def action_turn_direction(self) -> None:
        self._reorder(falling=not self.order.falling)

    def action_turn_value(self) -> None:
        self._reorder(value=VALUES[(VALUES.index(self.order.value) + 1) % len(VALUES)])

    def action_pick_tag(self) -> None:
        """Sort by any tag that some run logged."""
        from tui.screens.picktags import PickTags

        tags = sorted({tag for row in self.services.runs.rows for tag in row.tags})
        looks, order = self.services.looks, self.order

        def take(choice: "tuple[str | None, list[str]] | None") -> None:
            if choice is not None:
                tag, pinned = choice
                looks.change(pinned_tags=pinned)
                self._reorder(column="", tag=tag or "")

        def ask(note: str) -> None:
            if note:
                self.services.say(note, "warning")
            names = {tag: tag for tag in tags}
            self.app.push_screen(PickTags(names, looks.view.pinned_tags, order.tag or None), take)

        looks.recall(ask)

    def action_remove(self) -> None:
        from tui.screens.paperwork import RemoveWindow

        row = self.chosen
        if row is None or row.view.state.alive:
            return
        name = name_of(row)
        children = sum(parent_of(one) == row.view.record.id for one in self.services.runs.rows)

        def remove() -> str:
            self.services.actions.remove(row.path)
            return f"{name} was deleted"

        def answer(typed: bool | None) -> None:
            if typed:
                self.do(remove)

        self.app.push_screen(RemoveWindow(name, one_line(row.key), children), answer)

    def action_mark(self) -> None:
        if self.chosen is not None:
            self.marked = None if self.marked == self.chosen.key else self.chosen.key
            self.refill()

    def _reorder(self, **changes: Any) -> None:
        services = self.services
        services.order = order = dataclasses.replace(self.order, **changes)
        self.refill()
        self.do(lambda: services.actions.keep_order(order))
