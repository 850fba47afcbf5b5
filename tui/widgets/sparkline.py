"""A curve in one line of text: for table cells, headers and panels.

Made of plain characters, so it lies in a table's cell or a label as it is, without colour. In
plain Python: the list of runs draws it before anything else may load numpy.
"""

import math
from collections.abc import Sequence

from tui.glyphs import UNICODE, Glyphs


def sparkline(levels: Sequence[float], glyphs: Glyphs = UNICODE) -> str:
    """`levels`, oldest first, one character each, between their lowest and highest.

    A level that is not finite is a gap. A constant curve lies flat in the middle. Longer curves
    are brought to as many levels as there are cells by `engine.events.series.bucket` first.
    """
    finite = [level for level in levels if math.isfinite(level)]
    if not finite:
        return glyphs.gap * len(levels)
    low, high = min(finite), max(finite)
    top = len(glyphs.spark) - 1
    # Halves first: the span of two huge numbers of opposite sign is not finite.
    span = high / 2 - low / 2

    def glyph(level: float) -> str:
        if not math.isfinite(level):
            return glyphs.gap
        share = (level / 2 - low / 2) / span if span > 0 else top // 2 / top
        return glyphs.spark[round(share * top)]

    return "".join(glyph(level) for level in levels)
