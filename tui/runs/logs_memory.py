"""What is remembered of the list of watched logs: all of it in the view of their directory.

Nothing is written beside logs.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tui.feeds.log_rows import changed
from tui.screens.sort_order import LOG_COLUMNS, VALUES, SortOrder
from tui.snapshots import RunRow

if TYPE_CHECKING:
    from engine.charts.view_state import ViewState
    from tui.services import LogServices


class LogsMemory:
    """A `ListMemory`."""

    several_marks = True
    read_only = True

    def __init__(self, services: "LogServices") -> None:
        self._services = services

    @property
    def _view(self) -> "ViewState":
        return self._services.chart_settings.view

    @property
    def order(self) -> SortOrder:
        view = self._view
        return parse_order(view.sort_by, view.descending, view.group_by, view.pinned_runs)

    @property
    def marked(self) -> Sequence[str]:
        return self._view.selected

    @property
    def pinned_tags(self) -> Sequence[str]:
        return self._view.pinned_tags

    @property
    def run_filter(self) -> str:
        return self._view.run_filter

    def load(self, then: Callable[[str], None]) -> None:
        def show(note: str) -> None:
            self._services.reload_notes()
            then(note)

        self._services.chart_settings.recall(show)

    def change_order(self, order: SortOrder) -> None:
        self._services.chart_settings.change(
            sort_by=sort_by(order),
            descending=order.descending,
            group_by=order.group,
            pinned_runs=order.pinned,
        )

    def toggle_marks(self, run_keys: Sequence[str]) -> None:
        marked = self._view.selected
        known, given = set(marked), set(run_keys)
        if given <= known:
            selected = [key for key in marked if key not in given]
        else:
            selected = [*marked, *(key for key in run_keys if key not in known)]
        self._services.chart_settings.change(selected=selected)

    def annotate(self, row: RunRow, changes: dict[str, Any]) -> None:
        notes = changed(self._view.notes, row, changes)
        self._services.chart_settings.change(notes=notes)
        self._services.reload_notes()

    def keep_filter(self, text: str) -> None:
        if text != self._view.run_filter:
            self._services.chart_settings.change(run_filter=text)


def parse_order(
    text: str, descending: bool, group: str = "", pinned: Sequence[str] = ()
) -> SortOrder:
    """The order that `ViewState.sort_by` names: a column, or `value:tag`; else by name."""
    value, colon, tag = text.partition(":")
    if colon and value in VALUES:
        return SortOrder("", descending, value, group, [*pinned], tag)
    column = text if text in LOG_COLUMNS else ""
    return SortOrder(column, descending, group=group, pinned=[*pinned])


def sort_by(order: SortOrder) -> str:
    """As `ViewState.sort_by` has it; the opposite of `parse_order`."""
    return f"{order.value}:{order.tag}" if order.tag else order.column or "name"
