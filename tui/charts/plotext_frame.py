"""The frame of a chart, and bars of shares, by plotext: the only module that imports it.

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
_SHARES = ((0.0, "0"), (0.25, ".25"), (0.5, ".5"), (0.75, ".75"), (1.0, "1"))
_WIDE_ENOUGH = 24
"""Cells in which all of these have room."""
_THIN = 0.001
"""Of a bar, which then takes the row that it lies in and no other."""
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


@lru_cache(maxsize=16)
def bars(
    groups: tuple[tuple[float, ...], ...], markers: str, width: int, *, plain: bool
) -> tuple[str, ...]:
    """Shares between 0 and 1 as bars that lie, a row each, and below them two rows of the axis.

    Bars of a group stand together, each drawn with the marker of its place in it. Rows begin with
    the other axis, a cell wide.
    """
    rows = sum(map(len, groups))
    with _LOCK:
        plotext.clear_figure()
        plotext.theme("clear")
        plotext.limit_size(False, False)
        plotext.plotsize(width, rows + 2)
        plotext.xlim(0, 1)
        plotext.ylim(1, max(rows, 2))
        plotext.xaxes(True, False)
        plotext.yaxes(True, False)
        ticks = _SHARES if width >= _WIDE_ENOUGH else _SHARES[::2]
        plotext.xticks([share for share, _ in ticks], [label for _, label in ticks])
        at = rows
        for group in groups:
            for marker, share in zip(markers, group, strict=False):
                plotext.bar([at], [share], orientation="h", width=_THIN, marker=marker)
                at -= 1
        plotext.yticks([], [])  # bars set their own
        text = _STYLE.sub("", plotext.build())
    if plain:
        text = text.translate(_PLAIN)
    lines = [line[:width].rstrip() for line in text.split("\n")[: rows + 2]]
    return (*lines, *[""] * (rows + 2 - len(lines)))


def scaled(values: npt.NDArray[np.float64], axis: AxisRange) -> npt.NDArray[np.float64]:
    """Logarithms where the axis is logarithmic: plotext's own log scale leaves limits alone."""
    return np.log10(values) if axis.log else values
