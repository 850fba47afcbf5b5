"""How measured values are written: so that rounding never makes a 0 or a 1 of what is none.

A value that its digits would show as zero has an exponent (2.3e-7), one that they would show as 1
has more digits (0.9996), a share that is neither none nor all is never 0% or 100%.
"""

import math
from collections.abc import Callable, Sequence

NOISE = 1e-15
"""Below it a value is what rounding in float64 left of a zero."""
_NO_POINTS = 1e-9
"""Points that float64 leaves of no change of a mean."""
_LEAST_POINTS = 0.05
"""Points that one decimal shows."""
_MOST_DIGITS = 6
"""To which a value close to 1 is written."""


def write_number(value: float, digits: int, *, signed: bool = False) -> str:
    """A value with so many decimals; more, or an exponent, where they would make it 0 or 1.

    NaN and infinity by name.
    """
    sign = "+" if signed else ""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value:{sign}}"
    if abs(value) < NOISE:
        return f"{0:.{digits}f}"
    text = f"{value:{sign}.{digits}f}"
    if float(text) == 0:
        return write_exponent(value, signed=signed)
    while 0 < digits < _MOST_DIGITS and abs(float(text)) == 1 != abs(value):
        digits += 1
        text = f"{value:{sign}.{digits}f}"
    if digits and abs(value) < 1 == abs(float(text)):
        return f">{sign}0.{'9' * digits}" if value > 0 else f"<-0.{'9' * digits}"
    return text


def write_points(change: float) -> str:
    """A change of a share in points, with its sign: +50.8, -0.4; one that a decimal would make 0
    with one digit, -0.03. NaN and infinity by name."""
    points = 100 * change
    if not math.isfinite(points):
        return write_number(points, 1, signed=True)
    if abs(points) < _NO_POINTS:
        return "0.0"
    return f"{points:+.1f}" if abs(points) >= _LEAST_POINTS else f"{points:+.1g}"


def write_with_interval(
    write: Callable[[float], str], value: float, low: float | None, high: float | None
) -> str:
    """A value and its interval, where it has one, written alike: -1.9 [-3.1, -0.8]."""
    if low is None or high is None:
        return write(value)
    return f"{write(value)} [{write(low)}, {write(high)}]"


def write_size(count: float) -> str:
    """Bytes, decimal: 4.1 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def apportion(amounts: Sequence[int], unit: int) -> list[int]:
    """Amounts in whole units whose sum is the rounded sum: by largest remainders.

    For parts that are shown with their total. Amounts and unit are not negative.
    """
    whole = [amount // unit for amount in amounts]
    missing = (2 * sum(amounts) + unit) // (2 * unit) - sum(whole)
    order = sorted(range(len(amounts)), key=lambda at: -(amounts[at] % unit))
    for at in order[:missing]:
        whole[at] += 1
    return whole


def write_exponent(value: float, *, signed: bool = False) -> str:
    """Two significant digits with an exponent of as few digits as it has: 2.3e-7, 1.2e5."""
    mantissa, _, exponent = f"{value:{'+' if signed else ''}.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def write_count(count: int, noun: str) -> str:
    """A number of things whose plural ends in s, as in "1 tensor" and "1,200 tensors"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def write_percent(share: float, digits: int = 0) -> str:
    """A share in percent; "<1%" and ">99%" where it is neither none nor all."""
    least = 10.0**-digits
    text = f"{share:.{digits}%}"
    if 0 < share < 1 and float(text[:-1]) == 0:
        return f"<{least:.{digits}f}%"
    if 0 < share < 1 and float(text[:-1]) == 100:
        return f">{100 - least:.{digits}f}%"
    return text


def write_share(share: float) -> str:
    """A share between 0 and 1 in at most four cells: .87, 1.00, "<.01" and ">.99" where it is
    neither none nor all."""
    text = f"{share:.2f}"
    if share > NOISE and float(text) == 0:
        return "<.01"
    if share < 1 - NOISE and float(text) == 1:
        return ">.99"
    return text.removeprefix("0")


def write_share_change(change: float) -> str:
    """A change of a share between -1 and 1, with its sign: +.05, -.13, -1.00, +<.01."""
    sign = "+" if change > NOISE else "-" if change < -NOISE else ""
    text = write_share(abs(change))
    return f"{sign}{text}"
