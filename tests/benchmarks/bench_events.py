"""The event reader beside TensorBoard's EventAccumulator, in one run on one file.

    python -m tests.benchmarks.bench_events [--steps N] [--tags N] [--runs N]

Times are the best of three; EventAccumulator, which takes long, runs once. Every point of both is
compared.
"""

import argparse
import gc
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.events.logdir import LogDir
from engine.events.series import smooth, thin
from tests.benchmarks.results import Outcome, Row, printed
from tests.events.encoding import event, event_file, simple

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Sizes:
    steps: int = 100_000
    tags: int = 4
    runs: int = 1000
    points: int = 1_000_000


BRIEF = Sizes(steps=2_000, runs=50, points=100_000)


def bench(sizes: Sizes) -> Outcome:
    """Measure loading, idling and drawing."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            *bench_load(Path(folder, "one"), sizes.steps, sizes.tags),
            *bench_idle(Path(folder, "many"), sizes.runs),
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
    ours = timed(lambda: read(folder))
    reference = event_accumulator.EventAccumulator(str(folder), {event_accumulator.SCALARS: 0})
    theirs = timed(reference.Reload, times=1)
    logs = read(folder)
    for tag in reference.Tags()["scalars"]:
        expected = np.array([(e.wall_time, e.step, e.value) for e in reference.Scalars(tag)])
        series = logs.series[tag]
        found = np.column_stack([series.wall_times, series.steps, series.values])
        np.testing.assert_array_equal(found, expected)
    ratio = theirs / ours
    gc.collect()
    tracemalloc.start()
    kept = read(folder)
    size = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    del kept
    return [
        Row(f"load {count:,} points, ours", f"{ours:.3f} s"),
        Row(f"load {count:,} points, EventAccumulator", f"{theirs:.3f} s"),
        Row("times as fast, all points equal", f"{ratio:.1f}", "at least 15"),
        Row("memory a point", f"{size:.1f} B", "at most 32 B"),
        Row("longest slice with a budget of 10 ms", f"{longest_slice(folder) * 1e3:.1f} ms"),
    ]


def longest_slice(folder: Path) -> float:
    logs, longest = LogDir(folder), 0.0
    while True:
        start = time.perf_counter()
        logs.poll(0.010)
        longest = max(longest, time.perf_counter() - start)
        if not logs.pending:
            return longest


def bench_idle(folder: Path, runs: int) -> list[Row]:
    for number in range(runs):
        event_file(folder / str(number), event(1.0, 1, simple("loss", 1.0)))
    directories = [read(folder / str(number)) for number in range(runs)]
    took = timed(lambda: [logs.poll() for logs in directories]) * 1e3
    return [Row(f"poll {runs:,} runs, nothing new", f"{took:.1f} ms", "at most 20 ms")]


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
