"""`finetop watch` as a program in a terminal, beside `wandb leet` where this machine has it.

    python -m tests.benchmarks.bench_watch [--brief]

Real pseudo-terminals on event files that grow; one part, the chart of very many points, runs in
this process, so that its event loop can be watched.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.events.series import thin
from tests.benchmarks import leet
from tests.benchmarks.bench_events import Sizes, timed, write_runs
from tests.benchmarks.parts import NotHere, Part, measure
from tests.benchmarks.results import Outcome
from tests.benchmarks.terminal import Terminal
from tests.benchmarks.writer import curve
from tests.events.encoding import event, record, simple, version

COLUMNS, LINES = 120, 40
QUIET = 3.0
"""Seconds without a byte after which a screen has settled."""
ANSWERED = 0.3
"""Seconds for the answer to a key, more than any takes."""
HINT = "state:running"
"""What an empty filter field shows."""
FOUR_CHARTS = "ddd"
"""Keys that lead from as many charts as there is room for to four."""


@dataclass(frozen=True, slots=True)
class Effort:
    pairs: int = 7
    runs: Sizes = Sizes()
    scrolls: int = 20
    rounds: int = 5
    """How often a filter is typed and taken back."""
    values: int = 20
    points: int = 1000
    seconds: float = 20.0
    large: int = 1_000_000


BRIEF = Effort(1, Sizes(runs=100), 3, 1, 3, 200, 4.0, 100_000)


class Log:
    """An event file that grows, in a run of its own below `folder`."""

    def __init__(self, folder: Path, name: str = "run-0") -> None:
        path = folder / name
        path.mkdir(parents=True)
        self._file = (path / "events.out.tfevents.1700000000.box.1").open("ab")
        self._file.write(record(version(1.7e9)))
        self._file.flush()

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, step: int, values: dict[str, float]) -> float:
        """One event a value, as most writers have them; the moment at which they were on disk."""
        wall = 1.7e9 + step / 2
        self._file.write(
            b"".join(record(event(wall, step, simple(*one))) for one in values.items())
        )
        self._file.flush()
        return time.monotonic()


def four(step: int) -> dict[str, float]:
    """What is logged at a step: a metric for each of four charts."""
    return {
        "train/loss": curve(step),
        "train/learning_rate": 1e-3 * (1 - step / 4000),
        "train/grad_norm": 0.9 + 0.2 * float(np.sin(step * 78.233)),
        "reward/mean": 2.0 - curve(step + 7),
    }


def bench(effort: Effort = Effort()) -> Outcome:
    """Measure all parts, one after the other."""
    sizes = effort.runs
    return Outcome(
        measure(PARTS, effort),
        {
            "pairs of starts": effort.pairs,
            "runs": f"{sizes.runs:,} × {sizes.run_tags} tags × {sizes.run_steps:,} points, cached",
            "keys timed": effort.scrolls + 4 * effort.rounds,
            "values timed": effort.values,
            "points of a live run": effort.points,
            "seconds live, and idle": effort.seconds,
            "points of the large curve": effort.large,
            "terminal": f"{COLUMNS}x{LINES} true colour with synchronised frames",
        },
    )


def watch(folder: Path) -> list[str]:
    """The command that opens `finetop watch` on the runs below `folder`."""
    return [sys.executable, "-m", "tui.cli", "watch", str(folder)]


def start(effort: Effort, folder: Path) -> list[str | None]:
    """Both on one run of the same points, started in turn, until nothing changes any more."""
    with Log(folder / "logs") as log:
        for step in range(1, effort.points + 1):
            log.add(step, four(step))
    commands = {"finetop watch": watch(folder / "logs")}
    try:
        with leet.OfflineRun(folder / "peer") as run:
            for step in range(1, effort.points + 1):
                run.log(step, four(step))
        commands["wandb leet"] = leet.command(folder / "peer")
    except NotHere as missing:
        reason = f"not measured: {missing}"
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(effort.pairs + 1):
        for name, line in commands.items():
            with Terminal(line, folder, columns=COLUMNS, lines=LINES) as terminal:
                mark = "run-0 " if name == "finetop watch" else "reward/mean"
                while not terminal.chunks:
                    terminal.pump(QUIET)
                terminal.settle(QUIET)
                assert mark in terminal.text(), f"{name} shows no {mark}:\n{terminal.text()}"
                if number:  # the first pair fills the caches
                    found[name].append((terminal.first_byte(), terminal.last_change()))
    middle = {
        name: [statistics.median(column) for column in zip(*times, strict=True)]
        for name, times in found.items()
    }
    ours = [f"{seconds:.3f} s" for seconds in middle["finetop watch"]]
    if "wandb leet" not in middle:
        return [*ours, reason, reason, reason]
    theirs = middle["wandb leet"]
    ratio = middle["finetop watch"][1] / theirs[1]
    return [*ours, *(f"{seconds:.3f} s" for seconds in theirs), f"{ratio:.2f}"]


def many(effort: Effort, folder: Path) -> list[str | None]:
    """A thousand runs: the table, and what keys do while the curves are still read."""
    sizes = effort.runs
    write_runs(folder / "logs", sizes)
    random.seed(1)
    newest = f"{1 / (sizes.run_steps + 2):.5g}"
    counts = {word: sum(word in f"run-{n}" for n in range(sizes.runs)) for word in ("7", "77")}
    typed = [("7", "7"), ("7", "77"), ("\x7f", "7"), ("\x7f", "")]
    scrolls: list[float] = []
    filters: list[float] = []
    with Terminal(watch(folder / "logs"), folder, columns=COLUMNS, lines=LINES) as terminal:
        terminal.take(2.5)  # not looked at meanwhile, which would take the program's time
        terminal.see("run-20 ")
        terminal.see(newest)
        terminal.see(f"{sizes.runs:,} runs")
        first = terminal.shown("run-0 ", "run-20 ")
        full = terminal.shown("run-0 ", "run-20 ", newest, f"{sizes.runs:,} runs")

        def timed_key(key: str, text: str, times: list[float]) -> None:
            terminal.take(random.uniform(0.05, 0.2))
            if "loading" in terminal.text():
                assert text not in terminal.text(), f"{text!r} is there before {key!r} was pressed"
                pressed = time.monotonic()
                terminal.press(key)
                terminal.take(ANSWERED)  # to understand what came takes long, and is for afterwards
                came = terminal.found(text)
                times.append((came or terminal.see(text, 10)) - pressed)

        for number in range(1, effort.scrolls + 1):
            timed_key("j", f">   run-{number} ", scrolls)
        terminal.press("/")
        terminal.see(HINT)
        for _ in range(effort.rounds):
            for key, word in typed:
                text = f"{counts[word]} shown" if word else HINT
                timed_key(key, text, filters)
        while "loading" in terminal.text():
            terminal.pump(0.5)
        read = terminal.chunks[-1][0] - terminal.started
    assert len(scrolls) >= effort.scrolls // 2, "all was read before the keys were timed"
    assert filters, "all was read before a filter was typed"
    return [
        f"{first:.2f} s",
        f"{full:.2f} s",
        *(f"{value * 1e3:.0f} ms" for value in _middle_and_most(scrolls)),
        *(f"{value * 1e3:.0f} ms" for value in _middle_and_most(filters)),
        f"{read:.1f} s",
    ]


def news(effort: Effort, folder: Path) -> list[str | None]:
    """From the moment an event is on disk until its value is in the list, then in Watch."""
    random.seed(1)
    found: list[str | None] = []
    with Log(folder / "logs") as log:
        for step in range(1, effort.points + 1):
            log.add(step, four(step))
        step = effort.points
        with Terminal(watch(folder / "logs"), folder, columns=COLUMNS, lines=LINES) as terminal:
            terminal.see("run-0")
            terminal.settle(QUIET)
            for key, shape in (("", "1.{0}1"), ("\r", "train 2.{0}")):
                terminal.press(key)
                terminal.settle(QUIET)
                delays = []
                for number in range(effort.values):
                    terminal.take(random.uniform(0.7, 1.7))
                    text = shape.format(111 + number)
                    assert text not in terminal.text(), "the value is there before it was written"
                    step += 1
                    loss = float(text.removeprefix("train "))
                    written = log.add(step, four(step) | {"train/loss": loss})
                    delays.append(terminal.see(text) - written)
                found += [f"{value:.2f} s" for value in _middle_and_most(delays)]
    return found


def live(effort: Effort, folder: Path) -> list[str | None]:
    """Bytes while four charts grow twice a second, and while nothing does."""
    found: list[str | None] = []
    with (
        Log(folder / "logs") as log,
        Terminal(watch(folder / "logs"), folder, columns=COLUMNS, lines=LINES) as terminal,
    ):
        for step in range(1, effort.points + 1):
            log.add(step, four(step))
        terminal.see("run-0")
        terminal.settle(QUIET)
        found.append(f"{terminal.take(effort.seconds)} B")
        terminal.press("\r")
        terminal.see(" step ")
        terminal.press(FOUR_CHARTS)
        terminal.settle(QUIET)
        text = terminal.text()
        assert all(tag in text for tag in ("loss", "learning rate", "gradient norm", "reward"))
        found.append(f"{terminal.take(effort.seconds)} B")
        found[:0] = _traffic(terminal, effort, lambda step: log.add(step, four(step)))
    try:
        with leet.OfflineRun(folder / "peer") as run:
            for step in range(1, effort.points + 1):
                run.log(step, four(step))
            line = leet.command(folder / "peer")
            with Terminal(line, folder, columns=COLUMNS, lines=LINES) as terminal:
                terminal.see("Metrics [")
                terminal.take(2 * QUIET)
                rate, _ = _traffic(terminal, effort, lambda step: run.log(step, four(step)))
                return [*found, rate]
    except NotHere as missing:
        return [*found, f"not measured: {missing}"]


def large(effort: Effort, folder: Path) -> list[str | None]:
    """A curve of very many points: thinned, drawn, and the event loop meanwhile."""
    from tui.charts.curve import Curve
    from tui.charts.draw import ChartOptions, draw

    count = effort.large
    steps = np.arange(count)
    values = np.random.default_rng(0).normal(size=count)
    x = steps.astype(np.float64)
    curve = Curve("loss", steps, 1.7e9 + x, values, places=x)
    thinned = timed(lambda: thin(x, values, 160), times=5)
    drawn = timed(lambda: draw((curve,), ChartOptions(), 160, 48), times=5)
    smoothed = timed(lambda: draw((curve,), ChartOptions(0.6), 160, 48), times=5)
    os.environ["FINETOP_STATE"] = str(folder / "state")
    with Log(folder / "logs") as log:
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            log.add(step, {"loss": value})
        seconds = asyncio.run(_redraw(folder / "logs", folder / "runs", log))
    return [f"{value * 1e3:.1f} ms" for value in (thinned, drawn, smoothed, *seconds)]


async def _redraw(logs: Path, runs: Path, log: Log) -> tuple[float, float, float, float]:
    """Seconds until another smoothing is drawn (median), and the loop's longest gap meanwhile;
    its longest gap while points are added, and while nothing happens."""
    from engine.jobs.store import Store
    from tui.charts.chart import Chart
    from tui.logs_app import LogsApp
    from tui.watch.page import WatchPage

    runs.mkdir()
    app = LogsApp([logs], Store(runs))
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - before - 0.001)

    async with app.run_test(size=(160, 50)) as pilot:

        async def until(condition: Callable[[], bool]) -> None:
            end = time.monotonic() + 60
            while not condition():
                assert time.monotonic() < end, "it was not drawn"
                await asyncio.sleep(0.002)

        await until(lambda: any(row.log and row.log.loaded for row in app.runs.rows))
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, WatchPage))
        await pilot.press("enter")
        await until(lambda: len(app.screen.query(Chart)) == 1)
        chart = app.screen.query_one(Chart)
        await until(lambda: chart.settled and chart.span is not None)
        await asyncio.sleep(1.0)
        metronome = asyncio.create_task(tick())
        await asyncio.sleep(1.0)
        still, times = max(gaps), []
        gaps.clear()
        for key in ("plus", "plus", "minus", "minus", "plus"):
            begun = time.perf_counter()
            app.simulate_key(key)
            await until(lambda: not chart.settled)
            await until(lambda: chart.settled)
            times.append(time.perf_counter() - begun)
            await asyncio.sleep(0.1)
        drawing = max(gaps)
        gaps.clear()
        for number in range(5):
            before = app.detail
            log.add(2_000_000 + number, {"loss": float(number)})
            await until(lambda: app.detail is not before)  # noqa: B023  # awaited at once
            await until(lambda: chart.settled)
            await asyncio.sleep(0.1)
        metronome.cancel()
    return statistics.median(times), drawing, max(gaps), still


def _traffic(terminal: Terminal, effort: Effort, log: Callable[[int], object]) -> tuple[str, str]:
    """Log twice a second: bytes a second, and those of the busiest."""
    step = effort.points
    for seconds in (3.0, effort.seconds):
        start, count = time.monotonic(), 0
        for number in range(round(seconds * 2)):
            step += 1
            log(step)
            count += terminal.take(start + (number + 1) / 2 - time.monotonic())
    rate = count / (time.monotonic() - start)
    return f"{rate:,.0f} B/s", f"{terminal.busiest_second(start):,} B"


def _middle_and_most(times: Sequence[float]) -> tuple[float, float]:
    return statistics.median(times), max(times)


_ANSWER = "at most 50 ms"
_NEWS = "at most 0.5 s"
PARTS: tuple[Part[Effort], ...] = (
    Part(
        (
            ("first byte of finetop watch, median", ""),
            ("its first full paint, median", ""),
            ("first byte of wandb leet, median", ""),
            ("its first full paint, median, wandb leet", ""),
            ("first full paint, finetop watch / wandb leet", "at most 1"),
        ),
        start,
    ),
    Part(
        (
            ("many runs: their rows on the screen", "at most 1.5 s"),
            ("with the newest values and the count of all", "at most 1.5 s"),
            ("a key that scrolls, while it loads, median", _ANSWER),
            ("the slowest of them, scrolling", _ANSWER),
            ("a letter of a filter, while it loads, median", _ANSWER),
            ("the slowest of them, filtering", _ANSWER),
            ("all points read, keys and all", ""),
        ),
        many,
    ),
    Part(
        (
            ("from an event on disk to its value in the list, median", _NEWS),
            ("the slowest of them, in the list", _NEWS),
            ("from an event on disk to its value in Watch, median", _NEWS),
            ("the slowest of them, in Watch", _NEWS),
        ),
        news,
    ),
    Part(
        (
            ("traffic of four charts, 2 points/s", "less than 900 B/s"),
            ("its busiest second", ""),
            ("bytes written while idle in the list", "0 B"),
            ("bytes written while idle in Watch", "0 B"),
            ("traffic of wandb leet on the same points", ""),
        ),
        live,
    ),
    Part(
        (
            ("thin one large curve to 160 columns", "at most 5 ms"),
            ("draw it at 160x50, on its thread", "at most 100 ms"),
            ("the same smoothed, behind it the raw curve", "at most 100 ms"),
            ("from a key to another smoothing of it", ""),
            ("longest gap of the event loop meanwhile", _ANSWER),
            ("longest gap of the event loop while it grows", _ANSWER),
            ("longest gap of the event loop at rest", ""),
        ),
        large,
    ),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brief", action="store_true", help="small sizes, to try it")
    parser.add_argument("parts", nargs="*", help=", ".join(part.measure.__name__ for part in PARTS))
    options = parser.parse_args()
    wanted = [one for one in PARTS if not options.parts or one.measure.__name__ in options.parts]
    measure(wanted, BRIEF if options.brief else Effort())


if __name__ == "__main__":
    main()
