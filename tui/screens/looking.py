"""How Watch is looked at: axis, smoothing, scale, filter, zoom, grid, overlay; and export.

Remembered for each directory, on a thread. Draws nothing itself.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError
from engine.text import one_line
from engine.viewing import state as states
from engine.viewing.axes import Axis
from engine.viewing.filters import Filter, parse
from engine.viewing.state import ViewState
from tui.beside import Beside
from tui.boards import AXES, Board, Drawn
from tui.phrases import name_of
from tui.readings import ChartSpec, charts_of
from tui.screens.deeds import Deeds
from tui.snapshots import RunDetail

if TYPE_CHECKING:
    from textual.widgets import Input

    from engine.events.series import Series
    from tui.widgets.chart import Chart

SMOOTHING = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)
GRIDS = ((0, 0), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (4, 4))
"""Rows and columns of charts, in turn; the first is as many as there is room for."""
MOST_ZOOM = 1e-6
"""Least share of all x that can be looked at."""


class Looking(Deeds):
    """Subclasses lay out, draw and tell."""

    def __init__(self) -> None:
        super().__init__()
        self._detail: RunDetail | None = None
        self._specs: tuple[ChartSpec, ...] = charts_of({})
        self._charts: list[Chart] = []
        self._view = ViewState()
        self._filter: Filter | None = None
        self._wrong = ""
        """Why what is typed is no filter."""
        self._grid = 0
        """Which of GRIDS; 0 is as many charts as there is room for."""
        self._full = False
        self._picked: frozenset[str] = frozenset()
        """Keys of the runs that are drawn beside the watched one."""
        self._beside: Mapping[str, Mapping[str, Series]] = {}
        self._reader = Beside()
        self._boards: list[Board] = []
        self._window: tuple[float, float] | None = None
        """The part of x that is drawn; None: all of it."""
        self._whole = (0.0, 1.0)
        """All of x, as it was before zooming."""
        self._remembered = False
        self._first_chart = 0

    def _spec(self, at: int) -> ChartSpec:
        return self._specs[(self._first_chart + at) % len(self._specs)]

    def _dress(self) -> None:
        raise NotImplementedError

    def _draw_curves(self) -> None:
        raise NotImplementedError

    def _refresh_all(self) -> None:
        raise NotImplementedError

    def _lay_out(self) -> None:
        raise NotImplementedError

    def _put_cursor(self, cursor: float | None) -> None:
        raise NotImplementedError

    def _tell(self) -> None:
        raise NotImplementedError

    @property
    def _series(self) -> "Mapping[str, Series]":
        return self._detail.series if self._detail else {}

    def _recall(self) -> None:
        """Look as one looked at this directory last time."""
        place, asked, before = self.finetop.place, self.finetop.tags, self._view

        def recall() -> None:
            state, note = states.load(place)
            self.app.call_from_thread(take, state, note)

        def take(state: ViewState, note: str) -> None:
            if self._view is before:
                self._view = state
            if asked or self._view.tag_filter:
                self.narrow(asked or self._view.tag_filter)
                self.word = asked or self._view.tag_filter
            self._dress()
            self._refresh_all()
            if note:
                self.finetop.say(note, "warning")

        self.run_worker(recall, thread=True, group="view")

    def action_smooth(self, by: int) -> None:
        at = min(range(len(SMOOTHING)), key=lambda i: abs(SMOOTHING[i] - self._view.smoothing))
        at = max(0, min(at + by, len(SMOOTHING) - 1))
        self._look(smoothing=SMOOTHING[at])
        self._dress()

    def action_log_scale(self) -> None:
        """Of the charts in sight: all logarithmic, or none where all of them are."""
        here = {self._spec(at).traces[0].tag for at in range(len(self._charts)) if self._specs}
        known = set(self._view.log_scale)
        self._look(log_scale=sorted(known - here if here <= known else known | here))
        self._dress()

    def action_turn_axis(self) -> None:
        self._window = None
        self._look(axis=AXES[(AXES.index(self._axis) + 1) % len(AXES)].value)
        self._put_cursor(None)
        self._dress()
        self._draw_curves()

    def action_zoom(self, factor: float) -> None:
        span = self._charts[0].span if self._charts else None
        if span is None:
            return
        low, high = span
        cursor = self._charts[0].cursor
        middle = (low + high) / 2 if cursor is None else cursor
        half = (high - low) * factor / 2
        if self._window is None:
            self._whole = span
        whole = self._whole
        if factor < 1 and half * 2 < (whole[1] - whole[0]) * MOST_ZOOM:
            return
        wide = half * 2 >= whole[1] - whole[0]
        self._window = None if wide else (middle - half, middle + half)
        self._draw_curves()

    def action_pan(self, by: int) -> None:
        if self._window is None:
            return
        low, high = self._window
        first, last = self._whole
        away = (high - low) / 4 * by
        away = max(away, min(first - low, 0.0)) if by < 0 else min(away, max(last - high, 0.0))
        self._window = low + away, high + away
        self._draw_curves()

    async def action_export(self) -> None:
        """Ask for a name; its ending says what is written."""
        from textual.widgets import Input

        if not self.query("#export"):
            field = Input(placeholder="name.svg, .csv or .json; without an ending all three",
                          compact=True, id="export")  # fmt: skip
            field.add_class("text-field")
            field.cursor_blink = False
            await self.mount(field)
        self.query_one("#export").focus()

    def on_input_submitted(self, event: "Input.Submitted") -> None:
        if event.input.id == "export":
            name = event.value.strip()
            self.step_back()
            if name and self._boards:
                self._export(Path(name).expanduser())
        else:
            super().on_input_submitted(event)

    def _export(self, path: Path) -> None:
        spec, made, drawn = self._spec(0), self._boards[0], self._drawn
        chart = self._charts[0]
        look = {"log": chart.log_scale, "smoothing": chart.smoothing}
        axis = self._axis

        def export() -> str:
            from tui import exporting

            svg = exporting.picture(made, axis, log=bool(look["log"]), smoothing=look["smoothing"])
            return one_line(exporting.write(path, svg, exporting.selected(spec, drawn)))

        self.do(export)

    def action_branches(self) -> None:
        self._look(branches=not self._view.branches)
        self._draw_curves()
        left = sum(len(one.abandoned) for one in self._series.values())
        if self._view.branches and not left:
            self.finetop.say("No resume of this run left anything behind.")

    def action_full_screen(self) -> None:
        self._full = not self._full
        self._charts = []
        self._lay_out()
        self._refresh_all()

    def action_overlay(self) -> None:
        """Choose runs to be drawn beside this one."""
        from tui.screens.pickruns import PickRuns

        rows = [row for row in self.finetop.runs.rows if row.key != self.finetop.selected]

        def take(keys: frozenset[str] | None) -> None:
            if keys is not None:
                self._picked = keys
                self._read_beside()

        self.app.push_screen(PickRuns(rows, self._picked), take)

    def _read_beside(self) -> None:
        rows = [row for row in self.finetop.runs.rows if row.key in self._picked]

        def read() -> None:
            self.app.call_from_thread(self._take_beside, self._reader.read(rows))

        self.run_worker(read, thread=True, group="beside", exclusive=True)

    def _take_beside(self, curves: "Mapping[str, Mapping[str, Series]]") -> None:
        self._beside = curves
        self._refresh_all()

    def action_turn_grid(self) -> None:
        self._grid = (self._grid + 1) % len(GRIDS)
        self._charts = []
        self._lay_out()

    def narrow(self, word: str) -> None:
        """Draw only the tags that an expression lets through."""
        try:
            self._filter, self._wrong = (parse(word) if word.strip() else None), ""
        except EngineError as error:
            self._wrong = f"filter: {one_line(error.detail.rpartition('^ ')[2])}"
        else:
            self._look(tag_filter=word)
            self._first_chart = 0
        self._draw_curves()
        self._tell()

    @property
    def _axis(self) -> Axis:
        return Axis(self._view.axis)

    def _look(self, **changes: Any) -> None:
        """Look at the charts in another way."""
        self._view = dataclasses.replace(self._view, **changes)

        def keep() -> None:
            note = states.save(self.finetop.place, self._view)
            if note:
                self.app.call_from_thread(self.finetop.say, note, "warning")

        self.run_worker(keep, thread=True, group="view")

    @property
    def _drawn(self) -> list[Drawn]:
        """The runs whose curves are drawn."""
        detail = self._detail
        if detail is None:
            return []
        drawn = [Drawn(name_of(detail.row), detail.series, detail.derived)]
        for row in self.finetop.runs.rows:
            curves = self._beside.get(row.key) if row.key in self._picked else None
            if curves is not None and row.key != detail.row.key:
                drawn.append(Drawn(name_of(row), curves))
        return drawn
