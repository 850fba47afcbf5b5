"""Every point of whole runs as a file: its name is asked for, the rest is done on a thread."""

from collections.abc import Sequence
from pathlib import Path

from engine.text import one_line
from tui.charts.run_curves import RunCurves
from tui.screens.dialogs import TextWindow
from tui.screens.run_actions import RunActions


def export_points(
    page: RunActions,
    runs: Sequence[RunCurves],
    whose: str,
    *,
    branches: bool = False,
    note: str = "",
) -> None:
    """Ask where to, and write all tags of these runs; `note` is said with what was written."""

    def take(name: str | None) -> None:
        if name:
            page.run_in_thread(lambda: write(Path(name).expanduser()))

    def write(path: Path) -> str:
        from tui.charts import export

        content = export.points(lambda: export.all_of(runs), branches=branches)
        return one_line(export.write(path, content)) + note

    title = f"Export all points of all tags of {whose}"
    page.app.push_screen(TextWindow(title, "", "name.csv or name.json; no suffix: both"), take)
