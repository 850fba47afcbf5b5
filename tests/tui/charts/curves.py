"""Curves that the tests of charts draw."""

import numpy as np

from tui.charts.curve import Curve

NOISE = np.random.default_rng(2).normal(0, 0.05, 5000)


def curve(
    count: int = 500, *, label: str = "train", accent: int = 0, as_points: bool = False
) -> Curve:
    steps = np.arange(count, dtype=np.int64)
    values = 2 * np.exp(-steps / 200) + 0.4 + (0 if as_points else NOISE[:count])
    if as_points:
        steps, values = steps[::100], values[::100]
    return Curve(label, steps, 1000 + steps / 4, values, accent, as_points)


def first(whole: Curve, count: int) -> Curve:
    return Curve(whole.label, whole.steps[:count], whole.wall_times[:count], whole.values[:count])
