"""What models made of the pairs that are shown, in full: a window over the answers.

Read when it is opened: beside the pairs there are only the first lines of it.
"""

from collections.abc import Collection
from pathlib import Path

from engine.jobs.directory import JobDirectory
from engine.judge.judge_report import read_reports
from tui.background import run_in_background
from tui.screens.dialogs import Dialog
from tui.screens.judge_lines import report_lines
from tui.screens.page import Page
from tui.styled_text import Line


def open_judges(page: Page, judged: Path, arms: Collection[str]) -> None:
    """The reports of all judges of a job on these two arms, in the grammar; nothing without any."""

    def show(lines: list[Line]) -> None:
        if lines:
            page.app.push_screen(Dialog[None](lines, "esc close"))

    separator = page.glyphs.separator
    run_in_background(page, lambda: _read_lines(judged, arms, separator), show, group="judges")


def _read_lines(judged: Path, arms: Collection[str], separator: str) -> list[Line]:
    """Raises EngineError where there are judges and none of them can be read."""
    reports, errors = read_reports(JobDirectory(judged))
    if errors and not reports:
        raise errors[0]
    lines: list[Line] = []
    for report in reports:
        if {report.result.left, report.result.right} == {*arms}:
            first, *others = report_lines(report, separator)
            lines += [[]] if lines else []
            lines += [[(first, "strong")], *([(text, "")] for text in others)]
    return lines
