"""How the charts of one place are drawn: one state for every page, kept on disk.

Changed on the screens' thread alone; read and written on others. Draws nothing.
"""

import dataclasses
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from textual.app import App

from engine.charts import view_state as states
from engine.charts.view_state import Place, ViewState
from tui.background import run_in_background

_GROUP = "chart settings"


class ChartSettings:
    """How charts are drawn: `view` is how it is now."""

    def __init__(self, app: App[None], place: Place) -> None:
        self.view = ViewState()
        self._app = app
        self._place = place
        self._kept: ViewState | None = None
        self._turn = threading.Lock()
        self._known = False
        self._waiting: list[Callable[[str], None]] = []

    def recall(self, then: Callable[[str], None]) -> None:
        """Read the saved state, once; `then` is called when it is there, with a note where it
        cannot be used."""
        if self._known:
            then("")
            return
        self._waiting.append(then)
        if len(self._waiting) == 1:
            run_in_background(self._app, self._read, partial(self._take, self.view), group=_GROUP)

    def change(self, **changes: Any) -> None:
        """Draw in another way, and keep that."""
        self.view = dataclasses.replace(self.view, **changes)
        run_in_background(self._app, self._keep, self._warn, group=_GROUP)

    def _read(self) -> tuple[ViewState, str]:
        return states.load(self._place)

    def _take(self, before: ViewState, loaded: tuple[ViewState, str]) -> None:
        state, note = loaded
        self._known = True
        if self.view is before:  # else a key was faster
            self.view = self._kept = state
        waiting, self._waiting = self._waiting, []
        for at, then in enumerate(waiting):
            then("" if at else note)

    def _keep(self) -> str:
        with self._turn:  # whoever comes last writes what is newest
            view = self.view
            if view is self._kept:
                return ""
            self._kept = view
            return states.save(self._place, view)

    def _warn(self, note: str) -> None:
        if note:
            self._app.notify(note, severity="warning", markup=False)
