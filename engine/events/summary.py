"""Summary of the curves of a run: first, last, best; how far eval lies above train; what a
loss means: perplexity, bits per byte.

Pure functions of curves; reads no file. Losses are taken as nats per token, as finetop and the
Trainer of transformers log them.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from engine.events.series import Series
from engine.events.tag_names import has_placeholder_name, is_higher_better


@dataclass(frozen=True, slots=True)
class Point:
    step: int
    value: float
    """May be NaN or infinite."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One tag's curve in a few points. Best and lowest are among the finite values."""

    tag: str
    points: int
    first: Point
    last: Point
    lowest: Point | None
    highest: Point | None
    best: Point | None
    """None where the tag does not say which values are better, as of a learning rate."""
    not_finite: int
    """Points that are NaN or infinite."""


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the held-out loss lies above the training loss, at one evaluation."""

    step: int
    train: float
    """Mean of the training losses since the evaluation before: one batch's alone is noise."""
    eval: float

    @property
    def difference(self) -> float:
        return self.eval - self.train


def summarise(
    series: Series, *, greater_is_better: bool | None = None, tags: Iterable[str] = ()
) -> Summary | None:
    """A curve's summary; None where it has no point. Without `greater_is_better`, the direction
    follows from the tag's name among the `tags` of its run."""
    if not len(series):
        return None
    low, high = _point(series.best()), _point(series.best(highest=True))
    upward = greater_is_better
    if upward is None:
        upward = is_higher_better(series.tag, tags)
    return Summary(
        series.tag,
        len(series),
        Point(int(series.steps[0]), float(series.values[0])),
        Point(int(series.steps[-1]), float(series.values[-1])),
        low,
        high,
        None if upward is None else high if upward else low,
        int((~np.isfinite(series.values)).sum()),
    )


def find_placeholders(curves: Mapping[str, Series]) -> frozenset[str]:
    """The tags whose values say nothing: constant ones, and a single point beside whole curves.

    Losses and scores are never among them: one that does not move is news.
    """
    longest = max(map(len, curves.values()), default=0)
    return frozenset(
        tag for tag, one in curves.items() if has_placeholder_name(tag) and _is_idle(one, longest)
    )


def _is_idle(series: Series, longest: int) -> bool:
    """Whether it has one point where others have more, or one finite value all the time."""
    values = series.values
    if not len(values) or not math.isfinite(values[0]):
        return False
    if len(values) == 1:
        return longest > 1
    # The ends tell most curves from a constant without a look at all their points.
    ends = values[0] == values[-1] == values[len(values) // 2]
    return bool(ends) and bool((values == values[0]).all())


def gap(curves: Mapping[str, Series], *, at: int | None = None) -> Gap | None:
    """The gap between `train/loss` and `eval/loss` at the last evaluation, or at step `at`.

    None where one of the two was not logged, or no training came before that evaluation.
    """
    train, held_out = curves.get("train/loss"), curves.get("eval/loss")
    if train is None or held_out is None or not len(held_out):
        return None
    at = int(held_out.steps[-1]) if at is None else at
    here = np.flatnonzero(held_out.steps == at)
    if not len(here):
        return None
    earlier = held_out.steps[held_out.steps < at]
    since = int(earlier.max()) if len(earlier) else -1
    window = train.values[(train.steps > since) & (train.steps <= at)]
    if not len(window):
        return None
    return Gap(at, float(window.mean()), float(held_out.values[here[-1]]))


def perplexity(loss: float) -> float:
    """exp(loss); infinite where that overflows."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def bits_per_byte(nll: float, byte_count: int) -> float:
    """Bits that a model needs for a byte of a text, comparable across tokenizers.

    `nll` is the sum over the text's tokens in nats, `byte_count` the bytes that these tokens stand
    for, in UTF-8. Raises ValueError without bytes.
    """
    if byte_count < 1:
        raise ValueError("no bytes")
    return nll / (math.log(2) * byte_count)


def _point(found: tuple[int, float] | None) -> Point | None:
    return None if found is None else Point(*found)
