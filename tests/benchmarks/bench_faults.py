"""3,000 mutants of files that finetop reads, and 300 faults under a run: what survives.

    python -m tests.benchmarks.bench_faults [--seed N] [--mutants N] [--trials N]

A mutant is lost where something whole in it is not read or its trouble is not named, wrong where a
value is read that is not there, hung after 30 s. A trial is lost where the disturbed run cannot be
resumed to its end, or lacks a reason or what it had on disk; wrong where its result, curves or
samples differ from those of a run that nobody disturbed, bit for bit; hung after 30 s, or 15 times
as long as the quiet run takes on a machine where that is more.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.benchmarks.results import Outcome, Row, printed
from tests.faults import event_mutants, json_mutants, trial_runner
from tests.faults.trials import KINDS
from tests.faults.verdict import Result, Verdict, count, render

MUTANTS, TRIALS = 3000, 300
JSON_SHARE = 7.5
"""One mutant of so many is of a JSON file; the others are of event files."""
CHUNK = 50
BRIEF = (300, 24)
"""Mutants and trials of a brief run: each kind once at least."""


def bench(mutants: int = MUTANTS, trials: int = TRIALS, seed: int = 1) -> Outcome:
    """Make and judge them all, the mutants first."""
    of_mutants = list(judge_mutants(seed, mutants))
    print(render(of_mutants), flush=True)
    with trial_runner.temporary_world() as world:
        results = trial_runner.run(world, seed, trial_runner.plan(seed, trials))
        of_trials = sorted(results, key=lambda result: list(KINDS).index(result.kind))
    print(render(of_trials), flush=True)
    rows = [*_rows("mutants", of_mutants, mutants), *_rows("fault trials", of_trials, trials)]
    settings: dict[str, str | int | float] = {
        "seed": seed,
        "mutants": mutants,
        "fault trials": trials,
        "seconds of the undisturbed run": round(world.seconds, 1),
        "seconds after which a trial hangs": round(world.limit),
    }
    return Outcome(rows, settings)


def judge_mutants(seed: int, total: int) -> Iterator[Result]:
    """All mutants, on all cores, in order of number: event files first."""
    of_json = round(total / JSON_SHARE)
    work = [
        (make, size, range(start, min(start + CHUNK, size)))
        for make, size in ((_run_events, total - of_json), (_run_json, of_json))
        for start in range(0, size, CHUNK)
    ]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        for future in [pool.submit(make, seed, numbers) for make, _, numbers in work]:
            yield from future.result()


def _run_events(seed: int, numbers: Sequence[int]) -> list[Result]:
    return list(event_mutants.run(seed, numbers))


def _run_json(seed: int, numbers: Sequence[int]) -> list[Result]:
    return list(json_mutants.run(seed, numbers))


def _rows(what: str, results: Sequence[Result], planned: int) -> list[Row]:
    """The sums with their bars, then a row for each kind."""
    sums = {verdict: sum(one.verdict is verdict for one in results) for verdict in Verdict}
    rows = [Row(f"{what} tried", f"{len(results):,}", f"at least {planned:,}")]
    rows += [
        Row(f"{what} {verdict}", f"{number:,}", "" if verdict is Verdict.SURVIVED else "0")
        for verdict, number in sums.items()
    ]
    for kind, row in count(results).items():
        columns = "tried / survived / lost / wrong / hung"
        numbers = " / ".join(f"{number:,}" for number in row.values())
        rows.append(Row(f"{what}, {kind}: {columns}", numbers))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=MUTANTS)
    parser.add_argument("--trials", type=int, default=TRIALS)
    options = parser.parse_args()
    print(printed(bench(options.mutants, options.trials, options.seed).rows))


if __name__ == "__main__":
    main()
