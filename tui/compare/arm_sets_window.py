"""A window to choose a saved set of arms in, and to delete some."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from textual.app import App

from engine.compare.arms import Arm
from engine.text import one_line
from tui.background import run_in_background
from tui.screens.pick_window import PickWindow, pick_row
from tui.widgets.table import Column, TableRow

if TYPE_CHECKING:
    from tui.actions import Actions

_COLUMNS = (Column("arm set", 16, 28), Column("arms", 20, 60))
_LINES = 6


def pick_arm_set(
    app: App[Any],
    sets: Mapping[str, tuple[Arm, ...]],
    actions: "Actions",
    take: Callable[[tuple[Arm, ...]], None],
) -> None:
    """Have a set chosen; `take` is called with its arms."""
    left = dict(sets)

    def remove(window: PickWindow) -> None:
        name = window.chosen
        if name is not None:
            del left[name]
            window.replace_rows(_rows(left))
            # Of the app: an error is shown, whether the window is still there or not.
            run_in_background(app, lambda: actions.drop_arms(name))

    window = PickWindow(
        _COLUMNS,
        _rows(left),
        extra={"D": remove, "delete": remove},
        keys="enter select   D delete   esc cancel",
        empty="No saved sets.",
        lines=_LINES,
    )
    pick_row(app, window, lambda name: take(left[name]))


def _rows(sets: Mapping[str, tuple[Arm, ...]]) -> list[TableRow]:
    return [
        TableRow(name, (((one_line(name), ""),), ((_names(arms), "dim"),)))
        for name, arms in sets.items()
    ]


def _names(arms: tuple[Arm, ...]) -> str:
    return one_line(", ".join(arm.name for arm in arms))
