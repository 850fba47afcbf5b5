"""A curve in one line of text: for table cells, headers and panels.

Made of plain characters, so it lies in a DataTable cell or a label as it is, without colour.
"""

import numpy as np
import numpy.typing as npt

from engine.events.series import bucket
from tui.glyphs import UNICODE, Glyphs


def sparkline(values: npt.ArrayLike, width: int, glyphs: Glyphs = UNICODE) -> str:
    """`values`, oldest first, as at most `width` characters between their lowest and highest.

    Buckets of equal count show the mean of what is finite in them; a bucket with nothing finite
    is a gap. A constant curve lies flat in the middle. Nothing to show gives "".
    """
    levels = bucket(values, width)
    finite = levels[np.isfinite(levels)]
    if not len(finite):
        return glyphs.gap * len(levels)
    low, high = float(finite.min()), float(finite.max())
    top = len(glyphs.spark) - 1
    # Halves first: the span of two huge numbers of opposite sign is not finite.
    span = high / 2 - low / 2
    if not span > 0:
        places = np.full(len(levels), top // 2)
    else:
        share = (np.nan_to_num(levels, nan=low) / 2 - low / 2) / span
        places = np.clip(np.rint(share * top), 0, top).astype(np.int64)
    return "".join(
        glyphs.spark[place] if ok else glyphs.gap
        for place, ok in zip(places.tolist(), np.isfinite(levels).tolist(), strict=True)
    )
