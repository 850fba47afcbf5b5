"""Where in the curves of Watch one is: the cursor, and which part of x is drawn."""

import numpy as np

from tui.curves.boards import Board
from tui.screens.looking import Looking

MOST_ZOOM = 1e-6
"""Least share of all x that can be looked at."""


class Zooming(Looking):
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
            return any(one.curves for one in self._boards) and (not out or self._window is not None)
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
            self._see(None)
        else:
            self._see((middle - size / 2, middle + size / 2))

    def action_pan(self, by: int) -> None:
        if self._window is not None:
            low, high = self._window
            away = (high - low) / 4 * by
            self._see((low + away, high + away))

    def _see(self, window: tuple[float, float] | None) -> None:
        """Draw this part of x, moved to where there is something to see."""
        whole = self._whole
        if window is not None and whole is not None:
            size = window[1] - window[0]
            low = max(min(window[0], whole[1] - size), whole[0])
            window = low, low + size
        self._look(window=[] if window is None else list(window))
        self._draw_curves()
        self._bring_cursor()

    def _bring_cursor(self) -> None:
        """Put a cursor that is out of sight on the nearest point that is in sight."""
        cursor = self._charts[0].cursor if self._charts else None
        if cursor is None or self._window is None or not self._boards:
            return
        low, high = self._window
        if low <= cursor <= high:
            return
        x = _places(self._boards[0])
        inside = x[(x >= low) & (x <= high)]
        if len(inside):
            self._put_cursor(float(inside[np.abs(inside - cursor).argmin()]))

    def _window_of(self, boards: list[Board]) -> tuple[float, float] | None:
        """The remembered part of x; None where these curves have nothing there."""
        asked = self._view.window
        if len(asked) != 2:
            return None
        low, high = asked
        for one in boards:
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
        points = [x for one in self._boards if len(x := _places(one))]
        ends = [(float(x.min()), float(x.max())) for x in points]
        known = self._before if self._window is not None else self._span
        ends += [known] if known and ends else []
        if not ends:
            return None
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        return (low, high) if high > low else None


def _places(one: Board) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Where along x the points of a chart lie."""
    found = [np.empty(0)]
    found += [curve.steps.astype(np.float64) if curve.places is None else curve.places
              for curve in one.curves if not curve.faint]  # fmt: skip
    return np.concatenate(found)
