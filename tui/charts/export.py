"""A chart and its curves as files: what is on the screen, and every point behind it.

Blocks, so it belongs on a thread. Overwrites nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from engine import output_file
from engine.charts import svg
from engine.charts.axes import Axis
from engine.charts.export import Selected, chat_line, csv_lines, json_text
from engine.charts.figure import Line, Look, Sketch, sketch
from engine.errors import EngineError
from engine.events.series import bucket
from engine.events.tag_names import is_higher_better
from tui.charts.chart_data import ChartData
from tui.charts.curve import Level
from tui.charts.run_curves import RunCurves
from tui.charts.run_lines import ChartSpec
from tui.glyphs import UNICODE, Glyphs
from tui.widgets.sparkline import sparkline

CHAT_CELLS = 12

Files = Mapping[str, Callable[[], bytes]]
"""What a file of each ending holds; made only where it is asked for."""
ENDINGS = (".svg", ".png", ".csv", ".json", ".txt")


def selected(spec: ChartSpec, runs: Sequence[RunCurves]) -> list[Selected]:
    """The curves of a chart, whole and as they were logged."""
    tags = [trace.tag for trace in spec.traces]
    return [_select(run, tag) for run in runs for tag in tags if tag in run.series]


def all_of(runs: Sequence[RunCurves]) -> list[Selected]:
    """Every curve of every run, by tag."""
    return [_select(run, tag) for run in runs for tag in sorted(run.series)]


def _select(run: RunCurves, tag: str) -> Selected:
    higher = is_higher_better(tag, run.series)
    return Selected(run.name, run.series[tag], run.derived.get(tag, ""), higher)


def picture(
    chart_data: ChartData,
    axis: Axis,
    *,
    log: bool,
    smoothing: float,
    window: tuple[float, float] | None = None,
    levels: Sequence[Level] = (),
) -> Sketch:
    """A chart as shown; evaluations are never smoothed."""
    time = {Axis.WALL_TIME: "wall", Axis.RELATIVE_TIME: "relative"}.get(axis, "")
    facts = {one.label: one.facts for one in chart_data.legend}
    lines = [
        Line(
            one.branch_of or one.label,
            one.steps.astype(np.float64) if one.places is None else one.places,
            one.values,
            exact=one.as_points,
            faint=one.faint,
            facts=() if one.faint else facts.get(one.label, ()),
        )
        for one in chart_data.curves
    ]
    known = tuple((one.value, one.label) for one in levels)
    restarts = tuple({place for one in chart_data.curves for place in one.restarts})
    return sketch(
        lines, Look(chart_data.title, axis.value, time, log, smoothing, window, known, restarts)
    )


def chat(curves: Sequence[Selected], glyphs: Glyphs = UNICODE) -> str:
    """A line for each run: its curves in small, their newest and best values."""
    runs: dict[str, list[Selected]] = {}
    for one in curves:
        runs.setdefault(one.run, []).append(one)
    lines = []
    for group in runs.values():
        shapes = {
            one.series.tag: sparkline(bucket(one.series.values, CHAT_CELLS).tolist(), glyphs)
            for one in group
        }
        lines.append(chat_line(group, shapes))
    return "\n".join(lines)


def files(
    shown: Callable[[], Sketch], curves: Sequence[Selected], *, branches: bool = False
) -> Files:
    """What there is to write of a chart; `branches` says whether a resume's are drawn."""
    return {
        ".svg": lambda: _encoded(svg.draw(shown())),
        ".png": lambda: _painted(shown()),
        **points(lambda: curves, branches=branches),
        ".txt": lambda: _encoded(chat(curves) + "\n"),
    }


def _painted(sketch: Sketch) -> bytes:
    from engine.charts import png  # brings Pillow, which nothing else needs

    return png.paint(sketch)


def points(curves: Callable[[], Sequence[Selected]], *, branches: bool = False) -> Files:
    """Every point of any curves. In CSV, where each line may be taken for a point of the curve,
    abandoned branches are only what is asked for; in JSON they have a place of their own."""
    return {
        ".csv": lambda: _encoded("".join(csv_lines(curves(), abandoned=branches))),
        ".json": lambda: _encoded(json_text(curves())),
    }


def write(path: Path, content: Files) -> str:
    """Write what the name's ending asks for, or all where it has none of them; what was written.

    Raises EngineError where a file is there already, or cannot be written, or cannot hold this.
    """
    if path.suffix in ENDINGS and path.suffix not in content:
        raise EngineError(
            f"A {path.suffix} file holds one chart.",
            str(path),
            f"Use the suffix {' or '.join(content)}.",
        )
    endings = (path.suffix,) if path.suffix in content else tuple(content)
    stem = path.with_suffix("") if path.suffix in content else path
    paths = [stem.with_name(stem.name + ending) for ending in endings]
    for file in paths:
        output_file.check(file)
    for file in paths:
        output_file.write(file, [content[file.suffix]()])
    if len(paths) == 1:
        return f"Wrote {paths[0]}"
    return f"Wrote {stem} with suffixes {' '.join(endings)}"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
