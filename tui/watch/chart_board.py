"""The charts of Watch in their grid: which tags they draw, along which axis, how, and how far in.

Owns cursor, zoom, axis, smoothing, scale, tag filter and pinned tags, and keeps them by the chart
settings that it is given. Gets curves by `show`; knows no services, reads no disk, opens nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.message import Message
from textual.widget import Widget

from engine.charts.axes import Axis
from engine.charts.filters import Filter, parse
from engine.errors import EngineError
from engine.text import one_line
from tui.charts.chart import Chart
from tui.charts.chart_data import AXES, ChartData, build_chart_data
from tui.charts.cursor import place_of, step_at
from tui.charts.curve import Level
from tui.charts.run_curves import RunCurves
from tui.charts.run_lines import ChartSpec, charts_of, levels_of
from tui.charts.view_store import ChartSettings
from tui.formatting import name_of
from tui.glyphs import Glyphs
from tui.snapshots import RunDetail
from tui.watch import zoom
from tui.watch.export import DrawnChart
from tui.watch.zoom import Span

if TYPE_CHECKING:
    from engine.charts.view_state import ViewState
    from engine.events.series import Series

SMOOTHING = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)
GRIDS = ((0, 0), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (4, 4))
"""Rows and columns of charts, in turn; the first is as many as there is room for."""


class ChartBoard(Widget):
    """Charts of a run and of those beside it; one cursor and one zoom for all of them."""

    DEFAULT_CSS = """
    ChartBoard {
        layout: grid;
        grid-size: 2;
        grid-gutter: 0 1;
        width: 1fr;
        height: 1fr;
        overflow: hidden hidden;
    }
    """

    class CursorMoved(Message):
        """The cursor stands elsewhere, or there is none any more."""

        def __init__(self, cursor: float | None) -> None:
            super().__init__()
            self.cursor = cursor

    class ChartsChanged(Message):
        """Other charts, curves or parts of x are drawn; not posted for what `show` brings."""

    def __init__(self, settings: ChartSettings, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.charts: list[Chart] = []
        self.chart_data: list[ChartData] = []
        """What the charts draw, in their order; fewer where there are more charts than tags."""
        self.specs: tuple[ChartSpec, ...] = charts_of({})
        """All that can be drawn, pinned tags first."""
        self.window: Span | None = None
        """The part of x that is drawn; None: all of it."""
        self.full_screen = False
        """Whether one chart is drawn alone."""
        self.filter_error = ""
        """Why the text that was given last is no filter."""
        self._settings = settings
        self._glyphs = glyphs
        self._detail: RunDetail | None = None
        self._overlay: tuple[RunCurves, ...] = ()
        self._filter: Filter | None = None
        self._first = 0
        """Which of the specs comes first."""
        self._before_zoom: Span | None = None
        """What was drawn then: wider than the points of a run that goes on."""

    def on_resize(self) -> None:
        self.call_after_refresh(self.lay_out)

    @property
    def runs(self) -> list[RunCurves]:
        """The runs whose curves are drawn, the watched one first."""
        if self._detail is None:
            return []
        watched = RunCurves(name_of(self._detail.row), self.series, self._detail.derived)
        return [watched, *self._overlay]

    @property
    def series(self) -> "Mapping[str, Series]":
        """Of the watched run, by tag."""
        return self._detail.series if self._detail else {}

    @property
    def axis(self) -> Axis:
        return Axis(self._view.axis)

    @property
    def cursor(self) -> float | None:
        """Its place along the axis; None without one."""
        return self.charts[0].cursor if self.charts else None

    @property
    def step(self) -> int | None:
        """The step under the cursor; None without one."""
        return step_at(self.series, self.cursor, self.axis)

    @property
    def tag(self) -> str | None:
        """The tag by which the first chart is known."""
        return self._spec(0).traces[0].tag if self.specs else None

    @property
    def titles(self) -> dict[str, str]:
        """The title of every chart there could be, by its tag; the filter does not count."""
        return {spec.traces[0].tag: spec.title for spec in charts_of(self.series)}

    @property
    def draws_abandoned(self) -> bool:
        """Whether branches that a resume abandoned are asked for."""
        return self._view.branches

    @property
    def draws_curves(self) -> bool:
        """Whether any chart has something to draw."""
        return any(data.curves for data in self.chart_data)

    @property
    def drawn_chart(self) -> DrawnChart | None:
        """The first chart as it is drawn now; None where it has no curve."""
        if not self.chart_data or not self.chart_data[0].curves:
            return None
        chart = self.charts[0]
        return DrawnChart(
            self._spec(0),
            self.chart_data[0],
            tuple(self.runs),
            self.axis,
            chart.log_scale,
            chart.smoothing,
            self.window,
            tuple(self._levels(0)),
            self.draws_abandoned,
        )

    def show(self, detail: RunDetail | None, overlay: Sequence[RunCurves] = ()) -> None:
        """Draw a run, and others beside it. A cursor is for one run: another one has none yet."""
        before, self._detail, self._overlay = self._detail, detail, tuple(overlay)
        if detail and (before is None or before.row.key != detail.row.key):
            for chart in self.charts:
                chart.clear_cursor()
        self._draw()

    def use_glyphs(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._renew_charts()

    def reload_settings(self) -> None:
        """Draw by settings that came from elsewhere: the saved ones."""
        self.lay_out()
        self._apply_settings()
        self._redraw()

    def lay_out(self) -> None:
        """Have as many charts as there is room for.

        To be called where the terminal's size is another, which may leave the board's as it was.
        """
        if not self.is_attached:
            return
        rows, columns = self._shape
        self.styles.grid_size_rows, self.styles.grid_size_columns = rows, columns
        if len(self.charts) == rows * columns:
            return
        self.remove_children()
        self.charts = [Chart(glyphs=self._glyphs) for _ in range(rows * columns)]
        self.mount(*self.charts)
        self._apply_settings()
        self._redraw()

    def turn_grid(self) -> None:
        """More charts at once, or fewer."""
        rows, columns = GRIDS[(self._grid + 1) % len(GRIDS)]
        self._change(rows=rows, columns=columns)
        self._renew_charts()

    def turn_charts(self) -> None:
        """The charts after these, where not all fit."""
        if self.specs:
            self._first = (self._first + max(1, len(self.charts))) % len(self.specs)
            self._renew_charts()

    def toggle_full_screen(self) -> None:
        """One chart alone, or all of them."""
        self.full_screen = not self.full_screen
        self._renew_charts()

    def smooth(self, by: int) -> None:
        """More, or (negative) less."""
        at = min(range(len(SMOOTHING)), key=lambda i: abs(SMOOTHING[i] - self._view.smoothing))
        self._change(smoothing=SMOOTHING[max(0, min(at + by, len(SMOOTHING) - 1))])
        self._apply_settings()

    def toggle_log_scale(self) -> None:
        """Of the charts in sight: all logarithmic, or none where all of them are."""
        here = {self._spec(at).traces[0].tag for at in range(len(self.charts)) if self.specs}
        logarithmic = set(self._view.log_scale)
        others = logarithmic - here
        self._change(log_scale=sorted(others if here <= logarithmic else others | here))
        self._apply_settings()

    def turn_axis(self) -> None:
        """Along the next axis; the cursor stays at its step, where this axis knows that."""
        step = self.step
        self._change(axis=AXES[(AXES.index(self.axis) + 1) % len(AXES)].value, window=[])
        self._apply_settings()
        self._redraw()
        self.move_to_step(step)

    def toggle_abandoned(self) -> None:
        """Draw what a resume abandoned, or no longer."""
        self._change(branches=not self._view.branches)
        self._redraw()

    def set_filter(self, text: str, *, keep: bool = True) -> None:
        """Draw only the tags that an expression lets through, and remember it unless told not to.

        What is none leaves the one before; `filter_error` says why.
        """
        try:
            self._filter, self.filter_error = (parse(text) if text.strip() else None), ""
        except EngineError as error:
            self.filter_error = f"filter: {one_line(error.detail.rpartition('^ ')[2])}"
        else:
            if keep:
                self._change(tag_filter=text)
                self._first = 0
        self._redraw()

    def show_tag(self, tag: str | None, pinned: Sequence[str]) -> None:
        """Pin these tags before the others, and begin with the chart of `tag`; where that is the
        first one already, with what is pinned."""
        now = self.tag
        self._change(pinned_tags=list(pinned))
        self._draw()
        tags = [spec.traces[0].tag for spec in self.specs]
        self._first = tags.index(tag) if tag in tags and tag != now else 0
        self._apply_settings()
        self._redraw()

    def move_cursor(self, by: int) -> None:
        """So many points to the right, or (negative) to the left."""
        if self.charts:
            self.charts[0].move_cursor(by)
            self.set_cursor(self.charts[0].cursor)

    def move_to_step(self, step: int | None) -> None:
        """Put the cursor on a step; None takes it away."""
        self.set_cursor(None if step is None else place_of(self.series, step, self.axis))

    def set_cursor(self, cursor: float | None) -> None:
        for chart in self.charts:
            chart.cursor = cursor
        self.post_message(self.CursorMoved(cursor))

    def can_zoom(self, factor: float) -> bool:
        return self.draws_curves and (factor <= 1 or self.window is not None)

    def zoom(self, factor: float) -> None:
        """`factor` times as much of x, around the cursor where there is one."""
        extent, drawn = self._extent, self.charts[0].span if self.charts else None
        span = self.window or drawn
        if extent is None or span is None:
            return
        if self.window is None:
            self._before_zoom = drawn
        self._set_window(zoom.zoomed(span, extent, factor, self.cursor))

    def pan(self, quarters: int) -> None:
        """As much of x, so many quarters of it further along."""
        if self.window is not None:
            self._set_window(zoom.panned(self.window, self._extent, quarters))

    def _set_window(self, window: Span | None) -> None:
        """Draw this part of x; a cursor is always in sight, so it comes along."""
        self._change(window=[] if window is None else list(window))
        self._redraw()
        if self.cursor is None or self.window is None or not self.chart_data:
            return
        if not self.window[0] <= self.cursor <= self.window[1]:
            points = zoom.points_of(self.chart_data[0])
            nearest = zoom.nearest_in(self.window, points, self.cursor)
            if nearest is not None:
                self.set_cursor(nearest)

    @property
    def _extent(self) -> Span | None:
        """All of x that there is to zoom in."""
        drawn = self.charts[0].span if self.charts and self.window is None else self._before_zoom
        return zoom.extent_of(self.chart_data, drawn)

    @property
    def _view(self) -> "ViewState":
        return self._settings.view

    def _change(self, **changes: Any) -> None:
        self._settings.change(**changes)

    def _spec(self, at: int) -> ChartSpec:
        return self.specs[(self._first + at) % len(self.specs)]

    def _levels(self, at: int) -> list[Level]:
        """Lines across the chart at that place."""
        if self._detail is None:
            return []
        return levels_of(self._spec(at), self.chart_data[at].curves, self._detail.row)

    @property
    def _grid(self) -> int:
        """Which of GRIDS; 0 is as many charts as there is room for."""
        grid = (self._view.rows, self._view.columns)
        return GRIDS.index(grid) if grid in GRIDS else 0

    @property
    def _shape(self) -> tuple[int, int]:
        """Rows and columns of charts: as asked for, as far as each can still be read.

        By the terminal's size: the board's own follows from what stands below it, which may be
        read from the charts.
        """
        width, height = self.screen.size
        if self.full_screen:
            return 1, 1
        if self._grid:
            rows, columns = GRIDS[self._grid]
            return max(1, min(rows, (height - 8) // 6)), max(1, min(columns, width // 34))
        return (1, 1) if width < 100 else (2, 2) if width >= 140 and height >= 40 else (1, 2)

    def _renew_charts(self) -> None:
        """New charts, which take axes of their own and have no cursor."""
        self.charts = []
        self.lay_out()

    def _apply_settings(self) -> None:
        for at, chart in enumerate(self.charts[: len(self.specs)]):
            spec = self._spec(at)
            chart.smoothing = self._view.smoothing if spec.smoothed else 0.0
            chart.log_scale = spec.traces[0].tag in self._view.log_scale
            chart.by_time = self.axis.is_time

    def _redraw(self) -> None:
        self._draw()
        self.post_message(self.ChartsChanged())

    def _draw(self) -> None:
        specs = charts_of(self.series, self._filter, self._view.pinned_tags)
        if specs != self.specs:
            self.specs = specs
            self._apply_settings()
        runs, branches = self.runs, self._view.branches
        self.chart_data = [
            build_chart_data(self._spec(at), runs, self.axis, branches=branches)
            for at in range(min(len(self.charts), len(specs)))
        ]
        self.window = zoom.remembered(self._view.window, self.chart_data)
        for at, chart in enumerate(self.charts):
            if at < len(specs):
                self._draw_chart(chart, self.chart_data[at], self._levels(at))
            else:
                chart.show((), title="", missing="no more tags" if specs else "no matching tags")

    def _draw_chart(self, chart: Chart, data: ChartData, levels: list[Level]) -> None:
        status = self._detail.row.view.status if self._detail else None
        by_step = self.axis is Axis.STEP
        chart.show(
            data.curves,
            title=data.title,
            total=status.total if status and by_step else 0,
            levels=levels,
            along="" if by_step else self.axis.value,
            wall=self.axis is Axis.WALL_TIME,
            window=self.window,
            facts=data.facts,
            left_out=data.left_out,
            missing=data.missing,
        )
