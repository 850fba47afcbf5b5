"""The dashboard on log directories of any writer: the same screens, another feed, read-only."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from engine.jobs.store import Store, open_store
from tui.base_app import BaseApp
from tui.feeds.base import FeedThread
from tui.feeds.log_rows import noted
from tui.feeds.logs_feed import LogsFeed
from tui.glyphs import ASCII, UNICODE, Glyphs, detect
from tui.runs.list_page import RunListPage
from tui.runs.logs_memory import LogsMemory
from tui.snapshots import Machine, RunsSnapshot
from tui.terminal_abilities import ALL_ABILITIES, Abilities, detect_abilities

if TYPE_CHECKING:
    from tui.services import LogServices


class LogsApp(BaseApp):
    """What `finetop watch` opens: Runs lists logs, Watch draws them."""

    def __init__(
        self,
        paths: Sequence[Path],
        store: Store,
        *,
        tags: str = "",
        runs_filter: str = "",
        glyphs: Glyphs = UNICODE,
        measure: Callable[..., Machine] | None = None,
        cell_diff: bool = False,
        terminal: Abilities = ALL_ABILITIES,
        look: str = "",
    ) -> None:
        super().__init__(
            store,
            tuple(paths),
            glyphs=glyphs,
            cell_diff=cell_diff,
            terminal=terminal,
            look=look,
        )
        reader = LogsFeed(paths, self.post_message, measure=measure)
        self.feed = FeedThread(reader, self.post_message)
        self.tags = tags
        self.runs_filter = runs_filter
        self._read = RunsSnapshot()
        """The runs without notes."""

    def get_default_screen(self) -> Screen[Any]:
        from tui.runs.logs_table import LogsTable  # brings numpy: while the logs are read

        memory, table = LogsMemory(self), LogsTable(self.glyphs, self.tags)
        return RunListPage("logs", memory, table, self.runs_filter)

    def decorate_snapshot(self, snapshot: RunsSnapshot) -> RunsSnapshot:
        """With the user's notes, which are not beside the logs."""
        self._read = snapshot
        if self._chart_settings is None or not self._chart_settings.view.notes:
            return snapshot
        return RunsSnapshot(noted(snapshot.rows, self._chart_settings.view.notes))

    def reload_notes(self) -> None:
        """Show the runs with the notes as they are now."""
        self.runs = self.decorate_snapshot(self._read)

    @property
    def pins(self) -> Sequence[str]:
        return self.chart_settings.view.pinned_runs

    async def action_show(self, mode: str) -> None:
        if mode in ("runs", "watch"):
            await super().action_show(mode)
        else:
            self.notify_user("Logs are read-only here. Run finetop to launch and compare.")


def watch_logs(
    paths: Sequence[Path],
    *,
    tags: str = "",
    runs_filter: str = "",
    given: str | None = None,
    ascii_only: bool = False,
    mouse: bool = False,
    look: str = "",
) -> int:
    """Open the dashboard on these directories; the exit code."""
    from tui.feeds.header_usage import measure

    glyphs = ASCII if ascii_only else detect(os.environ, sys.stdout.encoding)
    app = LogsApp(
        paths,
        open_store(given),
        tags=tags,
        runs_filter=runs_filter,
        glyphs=glyphs,
        measure=measure,
        cell_diff=True,
        terminal=detect_abilities(os.environ, sys.stdout.encoding),
        look=look,
    )
    app.run(mouse=mouse or "SSH_CONNECTION" not in os.environ)
    return app.return_code or 0


if TYPE_CHECKING:  # has the type checker prove that pages get what they are promised
    _: type[LogServices] = LogsApp
