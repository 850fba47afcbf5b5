"""The first chart of Watch as files or as a line of text: what is drawn now, kept for a thread."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.charts.axes import Axis
from engine.text import one_line
from tui.charts.chart_data import ChartData
from tui.charts.curve import Level
from tui.charts.run_curves import RunCurves
from tui.charts.run_lines import ChartSpec
from tui.glyphs import Glyphs

if TYPE_CHECKING:
    from engine.charts.export import Selected
    from engine.charts.figure import Sketch

NAME_HINT = "name.svg, .png, .csv, .json or .txt; no suffix: all"


@dataclass(frozen=True, slots=True, eq=False)
class DrawnChart:
    """One chart, and how it is drawn."""

    spec: ChartSpec
    data: ChartData
    runs: tuple[RunCurves, ...]
    axis: Axis
    log_scale: bool
    smoothing: float
    window: tuple[float, float] | None
    """The part of x that is drawn; None: all of it."""
    levels: tuple[Level, ...]
    branches: bool
    """Whether branches that a resume abandoned are drawn."""

    def write(self, path: Path) -> str:
        """Write what the name's ending asks for; what was written. Blocks. Raises EngineError."""
        from tui.charts import export

        content = export.files(self._sketch, self._curves, branches=self.branches)
        return one_line(export.write(path, content))

    def chat_line(self, glyphs: Glyphs) -> str:
        """Its curves in a line of text, for a chat."""
        from tui.charts import export

        return export.chat(self._curves, glyphs)

    @property
    def _curves(self) -> "list[Selected]":
        from tui.charts import export

        return export.selected(self.spec, self.runs)

    def _sketch(self) -> "Sketch":
        from tui.charts import export

        return export.picture(
            self.data,
            self.axis,
            log=self.log_scale,
            smoothing=self.smoothing,
            window=self.window,
            levels=self.levels,
        )
