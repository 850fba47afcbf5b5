"""A chart and its curves as files: what is on the screen, and every point behind it.

Blocks, so it belongs on a thread. Overwrites nothing.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine import atomic
from engine.errors import EngineError
from engine.viewing.axes import Axis
from engine.viewing.export import Selected, csv_lines, json_text
from engine.viewing.svg import Line, Look, draw
from tui.boards import Board, Drawn
from tui.readings import ChartSpec

ENDINGS = (".svg", ".csv", ".json")


def selected(spec: ChartSpec, runs: Sequence[Drawn]) -> list[Selected]:
    """The curves of a chart, whole and as they were logged."""
    return [
        Selected(run.name, run.series[trace.tag], run.derived.get(trace.tag, ""))
        for run in runs
        for trace in spec.traces
        if trace.tag in run.series
    ]


def picture(board: Board, axis: Axis, *, log: bool, smoothing: float) -> str:
    """A chart as shown, as SVG; evaluations are never smoothed."""
    time = {Axis.WALL_TIME: "wall", Axis.RELATIVE_TIME: "relative"}.get(axis, "")
    lines = [
        Line(
            one.label,
            one.steps.astype(np.float64) if one.places is None else one.places,
            one.values,
            exact=one.marks,
        )
        for one in board.curves
        if not one.faint
    ]
    return draw(lines, Look(board.title, axis.value, time, log, smoothing))


def write(path: Path, svg: str, curves: Sequence[Selected]) -> str:
    """Write what the name's ending asks for, or all three where it has none; what was written.

    Raises EngineError where a file is there already, or cannot be written.
    """
    endings = (path.suffix,) if path.suffix in ENDINGS else ENDINGS
    stem = path.with_suffix("") if path.suffix in ENDINGS else path
    files = [stem.with_name(stem.name + ending) for ending in endings]
    there = next((one for one in files if one.exists()), None)
    if there is not None:
        raise EngineError("There is such a file already.", str(there), "Give another name.")
    for file in files:
        text = {".svg": lambda: svg, ".csv": lambda: "".join(csv_lines(curves))}.get(
            file.suffix, lambda: json_text(curves)
        )()
        try:
            atomic.write_bytes(file, text.encode("utf-8", "backslashreplace"), durable=False)
        except OSError as error:
            raise EngineError(
                "The file cannot be written.",
                f"{file}: {error.strerror}",
                "Give a name in a folder that is there and that you may write to.",
            ) from error
    return f"Wrote {', '.join(str(one) for one in files)}"
