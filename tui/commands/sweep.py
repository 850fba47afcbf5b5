"""`finetop sweep`: runs over a grid of settings, then one evaluation of all; `finetop sweep show`.

The sweep goes on in the background as a run does; following it is only looking.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import EngineError, JobFailed
from engine.estimates.advice import gigabytes
from engine.estimates.duration import spoken
from engine.impact.suites.suite_specs import GRAMMAR, parse_suites
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import Store, open_store
from engine.json_output import format_json
from engine.launching import sweep
from engine.launching.sweep import SweepEstimate
from engine.recipes import recipe as recipes
from engine.recipes.recipe import SweepRecipe, TrainRecipe
from engine.sweeps import grid
from engine.sweeps.grid import SweepPoint
from engine.sweeps.sweep_table import read_sweep_table, table_to_json
from engine.text import one_line
from tui.commands.follow import follow
from tui.commands.recipe_options import add_train_recipe, read_train_recipe
from tui.commands.sweep_lines import list_points, list_table

SHOW = "show"


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "sweep",
        usage="finetop sweep [RECIPE] --over KEY=A,B [--seeds N] [--on SUITE] [options]\n"
        "       finetop sweep show SWEEP [--json]",
        help="train over a grid of settings and seeds, and measure all runs together",
        epilog="finetop sweep show SWEEP prints the table of a sweep, also while it runs; a recipe "
        "called show is ./show. finetop stop SWEEP stops its runs as well, finetop resume SWEEP "
        "trains what is missing. Over seeds it says mean, lowest and highest, which are no "
        "interval of items.",
    )
    add_train_recipe(parser, "training.epochs=1")
    parser.add_argument(
        "sweep", nargs="?", metavar="SWEEP", help="after show: id, name or path of a sweep"
    )
    group = parser.add_argument_group("sweep")
    group.add_argument(
        "--over", action="append", default=[], metavar="KEY=A,B",
        help='a setting and its values, as training.learning_rate=1e-4,3e-4; a value with a comma '
             'in double quotes, or a TOML list: KEY=["a","b"]; repeatable: every combination is '
             "trained",
    )  # fmt: skip
    group.add_argument(
        "--seeds", type=int, metavar="N",
        help="train each combination with N seeds, from training.seed on",
    )  # fmt: skip
    group.add_argument(
        "--on", action="append", default=[], dest="suites", metavar="SUITE",
        help="what base and runs are measured on at the end, as in finetop evaluate --suite "
             f"({GRAMMAR}); repeatable (default: every bundled one)",
    )  # fmt: skip
    group.add_argument("--limit", type=int, metavar="N", help="items of each suite")
    group.add_argument("--dry-run", action="store_true", help="print the points, and start nothing")
    group.add_argument("--detach", action="store_true", help="print the sweep's id and return")
    group.add_argument(
        "--force", action="store_true", help=f"start more than {grid.MOST_POINTS} runs"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_sweep)
    return [parser]


def _sweep(options: argparse.Namespace) -> int:
    if options.recipe == SHOW and options.sweep:
        store = open_store(options.runs)
        return _print_table(store.find(options.sweep), store, as_json=options.json)
    if options.recipe == SHOW and not Path(SHOW).exists():
        raise EngineError("No sweep is named.", "", "finetop sweep show SWEEP; see finetop runs.")
    if options.sweep:
        raise EngineError("One recipe is swept over.", one_line(options.sweep), "See --help.")
    if options.json and options.detach and not options.dry_run:
        raise EngineError("--detach and --json cannot be combined.", "", "Remove --json.")
    wanted = _read_recipe(options)
    store = open_store(options.runs, remember=not options.dry_run)
    located = sweep.locate_sweep(wanted, store.root, force=options.force)
    points, estimate = grid.list_points(located), sweep.estimate_sweep(located, store)
    if options.dry_run:
        _print_points(points, estimate, as_json=options.json)
        return 0
    for line in _say_estimate(points, estimate):
        print(line, file=sys.stderr)
    job = sweep.launch_sweep(located, store.root)
    if options.detach:
        print(job.path.name)
        print(f"Its table so far: finetop sweep show {job.path.name}", file=sys.stderr)
        return 0
    print(job.path.name, file=sys.stderr)
    try:
        last = follow(job, "sweeping", with_message=True)
    except KeyboardInterrupt:
        print(f"It keeps running in the background: finetop stop {job.path.name}", file=sys.stderr)
        raise
    except JobFailed:
        _print_table(job, store, as_json=options.json)
        raise
    code = _print_table(job, store, as_json=options.json)
    return code if last.state is State.DONE else 1


def _read_recipe(options: argparse.Namespace) -> SweepRecipe:
    """What the options ask for, over a recipe of a run or of a sweep. Raises EngineError."""
    parse_suites(options.suites)
    if options.seeds is not None and options.seeds < 1:
        raise EngineError(f"--seeds {options.seeds} is not above 0.", "", "Use --seeds 3.")
    if (options.seeds or 0) > grid.MOST_EVER:
        raise EngineError(
            f"--seeds {options.seeds} is too many.",
            f"At most {grid.MOST_EVER:,} runs are possible.",
            "Use --seeds 3.",
        )
    found = recipes.read(Path(options.recipe)) if options.recipe else TrainRecipe()
    if isinstance(found, SweepRecipe):
        wanted = replace(found, base=_changed(found.base, options.changes))
    else:
        base = read_train_recipe(options)
        name = base.name if base.name != TrainRecipe().name else SweepRecipe().name
        wanted = SweepRecipe(name=name, device=base.device, base=base)
    seeds = wanted.seeds
    if options.seeds is not None:
        first = wanted.base.training.seed
        seeds = list(range(first, first + options.seeds))
    table = recipes.to_table(
        replace(
            wanted,
            over={**wanted.over, **grid.parse_over(options.over)},
            seeds=seeds,
            suites=options.suites or wanted.suites,
            limit=wanted.limit if options.limit is None else options.limit,
        )
    )
    checked = recipes.parse(table, "the sweep")
    assert isinstance(checked, SweepRecipe), "its kind says so"
    return checked


def _changed(base: TrainRecipe, changes: Sequence[str]) -> TrainRecipe:
    changed = recipes.changed(base, changes)
    assert isinstance(changed, TrainRecipe), "its kind cannot be changed"
    return changed


def _print_points(points: Sequence[SweepPoint], estimate: SweepEstimate, *, as_json: bool) -> None:
    if as_json:
        print(format_json({
            "points": [
                {"name": one.name, "settings": dict(one.settings), "seed": one.seed}
                for one in points
            ],
            "seconds": estimate.seconds,
            "disk_needed": estimate.disk_needed,
            "disk_free": estimate.disk_free,
            "unfit": dict(estimate.unfit),
        }))  # fmt: skip
        return
    for line in list_points(points):
        print(line)
    for line in _say_estimate(points, estimate):
        print(line, file=sys.stderr)


def _say_estimate(points: Sequence[SweepPoint], estimate: SweepEstimate) -> list[str]:
    """What all of it takes, as far as that is known."""
    parts = [f"{len(points):,} run{'s' * (len(points) != 1)}"]
    if estimate.seconds is not None:
        parts.append(f"about {spoken(estimate.seconds)} of training, one after the other")
    if estimate.disk_needed is not None:
        parts.append(f"{gigabytes(estimate.disk_needed)} of disk at the peak")
    lines = [", ".join(parts)]
    if (
        estimate.disk_needed is not None
        and estimate.disk_free is not None
        and estimate.disk_needed > estimate.disk_free
    ):
        lines.append(
            f"The disk may fill up: {gigabytes(estimate.disk_free)} are free. "
            "training.save_total_limit says how many checkpoints each run keeps."
        )
    return lines + [f"{name} may not fit: {words}" for name, words in estimate.unfit]


def _print_table(job: JobDirectory, store: Store, *, as_json: bool) -> int:
    """0, or 1 where a point has no run that is done."""
    table = read_sweep_table(job, store)
    if as_json:
        print(format_json(table_to_json(table)))
    else:
        for line in list_table(table):
            print(line)
    return int(any(row.state != State.DONE for row in table.rows))
