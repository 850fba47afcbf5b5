"""The dashboard on a user's own runs."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from engine.jobs.store import Store, open_store
from tui.actions import Actions
from tui.base_app import BaseApp
from tui.feeds.base import FeedThread
from tui.feeds.jobs_feed import JobsFeed
from tui.glyphs import ASCII, UNICODE, Glyphs, detect
from tui.runs.list_page import RunListPage
from tui.runs.runs_memory import RunsMemory
from tui.runs.runs_table import RunsTable
from tui.snapshots import Machine
from tui.terminal_abilities import ALL_ABILITIES, Abilities, detect_abilities

if TYPE_CHECKING:
    from tui.companion import Companion
    from tui.services import Services


class FinetopApp(BaseApp):
    """One dashboard on one store. Several may look at the same runs at once."""

    def __init__(
        self,
        store: Store,
        *,
        glyphs: Glyphs = UNICODE,
        actions: Actions | None = None,
        companion: "Callable[[], Companion] | None" = None,
        measure: Callable[..., Machine] | None = None,
        cell_diff: bool = False,
        terminal: Abilities = ALL_ABILITIES,
        look: str = "",
        made: Path | None = None,
    ) -> None:
        """`made`: the job whose rows are shown first; None: the list of runs is."""
        super().__init__(
            store,
            store.root,
            glyphs=glyphs,
            actions=actions,
            companion=companion,
            cell_diff=cell_diff,
            terminal=terminal,
            look=look,
        )
        reader = JobsFeed(store, self.post_message, measure=measure)
        self.feed = FeedThread(reader, self.post_message)
        self._made = made

    def on_ready(self) -> None:
        if self._made is not None:
            self.show_made(self._made)

    def get_default_screen(self) -> Screen[Any]:
        return RunListPage("runs", RunsMemory(self), RunsTable(self.glyphs))

    @property
    def pins(self) -> Sequence[str]:
        return self.order.pinned


def run_dashboard(
    given: str | None,
    *,
    ascii_only: bool = False,
    mouse: bool = False,
    look: str = "",
    made: Path | None = None,
) -> int:
    """Open the dashboard on this user's runs; the exit code. `made`: as of `FinetopApp`."""
    from tui.feeds.header_usage import measure

    glyphs = ASCII if ascii_only else detect(os.environ, sys.stdout.encoding)
    app = FinetopApp(
        open_store(given),
        glyphs=glyphs,
        measure=measure,
        cell_diff=True,
        terminal=detect_abilities(os.environ, sys.stdout.encoding),
        look=look,
        made=made,
    )
    app.run(mouse=mouse or "SSH_CONNECTION" not in os.environ)
    return app.return_code or 0


if TYPE_CHECKING:  # has the type checker prove that pages get what they are promised
    _: type[Services] = FinetopApp
