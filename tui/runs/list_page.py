"""What every list of runs can do with a run beside watching it: a filter, groups, notes, pins,
putting away, and telling what is set otherwise.

Where groups, pins and notes are kept is the subclasses' affair.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tui.formatting import FILTER_HINT, name_of
from tui.screens.run_actions import RunActions
from tui.screens.tree_and_groups import settings_of
from tui.snapshots import RunRow

if TYPE_CHECKING:
    from tui.screens.run_filter import RunFilter


class RunListPage(RunActions):
    """Subclasses list runs, and list them anew in `refill`."""

    filter_hint = FILTER_HINT

    def __init__(self) -> None:
        super().__init__()
        self._hidden = False
        """Whether hidden runs are listed too."""
        self._archived = False
        self._run_filter: RunFilter | None = None
        """What was typed after `/`; None as long as nothing was."""

    def refill(self) -> None:
        raise NotImplementedError

    @property
    def group(self) -> str:
        """The setting whose values runs are grouped by; empty: they are not."""
        raise NotImplementedError

    def regroup(self, setting: str) -> None:
        """Group by another setting, and keep that."""
        raise NotImplementedError

    def keep_pins(self, run_keys: list[str]) -> None:
        """Have these runs on top, and always drawn."""
        raise NotImplementedError

    def annotate(self, row: RunRow, **changes: str | list[str] | bool) -> None:
        """Keep another of `UserNotes` for a run."""
        raise NotImplementedError

    @property
    def other(self) -> RunRow | None:
        """The run that the chosen one is compared with."""
        raise NotImplementedError

    @property
    def settings(self) -> Sequence[Mapping[str, Any]]:
        """Of all runs that can be grouped."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("note", "archive", "hide", "pin", "mark"):
            return self.ready and self.chosen is not None
        if action == "difference":
            return self.ready and self._differing is not None
        return super().check_action(action, parameters)

    def apply_filter(self, text: str) -> None:
        if self._run_filter is None:
            from tui.screens.run_filter import RunFilter

            self._run_filter = RunFilter()
        self._run_filter.set_text(text)
        self.refill()

    def filtered(self, rows: Sequence[RunRow]) -> list[RunRow]:
        """Those that the filter lets through."""
        return list(rows) if self._run_filter is None else self._run_filter.matching(rows)

    @property
    def filter_error(self) -> str:
        """Why what is typed is no filter; empty where it is one."""
        return "" if self._run_filter is None else self._run_filter.error

    def action_group(self) -> None:
        from engine.recipes.diff import varying
        from tui.screens.run_dialogs import pick_group

        def take(field: str) -> None:
            self.regroup(field)
            self.refill()

        pick_group(self.app, varying(self.settings), self.group, take)

    def action_note(self) -> None:
        from tui.screens.run_dialogs import Noted, NoteWindow

        row = self.chosen
        if row is None:
            return

        def answer(noted: Noted | None) -> None:
            if noted is not None:
                self.annotate(row, note=noted[0], tags=noted[1])

        self.app.push_screen(NoteWindow(name_of(row), row.view.notes), answer)

    def action_hide(self) -> None:
        if self.chosen is not None:
            self.annotate(self.chosen, hidden=not self.chosen.view.notes.hidden)

    def action_archive(self) -> None:
        if self.chosen is not None:
            self.annotate(self.chosen, archived=not self.chosen.view.notes.archived)

    def action_show_hidden(self) -> None:
        self._hidden = not self._hidden
        self.refill()

    def action_show_archived(self) -> None:
        self._archived = not self._archived
        self.refill()

    def action_pin(self) -> None:
        if self.chosen is None:
            return
        key, pins = self.chosen.run_key, self.services.pins
        self.keep_pins([one for one in pins if one != key] if key in pins else [*pins, key])
        self.refill()

    def action_difference(self) -> None:
        from engine.recipes.diff import differences
        from tui.screens.run_dialogs import DifferenceWindow

        if (pair := self._differing) is None:
            return
        row, other = pair
        found = differences(settings_of(other), settings_of(row))
        arrow = self.glyphs.arrow
        self.app.push_screen(DifferenceWindow(name_of(other), name_of(row), found, arrow))

    @property
    def _differing(self) -> tuple[RunRow, RunRow] | None:
        """The chosen run and the other one, where settings of both are known."""
        row, other = self.chosen, self.other
        if row is None or other is None or other.key == row.key:
            return None
        return (row, other) if _has_settings(row) and _has_settings(other) else None


def _has_settings(row: RunRow) -> bool:
    return row.view.recipe is not None or bool(row.log and row.log.settings)
