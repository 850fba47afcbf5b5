"""The x axes of a chart: step, time, tokens, epochs; and reading values at a cursor.

Tokens and epochs are joined by step from what the run logged; where it logged none, the axis is
reported as missing instead of guessed. Owns no drawing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from engine.events.series import Floats, Series


class Axis(StrEnum):
    STEP = "step"
    RELATIVE_STEP = "relative step"
    RELATIVE_TIME = "relative time"
    WALL_TIME = "wall time"
    TOKENS = "tokens"
    EPOCH = "epoch"

    @property
    def is_time(self) -> bool:
        """Whether its unit is the second."""
        return self in (Axis.RELATIVE_TIME, Axis.WALL_TIME)


TOKEN_TAGS = (
    "train/tokens",
    "train/num_input_tokens_seen",
    "train/num_tokens",
    "train/tokens_seen",
    "train/total_tokens",
    "train/consumed_tokens",
    "num_input_tokens_seen",
    "num_tokens",
    "tokens",
    "global_tokens",
    "tokens_seen",
    "total_tokens",
    "consumed_tokens",
)
"""Tags for the total number of tokens seen: of finetop, the Trainer, TRL, and others."""
EPOCH_TAGS = ("train/epoch", "epoch", "trainer/epoch", "global/epoch")


@dataclass(frozen=True, slots=True, eq=False)
class Along:
    """The positions of a series' points on an axis."""

    x: Floats
    """One for each point, NaN where its place is unknown; empty where the axis is missing."""
    missing: str = ""
    """Why this run has no such axis, as shown on screen."""


def along(axis: Axis, series: Series, run: Mapping[str, Series]) -> Along:
    """The places of a series' points on `axis`; `run` holds all series of the same run."""
    steps = series.steps.astype(np.float64)
    if axis is Axis.STEP:
        return Along(steps)
    if axis is Axis.RELATIVE_STEP:
        firsts = [int(one.steps[0]) for one in run.values() if len(one)]
        return Along(steps - min(firsts, default=0))
    if axis is Axis.WALL_TIME:
        return _timed(series.wall_times)
    if axis is Axis.RELATIVE_TIME:
        begun = began(run.values())
        return _timed(series.wall_times) if begun is None else _timed(series.wall_times - begun)
    tags, what = (TOKEN_TAGS, "tokens") if axis is Axis.TOKENS else (EPOCH_TAGS, "epochs")
    clock = next((run[tag] for tag in tags if tag in run and len(run[tag])), None)
    if clock is None:
        return Along(np.empty(0), f"no {what} logged; searched tags {', '.join(tags[:3])}, …")
    return Along(join(series, clock))


def cut(
    x: Floats, y: Floats, span: tuple[float, float], *, log: bool = False
) -> tuple[Floats, Floats]:
    """The part of a line through points that lies in `span`, in order of x.

    A segment that leaves the span is cut at its end; `log` is whether it is straight on a
    logarithmic scale. `x` and `y` have one length.
    """
    low, high = span
    if len(x) and bool((x[1:] < x[:-1]).any()):
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    first, last = int(np.searchsorted(x, low)), int(np.searchsorted(x, high, side="right"))
    ends = [(low, _between(x, y, first, low, log))] if first < len(x) and x[first] > low else []
    stop = [(high, _between(x, y, last, high, log))] if last and x[last - 1] < high else []
    if first == last and not (ends and stop):
        return x[:0], y[:0]
    before = [end for end in ends if np.isfinite(end[1])]
    after = [end for end in stop if np.isfinite(end[1])]
    return (
        np.concatenate([[end[0] for end in before], x[first:last], [end[0] for end in after]]),
        np.concatenate([[end[1] for end in before], y[first:last], [end[1] for end in after]]),
    )


def _between(x: Floats, y: Floats, right: int, at: float, log: bool) -> float:
    """The value at `at` on the line from the point before `right` to it; NaN where undefined."""
    if not 0 < right < len(x):
        return np.nan
    one, other = float(y[right - 1]), float(y[right])
    if not (np.isfinite(one) and np.isfinite(other)) or (log and min(one, other) <= 0):
        return np.nan
    share = (at - float(x[right - 1])) / float(x[right] - x[right - 1])
    if log:
        return float(np.exp(np.log(one) + share * (np.log(other) - np.log(one))))
    return one + share * (other - one)


def began(run: Iterable[Series]) -> float | None:
    """When the first point of a run was written, in seconds since the epoch; None: not known."""
    firsts = [float(one.wall_times[0]) for one in run if len(one) and _known(one.wall_times[:1])]
    return min(firsts, default=None)


def join(series: Series, clock: Series) -> Floats:
    """What `clock` had counted at each step of `series`, between its points by straight lines.

    Before its first point it is taken to have counted up from 0 at step 0; after its last point
    it is not known, and NaN.
    """
    finite = np.isfinite(clock.values)
    steps, counts = clock.steps[finite], clock.values[finite]
    if not (steps[1:] > steps[:-1]).all():
        # A step may come twice, and steps may go back: the newest write at each step counts.
        steps, backwards = np.unique(steps[::-1], return_index=True)
        counts = counts[::-1][backwards]
    if np.array_equal(steps, series.steps):  # logged together, as is usual
        return counts
    if not len(steps):
        return np.full(len(series), np.nan)
    known = steps.astype(np.float64)
    if known[0] > 0 and counts[0] > 0:
        known, counts = np.concatenate([[0.0], known]), np.concatenate([[0.0], counts])
    return np.interp(series.steps, known, counts, left=np.nan, right=np.nan)


def nearest(x: Floats, at: float) -> int | None:
    """Position of the point nearest to `at`, the newest of equals; None where there is none."""
    distance = np.abs(x[::-1] - at)
    if not len(distance):
        return None
    place = int(distance.argmin())  # a NaN, where there is one
    if np.isnan(distance[place]):
        if not _known(distance):
            return None
        place = int(np.nanargmin(distance))
    return len(x) - 1 - place


def _timed(times: Floats) -> Along:
    if len(times) and not _known(times):
        return Along(np.empty(0), "this log has no wall times")
    return Along(times)


def _known(values: Floats) -> bool:
    return bool(np.isfinite(values).any())
