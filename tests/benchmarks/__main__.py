"""All benchmarks, or the named ones, in one table.

    python -m tests.benchmarks [--brief] [events] [watch] [dashboard] [hangup] [kill] [faults]
                               [demo] [ending] [training] [memory] [export]
                               [evaluate] [compare] [answers] [making] [duplicates]

Writes `results.json` and `RESULTS.md` beside this file after each benchmark; the exit code is 1
where a bar was missed. `--brief` tries small sizes and writes nothing.
"""

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from engine.errors import EngineError
from tests.benchmarks import results, suite
from tests.benchmarks.results import Outcome, Row


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(suite.TITLES))
    parser.add_argument("--brief", action="store_true", help="small sizes; writes nothing")
    options = parser.parse_args()
    unknown = set(options.names) - set(suite.TITLES)
    if unknown:
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(suite.TITLES)}"
        )
    known = results.read()
    outcomes = []
    for name in options.names or suite.TITLES:
        print(f"\n{name}: {suite.TITLES[name]}", flush=True)
        outcomes.append(_run(name, brief=options.brief))
        known[name] = results.entry(outcomes[-1])
        if not options.brief:
            results.write(known, suite.TITLES)
    print("\n" + results.printed([row for outcome in outcomes for row in outcome.rows]))
    return 0 if all(outcome.good for outcome in outcomes) else 1


def _run(name: str, *, brief: bool) -> Outcome:
    """In a process of its own, so that no benchmark inherits another's memory or settings."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, suite.end_with, (os.getpid(),)) as pool:
        try:
            return pool.submit(suite.run, name, brief=brief).result()
        except (AssertionError, EngineError, OSError, BrokenProcessPool) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return Outcome([Row(suite.TITLES[name], None)])


if __name__ == "__main__":
    sys.exit(main())
