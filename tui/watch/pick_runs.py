"""A small window to choose several runs in."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from textual.app import App

from engine.errors import EngineError
from tui.formatting import FILTER_HINT, name_of
from tui.screens.pick_window import FilterField, Multi, Picked, PickWindow
from tui.screens.run_filter import RunFilter
from tui.screens.tree_and_groups import lifted
from tui.snapshots import RunRow
from tui.widgets.table import Column, TableRow

_KEYS = "space mark   c clear   / filter   enter overlay   esc cancel"
_TYPED = "enter apply   esc clear"


def pick_runs(
    app: App[Any],
    rows: Sequence[RunRow],
    marked: Sequence[str],
    pinned: Collection[str],
    take: Callable[[frozenset[str]], None],
) -> None:
    """Have runs marked; `take` is called with their keys. Pinned ones are drawn anyway."""
    listed = lifted(rows, pinned)
    run_filter = RunFilter()

    def matching(text: str) -> list[TableRow]:
        if not run_filter.set_text(text):
            raise EngineError("This is no filter for runs.", run_filter.error)
        return [
            TableRow(row.key, (((name_of(row), ""),),), pinned=row.run_key in pinned)
            for row in run_filter.matching(listed)
        ]

    def receive(picked: Picked) -> None:
        take(frozenset(picked.marked))

    PickWindow(
        (Column("overlay", 20, 70),),
        matching(""),
        multi=Multi(marked),
        field=FilterField(FILTER_HINT, matching, by_slash=True, keys=_TYPED),
        extra={"c": PickWindow.clear_marks},
        keys=_KEYS,
        empty="No runs match the filter." if rows else "No other runs.",
    ).open(app, receive)
