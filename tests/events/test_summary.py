"""What curves come to, against values worked out by hand."""

import math

import numpy as np
import pytest

from engine.events.series import Series
from engine.events.summary import (
    Gap,
    Point,
    bits_per_byte,
    find_placeholders,
    gap,
    perplexity,
    summarise,
)


def series(tag: str, points: dict[int, float]) -> Series:
    steps = np.array(list(points), dtype=np.int64)
    return Series(tag, steps, steps.astype(float), np.array(list(points.values()), dtype=float))


def test_first_last_lowest_and_best() -> None:
    loss = summarise(series("eval/loss", {10: 2.0, 20: 1.0, 30: 1.5}))
    assert loss is not None
    assert (loss.first, loss.last) == (Point(10, 2.0), Point(30, 1.5))
    assert loss.best == loss.lowest == Point(20, 1.0)
    assert loss.highest == Point(10, 2.0)
    right = summarise(series("eval/accuracy", {1: 0.2, 2: 0.9, 3: 0.5}))
    assert right is not None
    assert (right.best, right.lowest) == (Point(2, 0.9), Point(1, 0.2))
    assert getattr(summarise(series("train/learning_rate", {1: 0.1})), "best", "") is None
    told = summarise(series("mine", {1: 1.0, 2: 3.0}), greater_is_better=True)
    assert told is not None
    assert told.best == Point(2, 3.0)


def test_what_is_not_finite_is_counted_and_never_best() -> None:
    found = summarise(series("loss", {1: math.nan, 2: 3.0, 3: -math.inf, 4: math.inf}))
    assert found is not None
    assert (found.best, found.not_finite) == (Point(2, 3.0), 3)
    assert math.isnan(found.first.value)
    assert found.last.value == math.inf
    never = summarise(series("loss", {1: math.nan}))
    assert never is not None
    assert never.best is never.lowest is None
    assert summarise(series("loss", {})) is None


def test_placeholders_are_constants_and_single_points() -> None:
    curves = {
        "hp": series("hp", {0: -1.0}),
        "fraction": series("fraction", {1: 0.5, 2: 0.5, 3: 0.5}),
        "returns_to": series("returns_to", {1: 0.5, 2: 0.7, 3: 0.5}),
        "broken": series("broken", {1: math.nan, 2: math.nan}),
        "train/loss": series("train/loss", {1: 0.0, 2: 0.0, 3: 0.0}),
        "eval/accuracy": series("eval/accuracy", {3: 0.5}),
    }
    assert find_placeholders(curves) == {"hp", "fraction"}
    assert not find_placeholders({"only": series("only", {1: 1.0})})
    assert not find_placeholders({})


def test_the_gap_is_to_the_mean_of_the_training_since_the_evaluation_before() -> None:
    curves = {
        "train/loss": series("train/loss", {1: 9.0, 2: 3.0, 3: 2.0, 4: 1.0}),
        "eval/loss": series("eval/loss", {0: 8.0, 2: 4.0, 4: 2.0}),
    }
    assert gap(curves) == Gap(4, 1.5, 2.0)
    assert gap(curves, at=2) == Gap(2, 6.0, 4.0)
    assert gap(curves, at=0) is None
    assert gap(curves, at=3) is None
    assert gap({"eval/loss": curves["eval/loss"]}) is None
    found = gap(curves)
    assert found is not None
    assert found.difference == 0.5


def test_bits_per_byte() -> None:
    """A text of 8 even bits a byte needs 8; one that is halved in its bytes needs twice as many."""
    assert bits_per_byte(10 * math.log(256), 10) == pytest.approx(8.0)
    assert bits_per_byte(10 * math.log(256), 5) == pytest.approx(16.0)
    assert bits_per_byte(math.inf, 3) == math.inf
    assert math.isnan(bits_per_byte(math.nan, 3))
    with pytest.raises(ValueError, match="no bytes"):
        bits_per_byte(1.0, 0)


def test_perplexity() -> None:
    assert perplexity(0.0) == 1.0
    assert perplexity(1.5) == pytest.approx(4.4816890703)
    assert perplexity(1e9) == math.inf
