"""What is remembered of the list of jobs: notes beside each, the order in a file for the folder.

The mark, which says what recipes are compared with, lasts as long as the dashboard.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from textual.app import App

from engine.jobs.summary import UserNotes
from tui.background import run_in_background
from tui.screens.sort_order import SortOrder
from tui.snapshots import RunRow

if TYPE_CHECKING:
    from tui.services import Services


class RunsMemory:
    """A `ListMemory`. The app has read the order before it opens."""

    several_marks = False
    read_only = False
    run_filter = ""
    """The list of jobs opens whole."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._marked = ""

    @property
    def _services(self) -> "Services":
        return cast("Services", self._app)

    @property
    def order(self) -> SortOrder:
        return self._services.order

    @property
    def marked(self) -> Sequence[str]:
        return [self._marked] if self._marked else []

    @property
    def pinned_tags(self) -> Sequence[str]:
        return self._services.chart_settings.view.pinned_tags

    def load(self, then: Callable[[str], None]) -> None:
        """Everything is known."""

    def change_order(self, order: SortOrder) -> None:
        services = self._services
        services.order = order
        run_in_background(self._app, lambda: services.actions.keep_order(order))

    def toggle_marks(self, run_keys: Sequence[str]) -> None:
        """Of several, the last."""
        marked = run_keys[-1] if run_keys else ""
        self._marked = "" if marked == self._marked else marked

    def annotate(self, row: RunRow, changes: dict[str, Any]) -> None:
        services = self._services

        def change(notes: UserNotes) -> UserNotes:
            return dataclasses.replace(notes, **changes)

        run_in_background(
            self._app,
            lambda: services.actions.note(row.path, change),
            lambda _: services.feed.wake(),
        )

    def keep_filter(self, text: str) -> None:
        """It is not kept."""
