"""How Watch is looked at: axis, smoothing, scale, filter, grid, overlay, pins, cursor, zoom.

Remembered for each directory by `tui.charts.view_store`. Draws nothing itself.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.charts.axes import Axis
from engine.charts.filters import Filter, parse
from engine.errors import EngineError
from engine.text import one_line
from tui.charts.chart_data import AXES, ChartData
from tui.charts.cursor import place_of, step_at
from tui.charts.run_curves import RunCurves
from tui.charts.run_lines import ChartSpec, charts_of
from tui.feeds.overlay_reader import OverlayReader
from tui.formatting import name_of
from tui.screens.run_actions import RunActions
from tui.snapshots import Curves, RunDetail, RunRow

if TYPE_CHECKING:
    from engine.charts.view_state import ViewState
    from engine.events.series import Series
    from tui.charts.chart import Chart
    from tui.charts.curve import Level

SMOOTHING = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)
GRIDS = ((0, 0), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (4, 4))
"""Rows and columns of charts, in turn; the first is as many as there is room for."""
MOST_ZOOM = 1e-6
"""Least share of all x that can be looked at."""


class ChartSettingsPage(RunActions):
    """Subclasses lay out, draw and tell."""

    filter_hint = "tags: words, /regex/, with and, or, not, ( )"

    def __init__(self) -> None:
        super().__init__()
        self._detail: RunDetail | None = None
        self._specs: tuple[ChartSpec, ...] = charts_of({})
        self._charts: list[Chart] = []
        self._filter: Filter | None = None
        self._filter_error = ""
        """Why what is typed is no filter."""
        self._full = False
        self._overlay: Mapping[str, Curves] = {}
        """What is drawn beside the watched run, by key."""
        self._reader = OverlayReader()
        self._chart_data: list[ChartData] = []
        self._window: tuple[float, float] | None = None
        """The part of x that is drawn; None: all of it."""
        self._remembered = False
        """Whether it was asked how one looked last time."""
        self._first_chart = 0

    def _spec(self, at: int) -> ChartSpec:
        return self._specs[(self._first_chart + at) % len(self._specs)]

    def _apply_chart_settings(self) -> None:
        raise NotImplementedError

    def _draw_curves(self) -> None:
        raise NotImplementedError

    def _refresh_all(self) -> None:
        raise NotImplementedError

    def _lay_out(self) -> None:
        raise NotImplementedError

    def _put_cursor(self, cursor: float | None) -> None:
        raise NotImplementedError

    def _update_status(self) -> None:
        raise NotImplementedError

    def _levels(self, at: int) -> "list[Level]":
        raise NotImplementedError

    @property
    def _series(self) -> "Mapping[str, Series]":
        return self._detail.series if self._detail else {}

    @property
    def _view(self) -> "ViewState":
        return self.services.chart_settings.view

    def _recalled(self, note: str) -> None:
        """Look as one looked at this directory last time."""
        asked = self.services.tags or self._view.tag_filter
        if asked:
            self.filter_text = asked
            self._set_filter(asked)
        if note:
            self.services.notify_user(note, "warning")
        self._lay_out()
        self._apply_chart_settings()
        if self._picked:
            self._read_overlay()
        self._refresh_all()

    def action_smooth(self, by: int) -> None:
        at = min(range(len(SMOOTHING)), key=lambda i: abs(SMOOTHING[i] - self._view.smoothing))
        at = max(0, min(at + by, len(SMOOTHING) - 1))
        self._change_settings(smoothing=SMOOTHING[at])
        self._apply_chart_settings()

    def action_log_scale(self) -> None:
        """Of the charts in sight: all logarithmic, or none where all of them are."""
        here = {self._spec(at).traces[0].tag for at in range(len(self._charts)) if self._specs}
        known = set(self._view.log_scale)
        self._change_settings(log_scale=sorted(known - here if here <= known else known | here))
        self._apply_chart_settings()

    def action_turn_axis(self) -> None:
        step = self._step
        self._change_settings(axis=AXES[(AXES.index(self._axis) + 1) % len(AXES)].value, window=[])
        self._apply_chart_settings()
        self._draw_curves()
        # The cursor stays at its step, where this axis knows that.
        self._put_cursor(None if step is None else place_of(self._series, step, self._axis))

    def action_branches(self) -> None:
        self._change_settings(branches=not self._view.branches)
        self._draw_curves()
        left = sum(len(one.abandoned) for one in self._series.values())
        if self._view.branches and not left:
            self.services.notify_user("No resume of this run left anything behind.")

    def action_full_screen(self) -> None:
        self._full = not self._full
        self._charts = []
        self._lay_out()
        self._refresh_all()

    def action_overlay(self) -> None:
        """Choose runs to be drawn beside this one."""
        from tui.watch.pick_runs import pick_runs

        rows = [row for row in self.services.runs.rows if row.key != self.services.selected]

        def take(keys: frozenset[str]) -> None:
            listed = {row.run_key for row in rows}
            others = [key for key in self._view.selected if key not in listed]
            picked = [row.run_key for row in rows if row.key in keys]
            self._change_settings(selected=others + picked)
            self._read_overlay()

        picked = [row.key for row in rows if row.run_key in self._view.selected]
        pick_runs(self.app, rows, picked, self.services.pins, take)

    @property
    def _picked(self) -> list[RunRow]:
        """The runs that are drawn beside the watched one: those that are marked or pinned."""
        run_keys = {*self._view.selected, *self.services.pins}
        rows = self.services.runs.rows if run_keys else ()
        return [
            row for row in rows if row.run_key in run_keys and row.key != self.services.selected
        ]

    def action_pin(self) -> None:
        """Find a chart by its tag; pin some before the others."""
        from tui.screens.pick_tags import pick_tags

        specs = charts_of(self._series)
        names = {spec.traces[0].tag: spec.title for spec in specs}
        now = self._spec(0).traces[0].tag if self._specs else None

        def take(tag: str | None, pinned: list[str]) -> None:
            self._change_settings(pinned_tags=pinned)
            self._draw_curves()
            firsts = [spec.traces[0].tag for spec in self._specs]
            self._first_chart = firsts.index(tag) if tag in firsts and tag != now else 0
            self._apply_chart_settings()
            self._draw_curves()

        pick_tags(self.app, names, self._view.pinned_tags, now, take)

    def _read_overlay(self) -> None:
        rows = self._picked

        def read() -> None:
            self.app.call_from_thread(self._take_overlay, self._reader.read(rows))

        self.run_worker(read, thread=True, group="overlay", exclusive=True)

    def _take_overlay(self, curves: Mapping[str, Curves]) -> None:
        self._overlay = curves
        self._refresh_all()

    def action_turn_grid(self) -> None:
        rows, columns = GRIDS[(self._grid + 1) % len(GRIDS)]
        self._change_settings(rows=rows, columns=columns)
        self._charts = []
        self._lay_out()

    @property
    def _grid(self) -> int:
        """Which of GRIDS; 0 is as many charts as there is room for."""
        asked = (self._view.rows, self._view.columns)
        return GRIDS.index(asked) if asked in GRIDS else 0

    def apply_filter(self, text: str) -> None:
        """Draw only the tags that an expression lets through."""
        if self._set_filter(text):
            self._change_settings(tag_filter=text)
            self._first_chart = 0
        self._draw_curves()
        self._update_status()

    def _set_filter(self, text: str) -> bool:
        """Whether `text` is a filter; if so, it is the one from now on."""
        try:
            self._filter, self._filter_error = (parse(text) if text.strip() else None), ""
        except EngineError as error:
            self._filter_error = f"filter: {one_line(error.detail.rpartition('^ ')[2])}"
            return False
        return True

    @property
    def _axis(self) -> Axis:
        return Axis(self._view.axis)

    @property
    def _step(self) -> int | None:
        """The step under the cursor; None without one."""
        cursor = self._charts[0].cursor if self._charts else None
        return step_at(self._series, cursor, self._axis)

    def _change_settings(self, **changes: Any) -> None:
        """Look at the charts in another way."""
        self.services.chart_settings.change(**changes)

    @property
    def _run_curves(self) -> list[RunCurves]:
        """The runs whose curves are drawn."""
        detail = self._detail
        if detail is None:
            return []
        runs = [RunCurves(name_of(detail.row), detail.series, detail.derived)]
        for row in self._picked:
            curves = self._overlay.get(row.key)
            if curves is not None:
                runs.append(RunCurves(name_of(row), curves.series, curves.derived))
        return runs


class ChartZoomPage(ChartSettingsPage):
    """A cursor is always in sight: what is drawn takes it along."""

    def __init__(self) -> None:
        super().__init__()
        self._before: tuple[float, float] | None = None
        """What was drawn when one began to zoom: wider than the points of a run that goes on."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "pan":
            return self._window is not None
        if action == "zoom":
            out = bool(parameters) and float(str(parameters[0])) > 1
            return any(one.curves for one in self._chart_data) and (
                not out or self._window is not None
            )
        return super().check_action(action, parameters)

    def action_cursor(self, by: int) -> None:
        if not self._charts:
            return
        self._charts[0].move_cursor(by)
        self._put_cursor(self._charts[0].cursor)

    def action_zoom(self, factor: float) -> None:
        whole, span = self._whole, self._window or self._span
        if whole is None or span is None:
            return
        if self._window is None:
            self._before = span
        low, high = span
        cursor = self._charts[0].cursor
        middle = (low + high) / 2 if cursor is None else cursor
        size = (high - low) * factor
        if factor < 1 and size < (whole[1] - whole[0]) * MOST_ZOOM:
            return
        if size >= whole[1] - whole[0]:
            self._set_window(None)
        else:
            self._set_window((middle - size / 2, middle + size / 2))

    def action_pan(self, by: int) -> None:
        if self._window is not None:
            low, high = self._window
            away = (high - low) / 4 * by
            self._set_window((low + away, high + away))

    def _set_window(self, window: tuple[float, float] | None) -> None:
        """Draw this part of x, moved to where there is something to see."""
        whole = self._whole
        if window is not None and whole is not None:
            size = window[1] - window[0]
            low = max(min(window[0], whole[1] - size), whole[0])
            window = low, low + size
        self._change_settings(window=[] if window is None else list(window))
        self._draw_curves()
        self._bring_cursor()

    def _bring_cursor(self) -> None:
        """Put a cursor that is out of sight on the nearest point that is in sight."""
        cursor = self._charts[0].cursor if self._charts else None
        if cursor is None or self._window is None or not self._chart_data:
            return
        low, high = self._window
        if low <= cursor <= high:
            return
        x = _places(self._chart_data[0])
        inside = x[(x >= low) & (x <= high)]
        if len(inside):
            self._put_cursor(float(inside[np.abs(inside - cursor).argmin()]))

    def _window_of(self, charts: list[ChartData]) -> tuple[float, float] | None:
        """The remembered part of x; None where these curves have nothing there."""
        asked = self._view.window
        if len(asked) != 2:
            return None
        low, high = asked
        for one in charts:
            x = _places(one)
            if ((x >= low) & (x <= high)).any():
                return low, high
        return None

    @property
    def _span(self) -> tuple[float, float] | None:
        return self._charts[0].span if self._charts else None

    @property
    def _whole(self) -> tuple[float, float] | None:
        """All of x that there is to see; None where there is nothing."""
        points = [x for one in self._chart_data if len(x := _places(one))]
        ends = [(float(x.min()), float(x.max())) for x in points]
        known = self._before if self._window is not None else self._span
        ends += [known] if known and ends else []
        if not ends:
            return None
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        return (low, high) if high > low else None


def _places(one: ChartData) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Where along x the points of a chart lie."""
    found = [np.empty(0)]
    found += [curve.steps.astype(np.float64) if curve.places is None else curve.places
              for curve in one.curves if not curve.faint]  # fmt: skip
    return np.concatenate(found)
