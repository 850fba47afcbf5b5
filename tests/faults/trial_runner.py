"""All fault trials of a benchmark: what they share, and as many at a time as there are cores.

    python -m tests.faults.trial_runner [--seed N] [--count N] [--kind TEXT] [--only NUMBER]

Each process has locks and a queue of its own, for the runs of a machine wait for each other.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from random import Random

from engine.jobs import launch
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from tests import patience, warm
from tests.faults import reference
from tests.faults.injection import Fault
from tests.faults.trial import Trial, World, clean_up
from tests.faults.trials import KINDS
from tests.faults.verdict import (
    HungError,
    LostError,
    Result,
    Verdict,
    WrongError,
    judge_error,
    render,
    unsurvived,
)

HOME = Path(__file__).resolve().parents[2]
ALL = sum(share for _, share in KINDS.values())


def plan(seed: int, total: int) -> list[str]:
    """The kinds of the trials, in an order at random, in the shares of `KINDS`.

    A smaller number takes the first of them, every kind once before any a second time.
    """
    random = Random(seed)
    rounds = max(share for _, share in KINDS.values())
    kinds = [
        kind for turn in range(rounds) for kind, (_, share) in KINDS.items() if turn < share
    ] * -(-total // ALL)  # fmt: skip
    kinds = kinds[:total]
    random.shuffle(kinds)
    return kinds


@contextmanager
def make_world(folder: Path, python: Path | None = None) -> Iterator[World]:
    """The inputs and the undisturbed run; FINETOP_PYTHON names the program that disturbs workers.

    `python` is a warm one that is there already (`tests.warm`). Raises AssertionError.
    """
    reference.write_inputs(folder)
    os.environ["FINETOP_PYTHON"] = str(_install(folder, python or _warm_up(folder)))
    set_folders(folder)
    quiet = World(folder, JobDirectory(folder), patience.PROCESS_SECONDS, {})
    runs = []
    for name in ("first", "second"):  # the first one meets a process that was just forked
        (folder / name).mkdir()
        trial = Trial(quiet, folder / name, Random(0))
        counts = folder / f"{name}.json"
        began = time.monotonic()
        job = trial.launch(Fault(counts=str(counts)))
        assert trial.wait_for_end(job) is State.DONE, launch.log_tail(job.attempt(1).log)
        runs.append((job, time.monotonic() - began, json.loads(counts.read_text())))
    (other, *_), (job, seconds, operations) = runs
    reference.compare(other, job)
    yield World(folder, job, seconds, operations)


def set_folders(folder: Path) -> None:
    """State and locks of this process alone; no run of the user's is seen."""
    for name in ("STATE", "LOCKS", "RUNS", "MODELS", "DATA"):
        own = folder / f"{name.lower()}-{os.getpid()}"
        own.mkdir(exist_ok=True)
        os.environ[f"FINETOP_{name}"] = str(own)


@contextmanager
def temporary_world() -> Iterator[World]:
    """`make_world` in a folder that is gone afterwards; says how long the undisturbed run took."""
    with (
        tempfile.TemporaryDirectory(prefix="finetop-faults-") as name,
        make_world(Path(name)) as world,
    ):
        print(
            f"undisturbed: {world.seconds:.1f} s; hung: over {world.limit:.0f} s; "
            f"operations: {world.operations}",
            flush=True,
        )
        yield world


def run(
    world: World, seed: int, kinds: Sequence[str], *, processes: int = 0, only: int | None = None
) -> Iterator[Result]:
    """The trials' results in order of number; `only` runs the one of that number."""
    numbers = range(len(kinds)) if only is None else [only]
    workers = min(processes or len(os.sched_getaffinity(0)), len(numbers))
    begin = (world.inputs, os.getpid())
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, begin) as pool:
        work = [pool.submit(one_trial, world, seed, at, kinds[at]) for at in numbers]
        for done, future in enumerate(work, 1):
            result = future.result()
            if result.verdict is not Verdict.SURVIVED:
                print(f"{result.verdict}: {result.kind} #{result.number}: {result.detail}")
            if done % 25 == 0:
                print(f"{done} of {len(work)}", flush=True)
            yield result


def one_trial(world: World, seed: int, number: int, kind: str) -> Result:
    """One trial in a folder of its own, which is kept where FINETOP_KEEP_FAULTS names one."""
    folder = Path(tempfile.mkdtemp(prefix=f"trial-{number}-", dir=world.inputs))
    trial = Trial(world, folder, Random(f"{seed}/{number}/{kind}"))
    verdict, detail = Verdict.SURVIVED, ""
    try:
        KINDS[kind][0](trial)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        verdict = judge_error(error)
        detail = f"{type(error).__name__}: {error}"[:400]
        if not isinstance(error, LostError | WrongError | HungError):
            detail += "\n" + traceback.format_exc(limit=-4)
        if keep := os.environ.get("FINETOP_KEEP_FAULTS"):
            shutil.copytree(folder, Path(keep, folder.name), symlinks=True, dirs_exist_ok=True)
    finally:
        clean_up(trial)
    return Result(kind, number, verdict, f"{detail} [{'; '.join(trial.notes)}]".strip())


def _begin(folder: Path, owner: int) -> None:
    from tests.benchmarks.suite import end_with

    end_with(owner)
    set_folders(folder)
    for name in ("START_SECONDS", "END_SECONDS", "SIGN_SECONDS"):
        setattr(launch, name, patience.SECONDS)


def _warm_up(folder: Path) -> Path:
    """A Python whose workers are forks of one process; a plain one where there is no such."""
    if not hasattr(os, "pidfd_open"):
        return Path(sys.executable)
    python = warm.install(folder / "warm", os.getpid())
    warm.wait(python)
    return python


def _install(folder: Path, python: Path) -> Path:
    """A program to name in FINETOP_PYTHON: `python`, in which a worker is given its fault first."""
    program = folder / "python"
    first = f"import sys; sys.path.insert(0, {str(HOME)!r}); "
    first += "from tests.faults import injection; injection.arm(); "
    program.write_text(f'#!/bin/sh\ncode=$3\nshift 3\nexec "{python}" -P -c "{first}$code" "$@"\n')
    program.chmod(0o700)
    return program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=ALL)
    parser.add_argument("--kind", default="", help="only kinds with this text")
    parser.add_argument("--only", type=int, help="the trial of that number")
    parser.add_argument("--processes", type=int, default=0)
    options = parser.parse_args()
    kinds = plan(options.seed, options.count)
    if options.kind:
        kinds = [kind for kind in KINDS if options.kind in kind] * options.count
    with temporary_world() as world:
        trials = run(world, options.seed, kinds, processes=options.processes, only=options.only)
        results = list(trials)
    print(render(results))
    sys.exit(1 if unsurvived(results) else 0)


if __name__ == "__main__":
    main()
