"""The runs that Watch draws beside the watched one: those that are marked, and those pinned."""

from collections.abc import Callable, Mapping

from engine.recipes.recipe import (
    ExportRecipe,
    GenerateRecipe,
    JudgeRecipe,
    SweepRecipe,
    SynthesizeRecipe,
)
from tui.background import run_in_background
from tui.charts.run_curves import RunCurves
from tui.feeds.overlay_reader import OverlayReader
from tui.formatting import name_of
from tui.screens.page import Page
from tui.snapshots import Curves, RunRow

_WITHOUT_CURVES = GenerateRecipe | JudgeRecipe | SweepRecipe | ExportRecipe | SynthesizeRecipe


class Overlay:
    """Of a page, whose services say which runs there are; read on a thread, then kept."""

    def __init__(self, page: Page, then: Callable[[], None]) -> None:
        """`then` is called when other curves were read."""
        self._page = page
        self._then = then
        self._reader = OverlayReader()
        self._curves: Mapping[str, Curves] = {}
        """By the keys of the runs."""

    @property
    def rows(self) -> list[RunRow]:
        """The runs to be drawn, in the order of all."""
        services = self._page.services
        run_keys = {*services.chart_settings.view.selected, *services.pins}
        return [row for row in self.others if row.run_key in run_keys] if run_keys else []

    @property
    def others(self) -> list[RunRow]:
        """All runs but the watched one; a job without curves cannot be drawn beside it."""
        services = self._page.services
        rows = [row for row in services.runs.rows if row.key != services.selected]
        return [row for row in rows if not isinstance(row.view.recipe, _WITHOUT_CURVES)]

    @property
    def runs(self) -> list[RunCurves]:
        """Those of them whose curves are there."""
        return [
            RunCurves(name_of(row), curves.series, curves.derived) for row, curves in self._read
        ]

    @property
    def problems(self) -> list[str]:
        """Which of their curves stopped being numbers; clean."""
        return [
            f"overlaid {name_of(row)}: {problem}"
            for row, curves in self._read
            for problem in curves.problems
        ]

    @property
    def _read(self) -> list[tuple[RunRow, Curves]]:
        return [(row, self._curves[row.key]) for row in self.rows if row.key in self._curves]

    def choose(self, keys: frozenset[str]) -> None:
        """Mark these of the other runs, and no more of them."""
        settings, others = self._page.services.chart_settings, self.others
        listed = {row.run_key for row in others}
        elsewhere = [key for key in settings.view.selected if key not in listed]
        settings.change(selected=elsewhere + [row.run_key for row in others if row.key in keys])
        self.read()

    def read(self) -> None:
        """Read the curves as they stand; what is no longer drawn is let go."""
        rows = self.rows
        if not rows:
            self._take({})
            return
        run_in_background(
            self._page, lambda: self._reader.read(rows), self._take, group="overlay", exclusive=True
        )

    def _take(self, curves: Mapping[str, Curves]) -> None:
        if curves or self._curves:
            self._curves = curves
            self._then()
