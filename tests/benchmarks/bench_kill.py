"""50 times `kill -9` in the middle of training, and what is left each time.

    python -m tests.benchmarks.bench_kill [--trials N]

One run is killed, found crashed, checked and resumed, over and over; every fourth kill waits for a
checkpoint that is being saved. Each resumed attempt is the next one to be killed.
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.events.log_dir import LogDir
from engine.jobs import launch, lock, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching import resume
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe

SAVE_EVERY = 4
"""Every how many trials the kill falls into a save."""


@dataclass(frozen=True, slots=True)
class Trial:
    seconds_to_crashed: float
    step: int
    inside_save: bool
    resumed_from: str
    broken_json: list[str]
    lost_points: int
    """Points that were on disk before the kill and are not there after the resume."""


def bench(trials: int, seed: int = 1) -> list[Trial]:
    """Run the trials in a folder of their own. Raises AssertionError where a resume fails."""
    random.seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("STATE", "LOCKS", "RUNS"):
            os.environ[f"FINETOP_{name}"] = str(Path(folder, name.lower()))
        Path(folder, "locks").mkdir()
        job = launch.launch(_endless(), Path(folder, "runs"))
        done: list[Trial] = []
        while len(done) < trials:
            done.append(_trial(job, save=len(done) % SAVE_EVERY == 0))
            last = done[-1]
            print(f"{len(done):3} step {last.step:6} {'in a save' if last.inside_save else '':9} "
                  f"crashed after {last.seconds_to_crashed:.2f} s, resumed from "
                  f"{last.resumed_from or 'the start'}", flush=True)  # fmt: skip
        launch.stop(job)
    return done


def _endless() -> TrainRecipe:
    table = {
        "name": "killed",
        "device": "cpu",
        "data": {"limit": 200, "max_length": 64},
        "training": {
            "batch_size": 2, "epochs": 1000, "evaluations": 100, "saves": 10_000,
            "save_total_limit": 3,
        },
    }  # fmt: skip
    built = recipe.parse(table)
    assert isinstance(built, TrainRecipe)
    return built


def _trial(job: JobDirectory, *, save: bool) -> Trial:
    first = _step(job)
    _wait(lambda: _step(job) > first + 2, "it trains")
    aside = job.checkpoints / ".saving"
    if save:
        _wait(lambda: any(aside.glob("*/*")), "a save begins", pause=0.0)
        time.sleep(random.uniform(0, 0.02))
    else:
        time.sleep(random.uniform(0, 2))
    inside = aside.exists()
    pid = lock.holder(job.lock_file)
    assert pid, "the worker lives"
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    _wait(lambda: status.derive(job, status.read(job)) is State.CRASHED, "crashed", pause=0.005)
    seconds = time.monotonic() - killed
    now = status.read(job)
    assert now is not None
    broken = [str(path) for path in job.path.rglob("*.json") if not _parses(path)
              and ".saving" not in path.parts]  # fmt: skip
    before = _points(job)
    flushed = max((step for _, step in before), default=0)
    assert flushed >= now.step - 1, f"step {now.step} was reported, {flushed} is on disk"
    resume.resume_job(job)
    attempt = job.latest_attempt()
    _wait(lambda: "training from step" in launch.log_tail(job.attempt(attempt).log, 200), "resumes")
    log = launch.log_tail(job.attempt(attempt).log, 200)
    resumed = next((line.split()[-1] for line in log.splitlines() if "resuming from" in line), "")
    return Trial(seconds, now.step, inside, resumed, broken, len(before - _points(job)))


def _step(job: JobDirectory) -> int:
    now = status.read(job)
    assert now is None or not now.state.final, f"the run ended: {now}"
    return now.step if now is not None else 0


def _points(job: JobDirectory) -> set[tuple[str, int]]:
    """Every (tag, step) on disk, of all attempts, the abandoned branches too."""
    log = LogDir(job.events)
    while log.poll():
        pass
    found = set()
    for tag, series in log.series.items():
        for steps in (series.steps, *(branch.steps for branch in series.abandoned)):
            found |= {(tag, int(step)) for step in steps}
    return found


def _parses(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def _wait(condition: Callable[[], object], what: str, pause: float = 0.02) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"did not come: {what}"
        time.sleep(pause)


def rows(trials: list[Trial]) -> list[tuple[str, str, str]]:
    """The table: what, measured, bar."""
    slowest = max(trial.seconds_to_crashed for trial in trials)
    inside = sum(trial.inside_save for trial in trials)
    return [
        ("kill -9 trials, each resumed", str(len(trials)), "50"),
        ("of them inside a checkpoint save", str(inside), "at least 10"),
        ("slowest to read as crashed", f"{slowest:.2f} s", "at most 5 s"),
        ("JSON files that do not parse", str(sum(len(t.broken_json) for t in trials)), "0"),
        ("flushed points lost", str(sum(t.lost_points for t in trials)), "0"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    for what, measured, wanted in rows(bench(parser.parse_args().trials)):
        print(f"{what:40} {measured:>12}   {wanted}")


if __name__ == "__main__":
    main()
