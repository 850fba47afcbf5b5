"""Smoothing, thinning and buckets, against their definitions written out plainly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.events.series import Series, bucket, smooth, thin

NUMBERS = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
VALUES = st.lists(NUMBERS, max_size=300)


def series(values: list[float]) -> Series:
    steps = np.arange(len(values), dtype=np.int64) * 10
    return Series("a", steps, steps.astype(np.float64), np.array(values, dtype=np.float64))


@given(VALUES, st.sampled_from([0.0, 0.3, 0.6, 0.99]))
def test_smooth_is_the_debiased_average(values: list[float], weight: float) -> None:
    average, seen, expected = 0.0, 0, []
    for value in values:
        if math.isfinite(value):
            average = weight * average + (1 - weight) * value
            seen += 1
            expected.append(average / (1 - weight**seen))
        else:
            expected.append(math.nan)
    np.testing.assert_allclose(smooth(values, weight), expected, rtol=1e-9, atol=1e-6)


def test_smooth_refuses_a_weight_of_one() -> None:
    with pytest.raises(ValueError, match="weight"):
        smooth([1.0], 1.0)


@given(
    arrays.arrays(np.float64, st.integers(1, 400), elements=NUMBERS),
    st.integers(1, 40),
    st.booleans(),
)
def test_thin_keeps_extremes_and_gaps(y: np.ndarray, columns: int, spread: bool) -> None:
    x = np.arange(len(y), dtype=np.float64) ** (2 if spread else 1)
    thin_x, thin_y = thin(x, y, columns)
    assert len(thin_x) <= 3 * columns + 1
    assert (np.diff(thin_x) >= 0).all()
    finite = y[np.isfinite(y)]
    assert np.isnan(thin_y).any() == (len(finite) < len(y))
    if len(finite):
        assert np.nanmax(thin_y) == finite.max()
        assert np.nanmin(thin_y) == finite.min()
    points = set(zip(x.tolist(), y.tolist(), strict=True))
    kept = [p for p in zip(thin_x.tolist(), thin_y.tolist(), strict=True) if p[1] == p[1]]
    assert points.issuperset(kept)


def test_thin_finds_the_extremes_of_each_column() -> None:
    y = np.sin(np.arange(10_000) / 50) + np.random.default_rng(3).normal(size=10_000)
    x = np.arange(10_000.0)
    thin_x, thin_y = thin(x, y, 100, (0.0, 10_000.0))
    for column in range(100):
        inside = (thin_x >= column * 100) & (thin_x < column * 100 + 100)
        own = y[column * 100 : column * 100 + 100]
        assert {own.min(), own.max()} == set(thin_y[inside].tolist())


def test_thin_leaves_columns_alone_while_a_curve_grows() -> None:
    y = np.random.default_rng(4).normal(size=2000)
    x = np.arange(2000.0)
    before = thin(x[:1500], y[:1500], 80, (0.0, 2000.0))
    after = thin(x, y, 80, (0.0, 2000.0))
    whole = before[0] < 1475  # all but the column that was being filled
    np.testing.assert_array_equal(before[0][whole], after[0][: whole.sum()])
    np.testing.assert_array_equal(before[1][whole], after[1][: whole.sum()])


def test_thin_sorts_what_went_back() -> None:
    x, y = thin([3.0, 1.0, 2.0], [30.0, 10.0, 20.0], 5)
    assert x.tolist() == [1, 2, 3]
    assert y.tolist() == [10, 20, 30]
    assert [len(part) for part in thin([], [], 5)] == [0, 0]


@given(VALUES, st.integers(-1, 50))
def test_bucket_means(values: list[float], width: int) -> None:
    found = bucket(values, width)
    count = min(max(width, 0), len(values))
    assert len(found) == count
    edges = [at * len(values) // count for at in range(count + 1)] if count else [0]
    for at in range(count):
        own = [v for v in values[edges[at] : edges[at + 1]] if math.isfinite(v)]
        if own:
            assert found[at] == pytest.approx(sum(own) / len(own), rel=1e-9, abs=1e-3)
        else:
            assert math.isnan(found[at])


def test_bucket_of_huge_values_does_not_overflow() -> None:
    assert np.isfinite(bucket([1.7e308] * 100, 10)).all()


def test_last_and_best() -> None:
    curve = series([3.0, math.nan, 1.0, -math.inf, 2.0, math.inf])
    assert curve.last == math.inf
    assert curve.last_step == 50
    assert curve.best() == (20, 1.0)
    assert curve.best(highest=True) == (0, 3.0)
    assert series([math.nan]).best() is None
    assert series([]).best() is None
    assert series([]).last is None
