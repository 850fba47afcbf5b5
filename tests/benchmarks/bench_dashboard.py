"""The dashboard as a program in a terminal: first paint, memory, traffic, how soon it shows news.

    python -m tests.benchmarks.bench_dashboard [--brief]

Real pseudo-terminals, real job directories, no model. A part that fails reads "not measured".
"""

import argparse
import json
import os
import random
import shlex
import shutil
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from tests.benchmarks.parts import Part, measure
from tests.benchmarks.results import Outcome
from tests.benchmarks.terminal import Terminal
from tests.benchmarks.writer import TOTAL, Writer
from tests.pseudo_terminal import dashboard
from tests.tui.building import write_curves, write_run

SCREENS = (("Runs", "1", "progress"), ("Launch", "2", "rejected"),
           ("Watch", "3", "cursor"), ("Compare", "4", "temp 0"))  # fmt: skip
HEAVY = ("torch", "scipy", "sklearn", "pyarrow", "tokenizers", "pandas")
SLOW_LINE = Path(__file__).parents[1] / "tui" / "compare" / "slow_line.py"
COLUMNS, LINES = 120, 40
NAMES = ("run-0", "run-1", "run-2")
QUIET = 3.0
"""Seconds without a byte after which a screen has settled."""


@dataclass(frozen=True, slots=True)
class Effort:
    pairs: int = 7
    runs: int = 100
    points: int = 1000
    idle_seconds: float = 20.0
    live_seconds: float = 20.0
    values: int = 20


BRIEF = Effort(pairs=1, runs=5, points=100, idle_seconds=3.0, live_seconds=4.0, values=3)


def bench(effort: Effort = Effort()) -> Outcome:
    """Measure all parts, one after the other."""
    rows = measure(PARTS, effort)
    settings: dict[str, str | int | float] = {
        "pairs of starts": effort.pairs,
        "runs for memory": effort.runs,
        "points of a run": effort.points,
        "seconds idle": effort.idle_seconds,
        "seconds live": effort.live_seconds,
        "values timed": effort.values,
        "terminal": f"{COLUMNS}x{LINES} true colour with synchronised frames",
    }
    return Outcome(rows, settings)


def first_paint(effort: Effort, folder: Path) -> list[str | None]:
    """Started in turn, so that whatever else the machine does meets both."""
    runs = _finished(folder, 3, 60)
    rows = folder / "rows.json"
    head = ["run", "base", "method", "progress", "ETA", "loss", "eval", "eval ppl"]
    body = [[f"run-{n}", "demo-base", "LoRA r8", "done", "—", "▇▅▄▃▂▂▁ 0.412", "0.437", "1.55"]
            for n in range(3)]  # fmt: skip
    rows.write_text(json.dumps([head, *body]))
    commands = {
        "finetop": (dashboard(runs), (*NAMES, "q leave")),
        "bare": ([sys.executable, "-m", "tests.benchmarks.bare", str(rows)], NAMES),
    }
    found: dict[str, list[tuple[float, float, float]]] = {"finetop": [], "bare": []}
    for number in range(effort.pairs + 1):
        for name, (command, expected) in commands.items():
            with Terminal(command, folder, columns=COLUMNS, lines=LINES) as terminal:
                for text in (*expected, "█" if name == "finetop" else "run"):
                    terminal.see(text)
                terminal.settle(QUIET)
                times = (terminal.first_byte(), terminal.shown(*expected), terminal.last_change())
            if number:  # the first pair fills the caches
                found[name].append(times)
    values: list[str | None] = []
    for ours, bare in zip(*(zip(*found[name], strict=True) for name in commands), strict=True):
        one, other = statistics.median(ours), statistics.median(bare)
        values += [f"{one:.3f} s", f"{other:.3f} s", f"{one / other:.2f}"]
    return values


def memory(effort: Effort, folder: Path) -> list[str | None]:
    """After Watch has drawn ten of the runs, and after all screens."""
    runs = _finished(folder, effort.runs, effort.points)
    found: list[str | None] = []
    with Terminal(dashboard(runs), folder, columns=COLUMNS, lines=LINES) as terminal:
        terminal.see(f"run-{effort.runs - 1}")  # the newest comes first
        terminal.settle(QUIET)
        found.append(_megabytes(terminal))
        terminal.press("3")
        terminal.see("cursor")
        for _ in range(10):
            terminal.settle(0.5)
            terminal.press("]")
        terminal.settle(QUIET)
        found.append(_megabytes(terminal))
        for _, key, text in SCREENS:
            terminal.press(key)
            terminal.see(text)
            terminal.settle(QUIET)
        found.append(_megabytes(terminal))
        mapped = terminal.mapped()
    if mapped is None:
        return [*found, None]
    heavy = [path for path in mapped if any(f"/{name}/" in path for name in HEAVY)]
    return [*found, str(len(heavy))]


def idle(effort: Effort, folder: Path) -> list[str | None]:
    runs = _finished(folder, 3, 60)
    found: list[str | None] = []
    with Terminal(dashboard(runs), folder, columns=COLUMNS, lines=LINES) as terminal:
        terminal.see("run-0")
        for _, key, text in SCREENS:
            terminal.press(key)
            terminal.see(text)
            terminal.settle(QUIET)
            found.append(f"{terminal.take(effort.idle_seconds)} B")
    return found


def live(effort: Effort, folder: Path) -> list[str | None]:
    """Bytes while one run logs twice a second; in Watch, then in Runs."""
    job = _running(folder)
    found: list[str | None] = []
    with (
        Writer(job, effort.points) as writer,
        Terminal(dashboard(job.path.parent), folder, columns=COLUMNS, lines=LINES) as terminal,
    ):
        terminal.see("live")
        terminal.press("j")  # the shipped run stands first
        for key, text in (("3", "cursor"), ("1", "progress")):
            terminal.press(key)
            terminal.see(text)
            _logged(terminal, writer, 3.0)
            start = time.monotonic()
            count = _logged(terminal, writer, effort.live_seconds)
            rate = count / (time.monotonic() - start)
            found += [f"{rate:,.0f} B/s", f"{terminal.busiest_second(start):,} B"]
    return found


def news(effort: Effort, folder: Path) -> list[str | None]:
    """From the moment an event is on disk until Watch shows its value."""
    job = _running(folder)
    delays = []
    random.seed(1)
    with (
        Writer(job, effort.points) as writer,
        Terminal(dashboard(job.path.parent), folder, columns=COLUMNS, lines=LINES) as terminal,
    ):
        terminal.see("live")
        terminal.press("j")
        terminal.press("3")
        terminal.see("cursor")
        terminal.see(f"step {effort.points:,}")
        for number in range(effort.values):
            terminal.take(random.uniform(0.7, 1.7))
            loss = 1.111 + 0.01 * number
            text = f"train {loss:.3f}"
            assert text not in terminal.text(), "the value is there before it was written"
            written = writer.log(loss)
            delays.append(terminal.see(text) - written)
    return [f"{statistics.median(delays):.2f} s", f"{max(delays):.2f} s"]


def keys(effort: Effort, folder: Path) -> list[str | None]:
    """In Compare, while both arms answer and the model is in a step that takes minutes."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -S {SLOW_LINE} 600\n")
    program.chmod(0o700)
    runs = _finished(folder, 1, 60)
    (runs / "run-0" / "adapter").mkdir()
    times = []
    before = os.environ.get("FINETOP_PYTHON")
    os.environ["FINETOP_PYTHON"] = str(program)
    try:
        with Terminal(dashboard(runs), folder, columns=COLUMNS, lines=LINES) as terminal:
            terminal.see("run-0")
            terminal.press("\x1b[Hj")  # home, and past the shipped run
            terminal.press("c")
            terminal.see("prompt 1/")
            terminal.press("\x13")
            terminal.see("word-0")
            for _ in range(effort.values):
                terminal.settle(0.3)
                alone = "base: " not in terminal.text()
                began = time.monotonic()
                terminal.press("oo" if alone else "o")  # both, tuned, base, and both again
                while ("base: " not in terminal.text()) is alone:
                    assert time.monotonic() < began + 30, terminal.text()
                    terminal.pump(0.05)
                times.append((terminal.chunks[-1][0] - began) * 1000)
            assert "esc cancel" in terminal.text(), "it still answers"
    finally:
        os.environ.pop("FINETOP_PYTHON")
        if before is not None:
            os.environ["FINETOP_PYTHON"] = before
    return [f"{statistics.median(times):.0f} ms", f"{max(times):.0f} ms"]


def _finished(folder: Path, count: int, points: int) -> Path:
    """Finished runs run-0 … of so many logged steps each."""
    runs = folder / "runs"
    runs.mkdir()
    for number in range(count):
        job = write_run(runs, f"run-{number}", step=points, total=points, log="done\n" * 20)
        if number == 0:
            write_curves(job, range(1, points + 1))
        else:
            shutil.copytree(runs / "run-0" / "events", job.events, dirs_exist_ok=True)
    return runs


def _running(folder: Path) -> JobDirectory:
    runs = folder / "runs"
    runs.mkdir()
    return write_run(runs, "live", state=State.RUNNING, total=TOTAL, log="training from step 0\n")


def _logged(terminal: Terminal, writer: Writer, seconds: float) -> int:
    """Log twice a second for so long; the bytes that came meanwhile."""
    start, count = time.monotonic(), 0
    for number in range(round(seconds * 2)):
        writer.log()
        count += terminal.take(start + (number + 1) / 2 - time.monotonic())
    return count


def _megabytes(terminal: Terminal) -> str:
    return f"{terminal.resident() / 1e6:.1f} MB"


_MEMORY = "at most 120 MB"
_TRAFFIC = "at most 2,000 B/s"
_ANSWER = "at most 50 ms"
PARTS = (
    Part(
        (
            ("first byte of the dashboard, median", ""),
            ("first byte of a bare table, median", ""),
            ("first byte, dashboard / bare table", ""),
            ("all rows and keys on the dashboard's screen, median", ""),
            ("all rows on the bare table's screen, median", ""),
            ("all rows, dashboard / bare table", ""),
            ("full paint of the dashboard, curves and machine too, median", ""),
            ("full paint of the bare table, median", ""),
            ("full paint, dashboard / bare table", "at most 1.5"),
        ),
        first_paint,
    ),
    Part(
        (
            ("memory of the dashboard with many runs, in Runs", _MEMORY),
            ("the same after Watch on ten of them", _MEMORY),
            ("the same after all screens", _MEMORY),
            ("files of torch and other heavy libraries mapped into it", "0"),
        ),
        memory,
    ),
    Part(tuple((f"bytes written while idle in {name}", "0 B") for name, *_ in SCREENS), idle),
    Part(
        (
            ("traffic in Watch, one live run, 2 logs/s", _TRAFFIC),
            ("its busiest second", ""),
            ("traffic in Runs, one live run, 2 logs/s", _TRAFFIC),
            ("its busiest second, Runs", ""),
        ),
        live,
    ),
    Part(
        (
            ("from an event on disk to its value in Watch, median", "at most 1 s"),
            ("the slowest of them", "at most 1 s"),
        ),
        news,
    ),
    Part(
        (
            ("a key in Compare while the model is in a step, to its screen, median", _ANSWER),
            ("the slowest of these keys", ""),
        ),
        keys,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brief", action="store_true", help="small sizes, to try it")
    bench(BRIEF if parser.parse_args().brief else Effort())


if __name__ == "__main__":
    main()
