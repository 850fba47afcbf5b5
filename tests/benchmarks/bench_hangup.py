"""Dashboards that lose their terminal while a worker trains, and whether it goes on each time.

    python -m tests.benchmarks.bench_hangup [--hangups N] [--kills N]

One real worker, launched by the keys of the first dashboard, whose line is then closed. One
dashboard after the other opens Watch on it. Its line is closed, or SIGHUP is sent to it, in turn;
a few more are killed by SIGKILL.
"""

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.jobs import launch, lock, status
from engine.jobs.directory import JobDirectory
from engine.recipes import recipe
from tests.benchmarks.results import Outcome, Row, printed
from tests.benchmarks.terminal import Terminal
from tests.pseudo_terminal import dashboard
from tests.tui.building import write_run

PATIENCE = 30.0
"""Seconds after which a dashboard, or a step, is taken as not coming."""
LAUNCHER = "launcher"
CTRL_S = "\x13"
NEWEST = "\x1b[Hj"
"""The keys that choose the newest run, which stands after the shipped one."""
ENDLESS = (
    "device=cpu", "data.limit=200", "data.max_length=64", "training.batch_size=2",
    "training.epochs=10000", "training.evaluations=100", "training.saves=100",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trial:
    how: str
    seconds_to_gone: float | None
    """None where the dashboard was still there after `PATIENCE`."""
    step: int
    went_on: bool
    """Whether the same worker, in a session of its own, made further steps after that."""


def bench(hangups: int = 20, kills: int = 5) -> Outcome:
    """Run the trials in a folder of their own. Raises AssertionError where nothing trains."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for variable in ("STATE", "LOCKS", "RUNS"):
            os.environ[f"FINETOP_{variable}"] = str(folder / variable.lower())
            (folder / variable.lower()).mkdir()
        try:
            job, first = _launch(folder)
            ways = [("closed", "SIGHUP")[n % 2] for n in range(hangups)] + ["SIGKILL"] * kills
            trials = [first, *(_trial(job, folder, way) for way in ways)]
        finally:
            for living in _living(folder / "runs"):
                launch.stop(living)
    return Outcome(rows(trials), {"hang-ups": hangups, "kills": kills, "terminal": "100x30"})


def rows(trials: Sequence[Trial]) -> list[Row]:
    """The one that launched it, hang-ups, half of them by closing the line, and kills."""
    (first,) = (trial for trial in trials if trial.how == LAUNCHER)
    hung = [trial for trial in trials if trial.how not in (LAUNCHER, "SIGKILL")]
    killed = [trial for trial in trials if trial.how == "SIGKILL"]
    times = [trial.seconds_to_gone for trial in (first, *hung)]
    gone = [one for one in times if one is not None]
    slowest = f"{max(gone):.2f} s" if len(gone) == len(times) else f"{PATIENCE:.0f} s"
    return [
        Row("the terminal that launched the run by keys was closed, and its step went on",
            str(int(first.went_on)), "1"),
        Row("dashboards hung up in Watch while a worker trains", str(len(hung)), "20"),
        Row("slowest of them to be gone", slowest, "at most 5 s"),
        Row("times the worker's step went on after it", str(sum(t.went_on for t in hung)), "20"),
        Row("dashboards killed with SIGKILL", str(len(killed))),
        Row("times the worker's step went on after it, SIGKILL",
            str(sum(t.went_on for t in killed)), str(len(killed))),
    ]  # fmt: skip


def _launch(folder: Path) -> tuple[JobDirectory, Trial]:
    """Launch a run by keys, with the settings of an earlier one, and close that terminal."""
    runs = folder / "runs"
    earlier = write_run(runs, "earlier", points=1, total=1)
    wanted = recipe.parse(recipe.with_changes({"kind": "train"}, ENDLESS))
    earlier.recipe_file.write_text(recipe.to_toml(wanted))
    with Terminal(dashboard(runs), folder) as terminal:
        terminal.see("earlier")
        terminal.press(NEWEST)
        terminal.press("n")
        terminal.see("ready: ctrl+s launch")
        terminal.press(CTRL_S)
        _wait(lambda: _living(runs), "the run is launched", PATIENCE, terminal.pump)
        (job,) = _living(runs)
        _wait(lambda: _step(job) > 2, "it trains", 180.0, terminal.pump)
        return job, _lose(terminal, job, LAUNCHER)


def _living(runs: Path) -> list[JobDirectory]:
    found = (JobDirectory(path) for path in runs.glob("[!.]*"))
    return [job for job in found if lock.holder(job.lock_file)]


def _trial(job: JobDirectory, folder: Path, how: str) -> Trial:
    with Terminal(dashboard(job.path.parent), folder) as terminal:
        terminal.see("earlier")
        terminal.press(NEWEST)
        terminal.press("3")
        terminal.see("cursor")
        terminal.see("running")
        return _lose(terminal, job, how)


def _lose(terminal: Terminal, job: JobDirectory, how: str) -> Trial:
    """Take the terminal away from its dashboard, and see whether the worker's step goes on."""
    worker = lock.holder(job.lock_file)
    assert worker, "the worker lives"
    if how in (LAUNCHER, "closed"):
        terminal.hang_up()
    else:
        os.kill(terminal.pid, signal.Signals[how])
    start = time.monotonic()
    left = terminal.leave(PATIENCE)
    gone = time.monotonic() - start if left else None
    step = _step(job)
    try:
        _wait(lambda: _step(job) > step + 1, "the step goes on", PATIENCE)
    except AssertionError:
        went_on = False
    else:
        went_on = lock.holder(job.lock_file) == worker == os.getsid(worker)
    print(f"{how:8} step {step:6}  gone after "
          f"{'never' if gone is None else f'{gone:.2f} s'}  {'goes on' if went_on else 'STANDS'}",
          flush=True)  # fmt: skip
    return Trial(how, gone, step, went_on)


def _step(job: JobDirectory) -> int:
    now = status.read(job)
    assert now is None or not now.state.final, f"the run ended: {now}"
    return now.step if now is not None else 0


def _wait(
    condition: Callable[[], object],
    what: str,
    seconds: float,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not come: {what}"
        pause(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hangups", type=int, default=20)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    print(printed(bench(options.hangups, options.kills).rows))


if __name__ == "__main__":
    main()
