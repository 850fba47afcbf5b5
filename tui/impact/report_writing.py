"""The report of an evaluation: its folder is typed on the page, and it is written on a thread.

What a report holds, and which folder is refused, is for `engine.impact.report` to say.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.text import one_line
from tui.background import run_in_background
from tui.screens.dialogs import TextWindow
from tui.screens.page import Page

if TYPE_CHECKING:
    from engine.impact.changes.skill_rows import SkillTable

TITLE = "Folder for the report (pages, tables, plots and their inputs)"
HINT = "a new or empty folder, such as ~/report"
_CHOOSE = "Choose another folder; finetop report --force replaces a report."


class ReportProgressed(Message):
    """The thread that writes a report began with another part of it."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words


class ReportWriting:
    """The one report that a page writes at a time."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.words = ""
        """What is done of it; empty: none is written."""

    def choose_folder(self, job: Path, table: "SkillTable") -> None:
        """Ask for the folder, and write the report of these arms there."""

        def take(text: str | None) -> None:
            if text:
                self._write(job, table, Path(os.path.expanduser(text)).absolute())

        self._page.app.push_screen(TextWindow(TITLE, "", HINT, enter="write"), take)

    def _write(self, job: Path, table: "SkillTable", out: Path) -> None:
        page, store = self._page, self._page.services.store

        def show(words: str) -> None:
            page.post_message(ReportProgressed(words))

        def work() -> Path:
            from engine.impact.report.report_folder import write_report

            return write_report(
                [JobDirectory(job)], out, table.arms, table.delta,
                runs=store.jobs(), hint=_CHOOSE, progress=show,
            )  # fmt: skip

        def finish(path: Path) -> None:
            show("")
            page.services.notify_user(f"Wrote {one_line(str(path / 'report.html'))}")

        def fail(error: EngineError) -> None:
            show("")
            page.services.show_error(error)

        self.words = "reading"
        show(self.words)
        run_in_background(page, work, finish, failed=fail, group="report")
