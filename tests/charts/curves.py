"""Series for tests of what is made of them."""

from collections.abc import Sequence

import numpy as np

from engine.events.series import Branch, Series


def series(
    tag: str,
    values: Sequence[float],
    steps: Sequence[int] | None = None,
    times: Sequence[float] | None = None,
    abandoned: tuple[Branch, ...] = (),
) -> Series:
    steps = range(len(values)) if steps is None else steps
    times = [1000.0 + at for at in range(len(values))] if times is None else times
    return Series(
        tag,
        np.array(steps, np.int64),
        np.array(times, np.float64),
        np.array(values, np.float64),
        abandoned,
    )
