"""The window of remedies: what can be done about a lost cell, and what starts it.

What the remedies are is `tui.impact.remedies`; this module owns their rows and what `enter` and `y`
do.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual.app import App

from engine.impact.results.evaluation_results import EvaluationResults
from engine.recipes.recipe import SweepRecipe
from engine.text import one_line
from tui.background import run_in_background
from tui.impact.remedies import Remedy, list_remedies
from tui.screens.dialogs import Copied
from tui.screens.page import Page
from tui.screens.pick_window import PickWindow, pick_row
from tui.snapshots import RunRow
from tui.widgets.table import Column, TableRow

_COLUMNS = Column("what can be done", 20, 22), Column("what is measured", 30, 52)
_LINES = 6
_KEYS = "enter start   y copy the command   esc cancel"


def open_remedies(
    page: Page, evaluation: RunRow, results: EvaluationResults, arm: str, title: str
) -> None:
    """Find what can be done about a loss of an arm, and show it; `title` says what was lost."""
    runs = [row.path for row in page.services.runs.rows]
    run_in_background(
        page, lambda: list_remedies(evaluation, results, arm, runs),
        lambda remedies: show_remedies(page, title, remedies),
        failed=page.services.show_error,
    )  # fmt: skip


def show_remedies(page: Page, title: str, remedies: Sequence[Remedy]) -> None:
    """The window, with a title that is clean."""
    known = {remedy.key: remedy for remedy in remedies}

    def copy(window: PickWindow) -> None:
        remedy = known.get(window.chosen or "")
        if remedy is not None and remedy.command:
            copy_command(page.app, remedy)

    def start(key: str) -> None:
        start_remedy(page, known[key])

    window = PickWindow(
        _COLUMNS,
        [_row(remedy) for remedy in remedies],
        extra={"y": copy},
        keys=_KEYS,
        lines=_LINES,
        title=title,
        about=lambda key: known[key].about if key is not None else "",
    )
    pick_row(page.app, window, start)


def start_remedy(page: Page, remedy: Remedy) -> None:
    """Start what measures a remedy, and show an evaluation in Impact; say why where nothing can."""
    recipe, services = remedy.recipe, page.services
    if recipe is None:
        services.notify_user(remedy.about, "warning")
        return
    services.notify_user(f"Starting {one_line(recipe.name)}...")

    def show(path: Path) -> None:
        services.feed.wake()
        if isinstance(recipe, SweepRecipe):
            # Its evaluation comes when all runs have ended.
            services.notify_user(f"{one_line(path.name)} runs: see its runs in Runs.")
        else:
            page.app.call_later(services.show_impact, str(path))

    def start() -> Path:
        if isinstance(recipe, SweepRecipe):
            return services.actions.sweep(recipe)
        return services.actions.evaluate(recipe, parents=remedy.parents)

    run_in_background(page, start, show)


def copy_command(app: App[Any], remedy: Remedy) -> None:
    """Have the terminal copy a remedy's command, and show it."""
    app.copy_to_clipboard(remedy.command)
    app.push_screen(Copied(one_line(remedy.command)))


def _row(remedy: Remedy) -> TableRow:
    role = "" if remedy.is_possible else "dim"
    cells = (((remedy.label, "strong" if remedy.is_possible else "dim"),), ((remedy.brief, role),))
    return TableRow(remedy.key, cells, dim=not remedy.is_possible)
