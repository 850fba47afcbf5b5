"""The event reader beside TensorBoard's own two, in one run on one file; and a thousand runs.

    python -m tests.benchmarks.bench_events [--steps N] [--tags N] [--runs N]

Times are the best of several, taken in turn; EventAccumulator, which takes long, runs once, and
every point of both is compared. rustboard is the data server of TensorBoard; it keeps 1,000 points
a tag, and its time is the one it reports for its load.
"""

import argparse
import gc
import importlib
import os
import re
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from engine.events.log_dir import LogDir
from engine.events.log_set import Fleet
from engine.events.series import smooth, thin
from tests.benchmarks.results import Outcome, Row, printed
from tests.events.encoding import event, event_file, simple, version

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Sizes:
    steps: int = 100_000
    tags: int = 4
    runs: int = 1000
    points: int = 1_000_000
    run_steps: int = 1000
    run_tags: int = 10


BRIEF = Sizes(steps=2_000, runs=50, points=100_000, run_steps=100)
TURNS = 5
_LOADED = re.compile(r"Finished load cycle \(([\d.]+)(ms|s)\)")


def bench(sizes: Sizes) -> Outcome:
    """Measure loading, idling and drawing."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            *bench_load(Path(folder, "one", "run"), sizes.steps, sizes.tags),
            *bench_many(Path(folder, "many"), sizes),
            *bench_drawing(sizes.points),
        ]
    return Outcome(rows, {"steps": sizes.steps, "tags": sizes.tags, "runs": sizes.runs})


def timed(work: Callable[[], object], times: int = 3, clock: Clock = time.perf_counter) -> float:
    """The best of `times` runs, in seconds."""
    best = float("inf")
    for _ in range(times):
        gc.collect()
        start = clock()
        work()
        best = min(best, clock() - start)
    return best


def read(folder: Path) -> LogDir:
    logs = LogDir(folder)
    logs.poll()
    return logs


def bench_load(folder: Path, steps: int, tags: int) -> list[Row]:
    from tensorboard.backend.event_processing import event_accumulator
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))
    for step in range(steps):
        for tag in range(tags):
            writer.add_scalar(f"train/metric_{tag}", 1 / (step + 1 + tag), step)
    writer.close()
    count = steps * tags
    ours, rust = beside(folder)
    reference = event_accumulator.EventAccumulator(str(folder), {event_accumulator.SCALARS: 0})
    theirs = timed(reference.Reload, times=1)
    logs = read(folder)
    for tag in reference.Tags()["scalars"]:
        expected = np.array([(e.wall_time, e.step, e.value) for e in reference.Scalars(tag)])
        series = logs.series[tag]
        found = np.column_stack([series.wall_times, series.steps, series.values])
        np.testing.assert_array_equal(found, expected)
    ratio = theirs / ours
    size = held_by(folder, count)
    resumed = write_resumed(folder.parent.with_name("resumed"), steps, tags)
    return [
        Row(f"load {count:,} points, ours", f"{ours:.3f} s"),
        Row(f"load {count:,} points, EventAccumulator", f"{theirs:.3f} s"),
        Row("times as fast, all points equal", f"{ratio:.1f}", "at least 15"),
        Row(f"load {count:,} points, rustboard", f"{rust:.3f} s" if rust else None),
        Row("ours / rustboard", f"{ours / rust:.2f}" if rust else None, "at most 3"),
        Row("memory a point", f"{size:.1f} B", "at most 32 B"),
        Row(
            "memory a point, a run that was resumed",
            f"{held_by(resumed, count):.1f} B",
            "at most 32 B",
        ),
        Row("longest slice with a budget of 10 ms", f"{longest_slice(folder) * 1e3:.1f} ms"),
    ]


def held_by(folder: Path, count: int) -> float:
    """Bytes a point that reading the log takes."""
    gc.collect()
    tracemalloc.start()
    kept = read(folder)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return size / count


def write_resumed(folder: Path, steps: int, tags: int) -> Path:
    """A log of two attempts: the second rewinds over a quarter of the first's steps."""
    first = steps // 2
    second = first - first // 4
    for number, (start, stop) in enumerate([(0, first), (second, second + steps - first)]):
        events = [
            event(step + 0.5, step, *(simple(f"train/metric_{tag}", step) for tag in range(tags)))
            for step in range(start, stop)
        ]
        event_file(folder, version(start), *events, time=1_700_000_000 + number)
    return folder


def longest_slice(folder: Path) -> float:
    logs, longest = LogDir(folder), 0.0
    while True:
        start = time.perf_counter()
        logs.poll(0.010)
        longest = max(longest, time.perf_counter() - start)
        if not logs.pending:
            return longest


def beside(folder: Path) -> tuple[float, float | None]:
    """Best load times of ours and of rustboard, in turn, in seconds; None where it is missing."""
    try:
        tensorboard_data_server = importlib.import_module("tensorboard_data_server")
    except ImportError:
        return timed(lambda: read(folder)), None
    binary = tensorboard_data_server.server_binary()
    ours = rust = float("inf")
    for _ in range(TURNS):
        ours = min(ours, timed(lambda: read(folder), times=1))
        rust = min(rust, load_by_rustboard(binary, folder.parent))
    return ours, rust


def load_by_rustboard(binary: str, folder: Path) -> float:
    """What the data server says its first load took. Raises AssertionError where it loads none."""
    with tempfile.TemporaryDirectory() as beside_it:
        command = [binary, f"--logdir={folder}", "--reload=once", "--port=0", "--verbose"]
        command += [f"--port-file={beside_it}/port", "--die-after-stdin"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as server:
            assert server.stdin is not None
            assert server.stderr is not None
            found = next((match for line in server.stderr if (match := _LOADED.search(line))), None)
            server.stdin.close()
            server.terminate()
    assert found is not None, "rustboard reported no load"
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def bench_many(folder: Path, sizes: Sizes) -> list[Row]:
    """Many runs below one path: their newest values, all their points, and nothing new."""
    write_runs(folder, sizes)
    count = sizes.runs * sizes.run_steps * sizes.run_tags
    gc.collect()
    before = psutil.Process().memory_info().rss
    start = time.perf_counter()
    fleet, first, longest = Fleet([folder]), None, 0.0
    while fleet.pending:
        begun = time.perf_counter()
        fleet.poll(0.05)
        now = time.perf_counter()
        longest = max(longest, now - begun)
        if first is None and len(fleet.runs) == sizes.runs:
            lasts = [[run.last(tag) for tag in run.tags] for run in fleet.runs]
            full = all(len(row) == sizes.run_tags and None not in row for row in lasts)
            first = now - start if full else None
    total = time.perf_counter() - start
    held = sum(len(series) for run in fleet.runs for series in run.series.values())
    assert held == count, f"{held} of {count} points were read"
    assert first is not None
    memory = (psutil.Process().memory_info().rss - before) / count
    idle = timed(fleet.poll, times=TURNS) * 1e3
    opened = files_opened(fleet.poll)
    each = f"{sizes.runs:,} runs × {sizes.run_tags} tags × {sizes.run_steps:,} points"
    return [
        Row(f"{each}: newest values of all", f"{first:.2f} s", "at most 1.5 s"),
        Row("the same, all points", f"{total:.1f} s"),
        Row("longest poll of it with a budget of 50 ms", f"{longest * 1e3:.0f} ms"),
        Row("resident memory of it, a point", f"{memory:.1f} B", "at most 32 B"),
        Row(f"poll {sizes.runs:,} runs, nothing new", f"{idle:.1f} ms", "at most 20 ms"),
        Row("files opened by it", str(opened), "0"),
    ]


def files_opened(work: Callable[[], object]) -> int:
    """How many files, not directories, `work` opens."""
    found: list[object] = []
    counting = True

    def note(name: str, arguments: tuple[object, ...]) -> None:
        if counting and name == "open" and not int(str(arguments[2])) & os.O_DIRECTORY:
            found.append(arguments[0])

    sys.addaudithook(note)  # it cannot be taken away again
    work()
    counting = False
    return len(found)


def write_runs(folder: Path, sizes: Sizes) -> None:
    """One run as a training loop writes it, and copies of it."""
    events = [
        event(step + 0.5, step, simple(f"train/metric_{tag}", 1 / (step + tag + 1)))
        for step in range(sizes.run_steps)
        for tag in range(sizes.run_tags)
    ]
    first = event_file(folder / "run-0", *events)
    content = first.read_bytes()
    for number in range(1, sizes.runs):
        path = folder / f"run-{number}"
        path.mkdir()
        (path / first.name).write_bytes(content)


def bench_drawing(points: int) -> list[Row]:
    x = np.arange(points, dtype=np.float64)
    y = np.random.default_rng(0).normal(size=points)
    thinned = timed(lambda: thin(x, y, 160)) * 1e3
    smoothed = timed(lambda: smooth(y, 0.9)) * 1e3
    return [
        Row(f"thin {points:,} points to 160 columns", f"{thinned:.1f} ms", "at most 5 ms"),
        Row(f"smooth {points:,} points", f"{smoothed:.1f} ms"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("steps", "tags", "runs"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Sizes(), name))
    options = parser.parse_args()
    print(printed(bench(Sizes(options.steps, options.tags, options.runs)).rows))


if __name__ == "__main__":
    main()
