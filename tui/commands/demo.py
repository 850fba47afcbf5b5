"""`finetop demo`: the main job without a screen, on the bundled model, with its results.

Fine-tunes on emotions and evaluates base and tuned alike: one run, or with `--long` several ways of
fine-tuning and a second stage, of which a report is written. What is trained and measured is in
`tui.commands.demo_plan`; `tui.commands.demo_jobs` does the jobs.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from engine import atomic, output_file
from engine.compare import samples
from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.impact.changes.table_json import table_to_json
from engine.impact.changes.verdicts import DELTA
from engine.impact.results.evaluation_results import read_results
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.store import open_store
from engine.launching import evaluation, export, synthesis, training
from engine.recipes.recipe import TrainRecipe
from engine.release.export_folder import comparison_command, list_parts
from engine.release.proof import encode_proofs, read_proofs
from engine.report.report_folder import check_folder, write_report
from engine.synthesis.row_files import write_rows
from engine.text import clean, one_line
from tui.cli_options import FORCE_HINT, add_force
from tui.commands import demo_report
from tui.commands.demo_jobs import DemoJobs
from tui.commands.demo_plan import (
    ITEMS,
    LABELLER,
    LONG,
    MADE,
    MAKING,
    REPLAY,
    STAGES,
    TUNED,
    DemoRun,
    make_evaluation,
    make_export,
    make_rows,
    make_run,
    name_task,
    rows_made,
)
from tui.commands.demo_rows import read_truth, row_lines, summarise_rows
from tui.commands.impact import print_table, read_table
from tui.commands.recipe_options import add_changes
from tui.screens.proof_lines import proof_lines

REPORT = "demo-report"
"""The folder of the report; with a number where it is there."""
MEASURED = "measured"
"""What the evaluation is called beside the runs."""
RELEASED = "released"
"""What the export is called there."""
WIDTH = 80


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "demo",
        help="fine-tune the bundled model and show what changed",
        epilog="It takes 1 to 3 minutes on two CPU cores, with --long 4 to 10: one evaluation "
        "measures the four runs beside their base, its table is printed and its report written. "
        "--make-data takes about as long: it trains four runs and asks about 400 reviews. "
        "--release takes about half as long again.",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the numbers to this file"
    )
    parser.add_argument(
        "--items", type=int, default=ITEMS, help=f"items per skill (default {ITEMS})"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--replay", action="store_true",
        help="train a second run with replay data, and compare",
    )  # fmt: skip
    size.add_argument(
        "--long", action="store_true",
        help="train by LoRA, in full, by LoRA with replay, and a second stage; write a report",
    )  # fmt: skip
    size.add_argument(
        "--make-data", action="store_true",
        help="train on emotions, then on rows that are made of raw reviews, then on counselling; "
        "write a report",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="write the report of --long or --make-data here "
        f"(default: {REPORT}, numbered if it is there)",
    )  # fmt: skip
    parser.add_argument(
        "--release", type=Path, metavar="DIR",
        help="then export the first run as adapter, merged model and GGUF, each proven, into this "
        "new folder",
    )  # fmt: skip
    parser.add_argument(
        "--job", action="append", default=[], dest="jobs", metavar="NAME=JOB",
        help="take over a job of a demo that was stopped; repeatable",
    )  # fmt: skip
    add_force(parser)
    add_changes(parser, "training.epochs=2")
    parser.set_defaults(handler=_demo)
    return [parser]


def _demo(options: argparse.Namespace) -> int:
    if options.json:
        output_file.check(options.json, force=options.force, hint=FORCE_HINT)
    report = _choose_report(options)
    release = _choose_release(options)
    runs = _choose_runs(options)
    store = open_store(options.runs, remember=True)
    kinds: dict[str, str] = {}
    for run in runs:
        kinds |= {MAKING: "synthesize"} if run.data == MADE else {}
        kinds[run.arm] = "train"
    kinds[MEASURED] = "evaluate"
    kinds |= {RELEASED: "export"} if release is not None else {}
    jobs = DemoJobs(kinds, options.jobs, store)
    try:
        numbers = _do(options, runs, jobs, store.root, report)
        try:
            if release is not None:
                numbers["released"] = _release(runs[0], jobs, store.root, release)
        finally:  # what was measured stays measured
            _write_numbers(options, numbers)
    except KeyboardInterrupt:
        print(_say_how_to_continue(options, jobs), file=sys.stderr)
        raise
    except EngineError as error:
        error.hint = "\n".join(filter(None, (error.hint, _say_how_to_continue(options, jobs))))
        raise
    return 0


def _choose_runs(options: argparse.Namespace) -> tuple[DemoRun, ...]:
    """What is trained, in this order."""
    if options.make_data:
        first, *later = STAGES
        return (first, LABELLER, *later)
    if options.long:
        return LONG
    return (TUNED, REPLAY) if options.replay else (TUNED,)


def _do(
    options: argparse.Namespace,
    runs: Sequence[DemoRun],
    jobs: DemoJobs,
    root: Path,
    report: Path | None,
) -> dict[str, Any]:
    """Train, measure, and say what came of it; the numbers."""
    started = time.monotonic()
    made: dict[str, Any] = {}
    for run in runs:
        if run.data == MADE:
            made = _make_rows(options, jobs, root)
        jobs.do(run.arm, partial(_train, run, options.changes, jobs, root), "training")
    trained = time.monotonic()
    measure = partial(_measure, runs, jobs, root, options.items)
    measuring = jobs.do(MEASURED, measure, "measuring base and tuned")
    first = jobs.known[runs[0].arm].recipe()
    assert isinstance(first, TrainRecipe), "it was trained"
    results = read_results(cast("dict[str, Any]", read_json(measuring.results)))
    trainings = {run.arm: jobs.known[run.arm] for run in runs if run.is_arm}
    if missing := {"base", *trainings} ^ set(results.arms):
        raise EngineError(
            "The evaluation is not of these runs.",
            f"{measuring.path}: {', '.join(map(one_line, sorted(missing)))}",
            f"Leave out --job {MEASURED}=...",
        )
    table, summary = read_table([measuring], (), DELTA)
    if report is not None:
        write_report([measuring], report, runs=trainings.values())
    numbers = demo_report.summarise(
        results, samples.read(measuring.samples), trainings, name_task(first),
        trained - started, time.monotonic() - started,
    )  # fmt: skip
    numbers |= {"impact": table_to_json(table, summary), "report": str(report or "") or None}
    numbers |= {"made": made} if made else {}
    if report is not None:
        print_table(table, summary, is_whole=False)
        print(demo_report.as_ending(numbers))
    else:
        print(demo_report.as_text(numbers))
    return numbers


def _make_rows(options: argparse.Namespace, jobs: DemoJobs, root: Path) -> dict[str, Any]:
    """Make rows of the bundled reviews, accept those that pass, and say what came of it."""

    def start() -> JobDirectory:
        return synthesis.launch_synthesis(make_rows(options.changes, jobs.known), root)

    job = jobs.do(MAKING, start, "making rows")
    runs = [one.path for one in open_store(root).jobs()]
    written = write_rows(job, rows_made(job), accept_all=True, runs=runs)
    numbers = summarise_rows(job, written, read_truth())
    for line in row_lines(numbers):
        print(line)
    print(flush=True)
    return numbers


def _write_numbers(options: argparse.Namespace, numbers: dict[str, Any]) -> None:
    if options.json:
        pieces = [atomic.encode_json(numbers)]
        output_file.write(options.json, pieces, force=options.force, hint=FORCE_HINT)


def _train(run: DemoRun, changes: Sequence[str], jobs: DemoJobs, root: Path) -> JobDirectory:
    return training.launch_training(make_run(run, changes, jobs.known), root)


def _measure(runs: Sequence[DemoRun], jobs: DemoJobs, root: Path, items: int) -> JobDirectory:
    parents = [f"run:{jobs.known[run.arm].path.name}" for run in runs]
    return evaluation.launch_evaluation(
        make_evaluation(runs, jobs.known, items), root, parents=parents
    )


def _release(run: DemoRun, jobs: DemoJobs, root: Path, out: Path) -> dict[str, Any]:
    """Export the run, and say what was proven and where it lies; the same as JSON."""
    trained = jobs.known[run.arm]
    plan = make_export(trained, jobs.known[MEASURED], out)
    job = jobs.do(RELEASED, partial(export.launch_export, plan, root), "exporting and proving")
    print()
    proofs = read_proofs(job.proof)
    for line in proof_lines(proofs, WIDTH):
        print("".join(text for text, _ in line))
    print(f"\n{clean(str(out))}")
    for part in list_parts(out):
        print(f"  {one_line(part.name)}/README.md: what it is, how to run it, what it forgot")
    if compare := comparison_command(parse_arm(plan.source), out, [trained.path]):
        print("To measure what left beside the run:")
        print(f"  {one_line(compare)}")
    return {"job": str(job.path), "out": str(out), **encode_proofs(proofs)}


def _choose_release(options: argparse.Namespace) -> Path | None:
    """Where the export will be; None: none is made. Raises EngineError where it cannot be."""
    if options.release is None:
        return None
    if not any(job.startswith(f"{RELEASED}=") for job in options.jobs):
        export.check_new_folder(options.release.absolute())
    chosen: Path = options.release
    return chosen.absolute()


def _choose_report(options: argparse.Namespace) -> Path | None:
    """Where the report will be; None: none is written. Raises EngineError where it cannot be."""
    writes = options.long or options.make_data
    if options.out is not None and not writes:
        raise EngineError(
            "Only --long and --make-data write a report.", "", "Add one of them, or remove --out."
        )
    if not writes:
        return None
    chosen = options.out or _choose_free(REPORT)
    check_folder(chosen, force=options.force, hint=FORCE_HINT)
    return chosen.absolute()


def _choose_free(name: str) -> Path:
    """This name, or one with a number, in the current folder, where nothing is yet."""
    number, chosen = 1, Path(name)
    while os.path.lexists(chosen):
        number += 1
        chosen = Path(f"{name}-{number}")
    return chosen.absolute()


def _say_how_to_continue(options: argparse.Namespace, jobs: DemoJobs) -> str:
    """The command that continues with what is done; empty where nothing is."""
    if not jobs.known:
        return ""
    words = ["finetop", "demo"]
    flags = ("long", "replay", "make_data", "force")
    words += [f"--{name.replace('_', '-')}" for name in flags if getattr(options, name)]
    for name in ("runs", "json", "out", "release"):
        if (value := getattr(options, name)) is not None:
            words += [f"--{name}", str(value)]
    if options.items != ITEMS:
        words += ["--items", str(options.items)]
    for change in options.changes:
        words += ["--set", change]
    words += jobs.list_options()
    return f"To continue with what is there: {one_line(shlex.join(words))}"
