"""Curves as values: the points of a tag, and what drawing them needs.

Every point is kept; `smooth`, `thin` and `bucket` make the smaller curves that screens show.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BLOCK = 32  # points smoothed by one matrix product
_LARGE = 1e300


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Points that were written and then rewound over by a resume."""

    steps: Ints
    wall_times: Floats
    values: Floats
    rewound_to: int
    """The first step that a later attempt wrote again."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One tag's curve as it stands; a later poll makes a new Series and leaves this one alone.

    The arrays have one length, are read-only, and are in order of writing: `steps` may repeat.
    """

    tag: str
    steps: Ints
    wall_times: Floats
    """Seconds since the epoch."""
    values: Floats
    abandoned: tuple[Branch, ...] = field(default=())
    restarts: tuple[int, ...] = field(default=())
    """The steps at which the run was resumed, or its steps began again."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def last(self) -> float | None:
        """The newest value, which may be NaN or infinite; None where there is none yet."""
        return float(self.values[-1]) if len(self.values) else None

    @property
    def last_step(self) -> int | None:
        return int(self.steps[-1]) if len(self.steps) else None

    def best(self, *, highest: bool = False) -> tuple[int, float] | None:
        """Step and value of the lowest (or highest) finite value; None where there is none."""
        if not len(self.values):
            return None
        place = _extreme(self.values, highest)
        if not math.isfinite(place):
            worst = -np.inf if highest else np.inf
            place = _extreme(np.where(np.isfinite(self.values), self.values, worst), highest)
        if not math.isfinite(place):
            return None
        # Not argmin, which copies an array that is read-only.
        return int(self.steps[int((self.values == place).argmax())]), place


def _extreme(values: Floats, highest: bool) -> float:
    """The lowest (or highest) value; NaN where there is one."""
    return float(values.max() if highest else values.min())


def smooth(values: npt.ArrayLike, weight: float) -> Floats:
    """Exponential moving average with TensorBoard's debiasing, same length as `values`.

    s_k = w s_(k-1) + (1 - w) v_k, shown as s_k / (1 - w^k) (Kingma and Ba 2015, section 3).
    What is not finite becomes NaN and leaves the average untouched. `weight` is in [0, 1).
    """
    if not 0 <= weight < 1:
        raise ValueError(f"weight {weight} is not in [0, 1)")
    source = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(source)
    if finite.all():
        return _debiased(source, weight)
    result = np.full(len(source), np.nan)
    result[finite] = _debiased(source[finite], weight)
    return result


def _debiased(values: Floats, weight: float) -> Floats:
    count = len(values)
    if not count:
        return values
    blocks = -(-count // _BLOCK)
    padded = np.zeros(blocks * _BLOCK)
    padded[:count] = values
    table = padded.reshape(blocks, _BLOCK)
    # Within a block the average is a product with powers of the weight; between blocks it carries,
    # as if the first value of a block were that much larger.
    lag = np.subtract.outer(np.arange(_BLOCK), np.arange(_BLOCK))
    kernel = np.where(lag >= 0, (1 - weight) * weight ** np.maximum(lag, 0), 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        decay = weight**_BLOCK
        carries = np.empty(blocks)
        carry = 0.0
        for block, end in enumerate((table @ kernel[-1]).tolist()):
            carries[block] = carry
            carry = carry * decay + end
        table[:, 0] += carries * (weight / (1 - weight))
        average: Floats = (table @ kernel.T).ravel()[:count]
        # The debiasing fades: after a number of points it divides by 1.
        fading = min(count, math.ceil(-40 / math.log(weight)) if weight else 1)
        average[:fading] /= 1 - weight ** np.arange(1, fading + 1, dtype=np.float64)
    return average


def thin(
    x: npt.ArrayLike, y: npt.ArrayLike, columns: int, span: tuple[float, float] | None = None
) -> tuple[Floats, Floats]:
    """At most three points a column: its lowest, its highest, and NaN where a value is missing.

    `x` and `y` have one length; columns part `span` evenly, or the range of x. With a fixed span
    the columns stay where they are while a curve grows. Points come back ordered by x, so a line
    through them shows every spike, and breaks wherever a value is not finite.
    """
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if columns < 1:
        raise ValueError("thin needs a column at least")
    if len(across) and bool((across[1:] < across[:-1]).any()):
        order = np.argsort(across, kind="stable")
        across, up = across[order], up[order]
    if not len(across):
        return across, up
    low, high = span or (float(across[0]), float(across[-1]))
    edges = np.linspace(low, high, columns + 1)[1:-1]
    bounds = [0, *np.searchsorted(across, edges).tolist(), len(across)]
    keep: list[int] = []
    for start, stop in pairwise(bounds):
        if stop - start > 2:
            keep += _extremes(up[start:stop], start)
        else:
            keep += range(start, stop)
    places = up[keep]
    return across[keep], np.where(np.isfinite(places), places, np.nan)


def _extremes(values: Floats, offset: int) -> list[int]:
    """Positions of the lowest, the highest and the first non-finite value, in order."""
    low, high = int(values.argmin()), int(values.argmax())
    places = {low, high}
    if not (np.isfinite(values[low]) and np.isfinite(values[high])):  # NaN wins both
        finite = np.isfinite(values)
        places = {int(finite.argmin())}
        if finite.any():
            places.add(int(np.where(finite, values, np.inf).argmin()))
            places.add(int(np.where(finite, values, -np.inf).argmax()))
    return [offset + at for at in sorted(places)]


def bucket(values: npt.ArrayLike, width: int) -> Floats:
    """`values` in at most `width` buckets of equal count, each the mean of its finite values.

    NaN where a bucket has none. The mean, because a sparkline shows level and trend, and an
    extreme of each bucket would draw noise as a wall; the chart is where spikes are kept.
    """
    source = np.asarray(values, dtype=np.float64)
    if width < 1 or not len(source):
        return np.empty(0)
    finite = np.isfinite(source)
    bounds = np.linspace(0, len(source), min(width, len(source)) + 1).astype(np.int64)[:-1]
    if finite.all():
        counts = np.diff(bounds, append=len(source))
    else:
        counts = np.add.reduceat(finite.astype(np.int64), bounds)
        source = np.where(finite, source, 0.0)
    scale = max(1.0, float(source.max()), -float(source.min()))
    if scale * len(source) < _LARGE:  # else sums could overflow
        scale = 1.0
    else:
        source = source / scale
    means = np.full(len(bounds), np.nan)
    np.divide(np.add.reduceat(source, bounds), counts, out=means, where=counts > 0)
    return means * scale
