"""Rounding makes no 0 and no 1 of what is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compare.token_shift import Shift, ShiftedToken
from engine.jobs.status import State, Status
from engine.number_format import (
    apportion,
    write_count,
    write_exponent,
    write_number,
    write_percent,
    write_points,
    write_share,
    write_share_change,
    write_with_interval,
)
from tui.browse.result_lines import value
from tui.commands.compare_shift import lines, report
from tui.commands.follow import progress_line
from tui.formatting import number, shift
from tui.screens.shift_lines import nats, probability


@pytest.mark.parametrize(
    ("amount", "digits", "text"),
    [
        (0.0, 3, "0.000"), (1.0, 3, "1.000"), (0.4119, 3, "0.412"), (2.3e-7, 3, "2.3e-7"),
        (-2.3e-7, 3, "-2.3e-7"), (0.0006, 3, "0.001"), (0.0004, 3, "4.0e-4"), (1e-17, 3, "0.000"),
        (0.9996, 3, "0.9996"), (0.99996, 3, "0.99996"), (0.99999996, 3, ">0.999999"),
        (1.0003, 3, "1.0003"), (1.00000001, 2, "1.000000"), (-0.9999, 2, "-0.9999"),
        (99.6, 0, "100"), (math.nan, 3, "NaN"), (math.inf, 3, "inf"), (-math.inf, 3, "-inf"),
    ],
)  # fmt: skip
def test_numbers(amount: float, digits: int, text: str) -> None:
    assert write_number(amount, digits) == text


def test_signs_exponents_and_shares() -> None:
    assert write_number(2.3e-7, 2, signed=True) == "+2.3e-7"
    assert write_number(0.04, 2, signed=True) == "+0.04"
    assert [write_exponent(one) for one in (54321.0, 2e-100)] == ["5.4e4", "2.0e-100"]
    shares = (0, 0.001, 0.006, 0.5, 0.9949, 0.9996, 1)
    assert [write_percent(one) for one in shares] == [
        "0%", "<1%", "1%", "50%", "99%", ">99%", "100%",
    ]  # fmt: skip
    assert [write_share(one) for one in shares] == [
        ".00", "<.01", ".01", ".50", ".99", ">.99", "1.00",
    ]  # fmt: skip
    changes = (0, 1e-17, 0.001, -0.13, -1, 0.9999)
    assert [write_share_change(one) for one in changes] == [
        ".00", ".00", "+<.01", "-.13", "-1.00", "+>.99",
    ]  # fmt: skip
    assert [write_percent(one, 1) for one in (0.0004, 0.0012, 0.99996)] == [
        "<0.1%", "0.1%", ">99.9%",
    ]  # fmt: skip


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 6))
def test_zero_is_written_for_zero_alone(amount: float, digits: int) -> None:
    text = write_number(amount, digits)
    read = float(text.lstrip("<>"))
    if abs(amount) > 1e-15:
        assert read != 0
    assert digits == 0 or abs(amount) >= 1 or abs(read) < 1


def test_screens_and_commands_show_small_values_and_never_round_to_certain() -> None:
    assert number(2.3e-7) == nats(2.3e-7) == "2.3e-7"
    assert number(0.9996) == "0.9996"
    assert shift(3e-3) == "+3.0e-3"
    assert value(2e-3, signed=True) == "+2.0e-3"
    assert value(1e-14, signed=True) == "0.00"
    assert (probability(0.9996), probability(1.0), probability(1e-9)) == (">.99", "1.00", "<.01")
    tokens = tuple(ShiftedToken(1, "a", 9 if at == 500 else 1, 0.5, 0.5, 4e-5) for at in range(501))
    table = report([Shift("a", "b", "p", True, tokens)], {}, 2)
    assert "unshifted >99%, marginal 0%, shifted <1%; KL 4.0e-5 nats/token" in lines(
        table, "a", "b"
    )


def test_a_run_is_at_100_percent_once_it_is_there() -> None:
    line = progress_line("a", State.RUNNING, Status(State.RUNNING, step=999, total=1000))
    assert "99%  999/1000" in line


@given(st.lists(st.integers(0, 10**12), max_size=9), st.sampled_from([1, 10**6, 10**7]))
def test_parts_add_up_to_the_rounded_sum(amounts: list[int], unit: int) -> None:
    whole = apportion(amounts, unit)
    assert sum(whole) == (2 * sum(amounts) + unit) // (2 * unit)
    assert all(abs(one * unit - amount) < unit for one, amount in zip(whole, amounts, strict=True))


def test_points_have_one_decimal_and_are_0_for_no_change_alone() -> None:
    changes = (0.508, -0.004, 0.0104, 0.0003, -0.00004, 0.0, 1e-12, math.nan, -math.inf)
    assert [write_points(one) for one in changes] == [
        "+50.8", "-0.4", "+1.0", "+0.03", "-0.004", "0.0", "0.0", "NaN", "-inf",
    ]  # fmt: skip


def test_a_value_without_an_interval_stands_alone() -> None:
    assert write_with_interval(write_percent, 0.82, 0.75, 0.999) == "82% [75%, >99%]"
    assert write_with_interval(write_points, 0.02, None, None) == "+2.0"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 tensors"), (1, "1 tensor"), (2, "2 tensors"), (5000, "5,000 tensors")],
)
def test_a_count_agrees_with_its_noun(count: int, text: str) -> None:
    assert write_count(count, "tensor") == text
