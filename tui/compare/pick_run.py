"""A small window to choose a run in."""

from collections.abc import Callable, Sequence
from typing import Any

from textual.app import App

from engine.text import one_line
from tui.formatting import name_of
from tui.screens.pick_window import PickWindow, pick_row
from tui.snapshots import RunRow
from tui.widgets.table import Column, TableRow

_COLUMNS = (Column("run", 20, 40), Column("base", 10, 16), Column("method", 8, 12))


def pick_run(
    app: App[Any], rows: Sequence[RunRow], chosen: str | None, take: Callable[[str], None]
) -> None:
    """Have a run chosen; `take` is called with its key."""
    window = PickWindow(
        _COLUMNS,
        [_row(row) for row in rows],
        chosen=chosen,
        empty="No run has a model to compare yet.",
    )
    pick_row(app, window, take)


def _row(row: RunRow) -> TableRow:
    texts = name_of(row), one_line(row.view.base), one_line(row.view.method)
    return TableRow(row.key, tuple(((text, ""),) for text in texts))
