"""Making data by an endpoint: workers that are killed, a server that fails, questions in flight.

    python -m tests.benchmarks.bench_making

The endpoint is a stand-in on this machine that knows the right answer to each question.
"""

import os
import random
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from engine.synthesis.outcomes import read_outcomes
from engine.worker.inference import endpoint, endpoint_retry
from engine.worker.synthesis import endpoint_generator
from tests.benchmarks.results import Outcome, Row, printed
from tests.worker.inference.endpoints import Server, serving
from tests.worker.synthesis.killing import kill_again_and_again
from tests.worker.synthesis.making import (
    Body,
    answer_rightly,
    lines,
    make_job,
    make_recipe,
    right_row,
    run_here,
    write_reviews,
)

LATENCY = 0.05
"""Seconds that the server takes for an answer."""
FAILING = 0.3
"""Share of questions that it fails to answer."""


@dataclass(frozen=True, slots=True)
class Effort:
    kills: int = 20
    killed_rows: int = 100
    failed_rows: int = 200
    timed_rows: int = 40


BRIEF = Effort(2, 16, 20, 8)


def bench(effort: Effort | None = None) -> Outcome:
    """All three, in a folder of their own. Raises AssertionError where a row is lost or wrong."""
    effort = effort or Effort()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        names = {f"FINETOP_{name}": str(folder / name) for name in ("RUNS", "LOCKS", "STATE")}
        with mock.patch.dict(os.environ, names):
            rows = [*_kill(folder / "killed", effort), *_fail(folder / "failed", effort)]
            rows += _time(folder / "timed", effort)
    return Outcome(rows, {"latency, s": LATENCY, "share of failures": FAILING})


def _kill(folder: Path, effort: Effort) -> list[Row]:
    folder.mkdir()
    with serving() as server:
        server.answer = answer_rightly
        server.before_answer = lambda: time.sleep(0.01)
        killed = kill_again_and_again(server, folder, kills=effort.kills, count=effort.killed_rows)
    name = f"{effort.killed_rows} rows by workers that are killed"
    return [
        Row(f"{name}: times killed", str(killed), str(effort.kills)),
        Row("the same: lost, or made twice", "0", "0"),
    ]


def _fail(folder: Path, effort: Effort) -> list[Row]:
    """429, 500, half a stream and silence, in equal parts, whatever is asked."""
    folder.mkdir()
    dice, guard, ended = random.Random(1), threading.Lock(), threading.Event()
    kinds: Counter[str] = Counter()

    def draw() -> str:
        with guard:
            kind = dice.choice(["429", "500", "half", "silent"])
            kind = kind if dice.random() < FAILING else ""
            kinds[kind] += 1
        return kind

    local = threading.local()

    def before() -> None:
        local.kind = draw()
        if local.kind in ("429", "500"):
            with guard:
                server.busy.append(int(local.kind))

    def answer(body: Body) -> bytes:
        whole = answer_rightly(body)
        if local.kind == "silent":
            ended.wait(0.6)
            return b""
        return whole[: len(whole) // 2] if local.kind == "half" else whole

    with (
        serving() as server,
        mock.patch.object(endpoint, "SILENT_SECONDS", 0.3),
        mock.patch.object(endpoint_retry, "FIRST_SECONDS", 0.01),
        mock.patch.object(endpoint_generator, "FIRST_SECONDS", 0.01),
    ):
        server.answer, server.before_answer = answer, before
        server.headers = {"Retry-After": "0.02"}
        job = make_job(
            folder / "runs",
            make_recipe(write_reviews(folder, effort.failed_rows), server.address),
        )
        run_here(job)
        ended.set()
    outcomes = read_outcomes(job.outcomes)
    states = Counter(one.state for one in outcomes.values())
    wrong = sum(
        one.row != right_row(int(name.rpartition(":")[2]))
        for name, one in outcomes.items()
        if one.state == "passed"
    )
    unsaid = sum(not one.reasons for one in outcomes.values() if one.state != "passed")
    lost = effort.failed_rows - len(outcomes)
    doubled = len(lines(job.outcomes)) - len(outcomes)
    failures = kinds.total() - kinds[""]
    name = f"{effort.failed_rows} rows, {failures} of {kinds.total()} requests failed"
    return [
        Row(f"{name}: lost, wrong, or without a reason", str(lost + wrong + unsaid), "0"),
        Row("the same: lines for one source too many", str(doubled), "0"),
        Row("the same: passed", str(states["passed"])),
        Row("the same: set aside with the reason", str(states["set aside"])),
    ]


def _time(folder: Path, effort: Effort) -> list[Row]:
    seconds = {}
    for in_flight in (1, 4):
        part = folder / str(in_flight)
        part.mkdir(parents=True)
        with serving() as server:
            seconds[in_flight] = _run_timed(part, server, effort.timed_rows, in_flight)
    ratio = seconds[1] / seconds[4]
    return [Row("4 questions in flight, times as fast as 1", f"{ratio:.2f}", "at least 3")]


def _run_timed(folder: Path, server: Server, count: int, in_flight: int) -> float:
    """Seconds from the first question to the last answer."""
    times: list[float] = []

    def before() -> None:
        times.append(time.monotonic())
        time.sleep(LATENCY)

    server.answer, server.before_answer = answer_rightly, before
    recipe = make_recipe(
        write_reviews(folder, count), server.address, {"asking.in_flight": in_flight}
    )
    run_here(make_job(folder / "runs", recipe))
    return max(times) - min(times) + LATENCY


if __name__ == "__main__":
    print(printed(bench().rows))
