"""The frame of a chart, by plotext: the only module that imports it.

plotext keeps one figure for the process and takes many milliseconds, so a frame is made under a
lock, on the thread that draws, and kept for as long as the axes stay.
"""

import re
import threading
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import plotext

from tui.charts.axes import AxisRange

MARGIN = 7
"""Cells for the labels of the y axis, always as many so that the canvas stays in its place."""
_LOCK = threading.Lock()
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_PLAIN = str.maketrans("┤├│└┘┌┐─┬┴┼", "|||++++-+++")


def is_framed(width: int, height: int) -> bool:
    """Whether there is room for axes."""
    return width >= MARGIN + 10 and height >= 4


@lru_cache(maxsize=64)
def frame(
    x: AxisRange, y: AxisRange, width: int, height: int, *, plain: bool
) -> npt.NDArray[np.uint32]:
    """Axes and labels in `width` by `height` cells, as code points; without room, blank.

    `plain` is ASCII alone. The canvas lies right of MARGIN + 1 cells, above two rows. Not to be
    changed: it is kept.
    """
    lines: list[str] = []
    if is_framed(width, height):
        with _LOCK:
            lines = _STYLE.sub("", _build(x, y, width, height)).split("\n")[:height]
    lines += [""] * (height - len(lines))
    text = "".join(line[:width].ljust(width) for line in lines)
    if plain:
        text = text.translate(_PLAIN)
    return np.frombuffer(text.encode("utf-32-le"), "<u4").reshape(height, width)


def _build(x: AxisRange, y: AxisRange, width: int, height: int) -> str:
    columns, rows = width - MARGIN - 1, height - 2
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)
    plotext.plotsize(width, height)
    plotext.xlim(x.low, x.high)
    plotext.ylim(*scaled(np.array([y.low, y.high]), y).tolist())
    plotext.xaxes(True, False)
    plotext.yaxes(True, False)
    across, up = x.ticks(max(columns // 14, 1)), y.ticks(max(rows // 4, 1))
    plotext.xticks([place for place, _ in across], [label for _, label in across])
    labels = [label[:MARGIN].rjust(MARGIN) for _, label in up]
    plotext.yticks(scaled(np.array([place for place, _ in up]), y).tolist(), labels)
    # Without a point there are no labels; a blank one is not seen.
    plotext.scatter([x.low], scaled(np.array([y.low]), y).tolist(), marker=" ")
    text: str = plotext.build()
    return text


def scaled(values: npt.NDArray[np.float64], axis: AxisRange) -> npt.NDArray[np.float64]:
    """Logarithms where the axis is logarithmic: plotext's own log scale leaves limits alone."""
    return np.log10(values) if axis.log else values
