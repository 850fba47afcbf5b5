"""What Watch gives away: a chart as files, its curves, a line of text for a chat; all curves."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.text import one_line
from tui.watch.chart_board import ChartZoomPage

if TYPE_CHECKING:
    from textual.widgets import Input

    from engine.charts.export import Selected
    from engine.charts.figure import Sketch


class ChartExportPage(ChartZoomPage):
    """Of the chart that comes first, as it is drawn now, or of all that the runs logged."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("export", "chat"):
            return bool(self._chart_data and self._chart_data[0].curves)
        if action == "export_all":
            return any(run.series for run in self._run_curves)
        return super().check_action(action, parameters)

    def go_back(self) -> bool:
        if self.query("#export"):
            self.query("#export").remove()
            self.focus_initial()
            return True
        return super().go_back()

    async def action_export(self) -> None:
        """Ask for a name; its ending says what is written."""
        from textual.widgets import Input

        if not self.query("#export"):
            field = Input(placeholder="name.svg .png .csv .json or .txt; without one, all of them",
                          compact=True, id="export")  # fmt: skip
            field.add_class("text-field")
            field.cursor_blink = False
            await self.mount(field)
        self.set_focus(self.query_one("#export"))

    def action_export_all(self) -> None:
        """All tags, whether there is a chart of them in sight or not."""
        from tui.screens.export_points import export_points

        runs = self._run_curves
        whose = one_line(runs[0].name) if len(runs) == 1 else f"the {len(runs)} runs drawn"
        export_points(self, runs, whose, branches=self._view.branches)

    def on_input_submitted(self, event: "Input.Submitted") -> None:
        if event.input.id == "export":
            name = event.value.strip()
            self.go_back()
            if name and self._chart_data:
                self._export(Path(name).expanduser())
        else:
            super().on_input_submitted(event)

    def action_chat(self) -> None:
        """Show the chart in a line of text, and have the terminal copy it."""
        from tui.charts.export import chat
        from tui.screens.dialogs import Copied

        text = chat(self._curves_given()[1], self.glyphs)
        self.app.copy_to_clipboard(text)
        self.app.push_screen(Copied(text))

    def _export(self, path: Path) -> None:
        shown, curves = self._curves_given()
        branches = self._view.branches

        def export() -> str:
            from tui.charts import export as chart_export

            content = chart_export.files(shown, curves, branches=branches)
            return one_line(chart_export.write(path, content))

        self.run_in_thread(export)

    def _curves_given(self) -> "tuple[Callable[[], Sketch], list[Selected]]":
        """The first chart as it is drawn now, to be sketched on a thread; and its curves."""
        from tui.charts import export as chart_export

        spec, made, chart = self._spec(0), self._chart_data[0], self._charts[0]
        runs = self._run_curves
        axis, window, levels = self._axis, self._window, self._levels(0)
        log, smoothing = chart.log_scale, chart.smoothing

        def sketch() -> "Sketch":
            return chart_export.picture(
                made, axis, log=log, smoothing=smoothing, window=window, levels=levels
            )

        return sketch, chart_export.selected(spec, runs)
