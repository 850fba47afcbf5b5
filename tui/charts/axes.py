"""The axes of a chart: limits that stay put while data grows, and their labels.

A limit that moves redraws every cell, so x grows in leaps and y only when the data leaves it or
fills less than half of it.
"""

import math
import time
from dataclasses import dataclass

_LEAPS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_DURATIONS = (
    *(10, 15, 20, 30, 60, 90, 120, 180, 300, 450, 600, 900, 1200, 1800, 2700),
    *(3600, 5400, 7200, 10800, 14400, 21600, 28800, 43200, 64800, 86400),
)


@dataclass(frozen=True, slots=True)
class AxisRange:
    """The range of one direction; `low` is below `high`, and above 0 where `log`."""

    low: float
    high: float
    log: bool = False
    time: bool = False
    """In seconds since the beginning; else plain numbers."""
    wall: bool = False
    """In seconds since the epoch, told as the clock tells them."""

    def place(self, value: float, cells: int) -> float:
        """Where `value` falls among `cells` of a linear axis: 0 at `low`, cells - 1 at `high`."""
        return (value - self.low) / (self.high - self.low) * (cells - 1)

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """About `count` positions with their labels, lowest first."""
        if self.log:
            return self._log_ticks(count)
        span = self.high - self.low
        step = _leap(span / max(count, 1), _DURATIONS) if self.time else 0.0
        step = step or nice_step(span / max(count, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        places = [at * step for at in range(first, last + 1)]
        if self.wall:
            return [(place, moment(place, span)) for place in places]
        if self.time:
            return [(place, duration(place)) for place in places]
        digits = next((d for d in range(16) if abs(round(step, d) - step) < 1e-6 * step), 16)
        return [(place, number(place, digits)) for place in places]

    def _log_ticks(self, count: int) -> list[tuple[float, str]]:
        low, high = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        stride = max(1, -(-(high - low) // max(count, 1)))
        factors = (1, 2, 5) if math.log10(self.high / self.low) * 3 <= 2 * count + 1 else (1,)
        places = [
            factor * 10.0**power for power in range(low, high + 1, stride) for factor in factors
        ]
        inside = [p for p in places if self.low * 0.999999 <= p <= self.high * 1.000001]
        return [(place, f"{place:.3g}") for place in inside or (self.low, self.high)]


def fit_x(
    low: float, high: float, previous: AxisRange | None, *, time: bool, total: float = 0
) -> AxisRange:
    """An axis for data from `low` to `high`, which grows in leaps.

    `total` is where the data is known to end (the last step of a run), 0 where it is not.
    """
    if previous and previous.time == time and not total and _holds(previous, low, high):
        return previous
    start = 0.0 if 0 <= low <= 0.5 * high or high <= 0 <= low else low
    if total >= high > start:
        return AxisRange(start, total, time=time)
    span = max(high - start, 1.0)
    leap = _leap(span, _DURATIONS) if time else 0.0
    return AxisRange(start, start + (leap or _grow(span)), time=time)


def fit_y(low: float, high: float, previous: AxisRange | None, *, log: bool = False) -> AxisRange:
    """An axis for values from `low` to `high`, of magnitudes from 1e-100 to 1e100.

    `low` is above 0 where `log`.
    """
    if previous and previous.log == log and _holds(previous, low, high):
        return previous
    if log:
        return AxisRange(_log_round(low, up=False), _log_round(high, up=True), log=True)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = abs(high) * 0.1 or 1.0
        low, high = low - room, high + room
    step = nice_step((high - low) / 4)
    return AxisRange(math.floor(low / step) * step, math.ceil(high / step) * step)


def _holds(axis: AxisRange, low: float, high: float) -> bool:
    """Whether data still fits into an axis without leaving most of it empty."""
    if low < axis.low or high > axis.high:
        return False
    if axis.log:
        return math.log(axis.high / axis.low) <= 4 * math.log(high / low) + 4
    return axis.high - axis.low <= 2.5 * (high - low) or high <= low


def nice_step(rough: float) -> float:
    """The next of 1, 2, 2.5 and 5 times a power of ten that is not below `rough`."""
    return _ladder(rough, _NICE)


def _grow(span: float) -> float:
    return _ladder(span, _LEAPS)


def _ladder(rough: float, rungs: tuple[float, ...]) -> float:
    power = 10.0 ** math.floor(math.log10(max(rough, 1e-300)))
    return next((rung * power for rung in rungs if rung * power >= rough * (1 - 1e-9)), rough)


def _leap(span: float, rungs: tuple[int, ...]) -> float:
    """The next rung that is not below `span`; 0 where it is beyond them all or below them."""
    if span < 1:
        return 0.0
    return next(
        (float(rung) for rung in rungs if rung >= span), _ladder(span / 86400, _LEAPS) * 86400
    )


def _log_round(value: float, *, up: bool) -> float:
    """The nearest of 1, 2 and 5 times a power of ten: above `value`, or not above it."""
    power = 10.0 ** math.floor(math.log10(value))
    rungs = [rung * power for rung in (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)]
    if up:
        return next(rung for rung in rungs if rung > value)
    return next(rung for rung in reversed(rungs) if rung <= value)


def number(value: float, digits: int) -> str:
    """A tick's label: grouped where large, scientific where the cells would not do."""
    if abs(value) >= 1e7 or (digits > 5):
        return f"{value:.2g}" if value else "0"
    if abs(value) >= 1e4 and digits == 0:
        return f"{value / 1000:g}k"
    return f"{value:.{digits}f}"


def moment(seconds: float, span: float) -> str:
    """Seconds since the epoch by the clock, as fine as an axis of `span` seconds needs."""
    form = "%m-%d" if span > 4 * 86_400 else "%d. %H:%M" if span > 43_200 else "%H:%M:%S"
    return time.strftime(form, time.localtime(seconds))


def duration(seconds: float) -> str:
    """Seconds as a short time: 45s, 3m, 1m30, 2h, 2h30, 3d."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:g}s" if whole != seconds else f"{whole}s"
    for size, unit, part in ((86400, "d", 3600), (3600, "h", 60), (60, "m", 1)):
        if whole >= size:
            big, small = divmod(whole, size)
            return f"{big}{unit}{small // part:02d}" if small else f"{big}{unit}"
    return f"{whole}s"
