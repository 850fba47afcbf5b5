"""Machine: how busy it is, number by number, with the last minutes as a small curve beside each."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.jobs.devices import label
from engine.jobs.hardware import Gpu, HardwareSample
from engine.text import one_line
from tui.formatting import NONE, size, time_span
from tui.glyphs import Glyphs
from tui.screens.page import SubPage, bindings_of
from tui.styled_text import Line, Piece, fit
from tui.widgets.lines import Rule
from tui.widgets.pager import Pager

NAME_CELLS = 13
VALUE_CELLS = 18
MOST_CELLS = 60
"""Of a small curve."""

Measure = Callable[[HardwareSample], float | None]


class HardwarePage(SubPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("machine")
    name_in_keymap = "machine"
    initial_focus = "#gauges"

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Pager(wrap=False, id="gauges")
        yield keys

    def open(self) -> None:
        super().open()
        self.show_readings(self.services.readings)

    def on_resize(self) -> None:
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        super().redraw()
        if self.ready:
            self.show_readings(self.services.readings)

    def show_readings(self, readings: tuple[HardwareSample, ...]) -> None:
        width = max(self.size.width - 2, 10)
        folder = one_line(str(self.services.hardware_feed.folder))
        self.query_one(Pager).show(machine_lines(readings, folder, width, self.glyphs))


def machine_lines(
    readings: Sequence[HardwareSample], folder: str, width: int, glyphs: Glyphs
) -> list[Line]:
    """What is known of the machine, in `width` cells; `readings` are its last minutes."""
    if not readings:
        return [[(" Reading hardware...", "dim")]]
    now = readings[-1]
    spark = _Spark(readings, max(0, min(MOST_CELLS, width - NAME_CELLS - VALUE_CELLS - 4)), glyphs)
    lines: list[Line] = []
    for at, gpu in enumerate(now.gpus):
        lines += [*_gpu_lines(gpu, at, spark, width, glyphs), []]
    if now.trouble:
        lines += [[(" The GPU cannot be read.", "bad")]]
        lines += [[(f" {one_line(now.trouble)}", "")], []]
    elif not now.gpus:
        lines += [[(" No GPU found, or all hidden by CUDA_VISIBLE_DEVICES.", "dim")], []]
    free, total = now.disk_free, now.disk_total
    disk = NONE if free is None or total is None else _share(total - free, total, digits=0)
    lines += [
        [(" Machine", "title"), (f"  {now.cores} cores", "dim")],
        spark.line("CPU", f"{now.cpu:.0f}%", lambda one: one.cpu, 100),
        spark.line(
            "memory",
            _share(now.memory_used, now.memory_total),
            lambda one: float(one.memory_used),
            now.memory_total,
        ),
        spark.line("disk", disk, _disk_used, total),
        [
            (f"   {'':<{NAME_CELLS}}", ""),
            (fit(_disk_words(free, folder), width - 14, glyphs.ellipsis), "dim"),
        ],
        [],
    ]
    span = readings[-1].moment - readings[0].moment
    words = f" Last {time_span(span)}. A full bar is the limit, or the largest value seen."
    lines.append([(fit(words, width, glyphs.ellipsis), "dim")])
    return lines


def _disk_used(one: HardwareSample) -> float | None:
    if one.disk_free is None or one.disk_total is None:
        return None
    return float(one.disk_total - one.disk_free)


def _disk_words(free: int | None, folder: str) -> str:
    return f"{folder} does not exist" if free is None else f"{size(free)} free at {folder}"


def _gpu_lines(gpu: Gpu, at: int, spark: "_Spark", width: int, glyphs: Glyphs) -> list[Line]:
    def of(field: str) -> Measure:
        def measure(one: HardwareSample) -> float | None:
            value = getattr(one.gpus[at], field) if at < len(one.gpus) else None
            return None if value is None else float(value)

        return measure

    device = gpu.device
    busy = NONE if gpu.utilization is None else f"{gpu.utilization}%"
    heat = (
        NONE if gpu.temperature is None else f"{gpu.temperature} {'' if glyphs.is_ascii else '°'}C"
    )
    lines: list[Line] = [
        [(f" {one_line(device.name)}", "title"), (f"  {label(device)}", "dim")],
        spark.line("utilization", busy, of("utilization"), 100),
        spark.line(
            "memory", _share(gpu.memory_used, device.memory_total), of("memory_used"),
            device.memory_total,
        ),
        spark.line("power", _watts(gpu), of("power"), gpu.power_limit),
        spark.line("temperature", heat, of("temperature"), 100),
        spark.line("clock", _megahertz(gpu.clock), of("clock")),
        spark.line("mem clock", _megahertz(gpu.memory_clock), of("memory_clock")),
    ]  # fmt: skip
    for place, one in enumerate(gpu.occupants):
        name = "processes" if place == 0 else ""
        memory = NONE if one.memory is None else size(one.memory)
        words = f"{memory:>9}  {f'pid {one.pid}':>11}  {one_line(one.owner) or '(no permission)'}"
        words += f"  {one_line(one.name)}"
        room = width - NAME_CELLS - 3
        lines.append([(f"   {name:<{NAME_CELLS}}", "dim"), (fit(words, room, glyphs.ellipsis), "")])
    if not gpu.occupants:
        lines.append([(f"   {'processes':<{NAME_CELLS}}", "dim"), ("none visible", "dim")])
    return lines


def _watts(gpu: Gpu) -> str:
    if gpu.power is None:
        return NONE
    return f"{gpu.power:.0f} W" + (f" of {gpu.power_limit:.0f}" if gpu.power_limit else "")


def _megahertz(clock: int | None) -> str:
    return NONE if clock is None else f"{clock:,} MHz"


def _share(used: int | None, total: int, *, digits: int = 1) -> str:
    if used is None:
        return NONE
    return f"{used / 1e9:.{digits}f} GB" + (f" of {total / 1e9:.0f}" if total else "")


class _Spark:
    """Small curves of one width over the same readings."""

    def __init__(self, readings: Sequence[HardwareSample], cells: int, glyphs: Glyphs) -> None:
        self._readings = readings
        self._cells = cells
        self._glyphs = glyphs

    def line(self, name: str, value: str, measure: Measure, all_of_it: float | None = None) -> Line:
        """A number and its curve, up to all there is; to the most that was seen where there is no
        such thing, or nobody says."""
        pieces: list[Piece] = [(f"   {name:<{NAME_CELLS}}", "dim"), (f"{value:<{VALUE_CELLS}}", "")]
        if self._cells >= 8:
            values = [measure(one) for one in self._readings]
            most = all_of_it or max((one for one in values if one is not None), default=0)
            if most > 0:
                pieces.append((self._curve(values, most), "tuned"))
        return pieces

    def _curve(self, values: Sequence[float | None], most: float) -> str:
        """Each cell is the largest of some readings, between nothing and `most`."""
        each = -(-len(values) // self._cells)
        top = len(self._glyphs.spark) - 1
        drawn = ""
        for first in range(0, len(values), each):
            known = [one for one in values[first : first + each] if one is not None]
            share = min(1.0, max(known) / most) if known else 0.0
            drawn += self._glyphs.spark[round(share * top)] if known else self._glyphs.gap
        return drawn
