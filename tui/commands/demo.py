"""`finetop demo`: the main job without a screen, on the bundled model, with its results.

Fine-tunes on emotions, with a second run with replay on request, and evaluates base and tuned
alike. The report is in `tui.commands.demo_report`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from engine import atomic, output_file
from engine.bundled import SUITES
from engine.compare import samples
from engine.errors import EngineError, JobFailed
from engine.impact.results.evaluation_results import read_results
from engine.impact.suites.evaluation_plan import LABELS, PROMPTS
from engine.jobs import launch
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.status import State
from engine.jobs.store import open_store
from engine.launching import evaluation, training
from engine.recipes import recipe
from engine.recipes.recipe import EvaluateRecipe, TrainRecipe
from tui.cli_options import FORCE_HINT, add_force
from tui.commands.demo_report import OPEN, as_text, summarise
from tui.commands.follow import follow
from tui.commands.recipe_options import add_changes

ITEMS = 100
"""Of each suite: enough to see a change, few enough for two cores."""
REPLAY = ("replay.data=bundled:rehearsal", "replay.share=0.3")
"""The changes to the recipe of the second run of `--replay`."""


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("demo", help="fine-tune the bundled model and show what changed")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the numbers to this file"
    )
    parser.add_argument(
        "--items", type=int, default=ITEMS, help=f"items per skill (default {ITEMS})"
    )
    parser.add_argument(
        "--replay", action="store_true",
        help="train a second run with replay data, and compare",
    )  # fmt: skip
    add_force(parser)
    add_changes(parser, "training.epochs=2")
    parser.set_defaults(handler=_demo)
    return [parser]


def _demo(options: argparse.Namespace) -> int:
    if options.json:
        output_file.check(options.json, force=options.force, hint=FORCE_HINT)
    started = time.monotonic()
    root = open_store(options.runs, remember=True).root
    plans = {"tuned": [*options.changes]}
    if options.replay:
        plans["replay"] = [*REPLAY, *options.changes]
    steps = len(plans) + 1
    jobs: dict[str, JobDirectory] = {}
    for number, (arm, changes) in enumerate(plans.items(), 1):
        jobs[arm] = _train(changes, root, f"{number}/{steps} training")
    trained = time.monotonic()
    measuring = _launch_evaluation(jobs, root, options.items)
    _wait(measuring, f"{steps}/{steps} measuring base and tuned")
    results = read_results(cast("dict[str, Any]", read_json(measuring.results)))
    answers = samples.read(measuring.samples)
    table = summarise(results, answers, jobs, trained - started, time.monotonic() - started)
    if options.json:
        pieces = [atomic.encode_json(table)]
        output_file.write(options.json, pieces, force=options.force, hint=FORCE_HINT)
    print(as_text(table))
    return 0


def _train(changes: Sequence[str], root: Path, what: str) -> JobDirectory:
    from engine.bundled import RECIPE

    wanted = recipe.read(RECIPE, changes)
    assert isinstance(wanted, TrainRecipe), "the bundled recipe trains"
    job = training.launch_training(wanted, root)
    _wait(job, f"{what} {job.path.name}")
    return job


def _launch_evaluation(jobs: dict[str, JobDirectory], root: Path, items: int) -> JobDirectory:
    """Evaluate base and tuned models in one job, so under the same conditions."""
    wanted = next(iter(jobs.values())).recipe()
    assert isinstance(wanted, TrainRecipe), "it is the one that was launched"
    table = {
        "kind": "evaluate",
        "name": f"{wanted.name}-measured",
        "device": wanted.device,
        "arms": [
            f"base={wanted.model.checkpoint}",
            *(f"{arm}=run:{job.path.name}" for arm, job in jobs.items()),
        ],
        "suites": [
            *(f"bundled:{path.stem}?limit={items}" for path in sorted(SUITES.glob("*.jsonl"))),
            f"{LABELS}={_held_out(next(iter(jobs.values())), wanted)}",
            f"{PROMPTS}={OPEN}",
        ],
        "decode": {"max_new_tokens": 64},
    }
    parents = [f"run:{job.path.name}" for job in jobs.values()]
    measured = recipe.parse(table)
    assert isinstance(measured, EvaluateRecipe), "the table says so"
    return evaluation.launch_evaluation(measured, root, parents=parents)


def _held_out(job: JobDirectory, wanted: TrainRecipe) -> str:
    """The rows that a run did not train on. Raises EngineError where there are none."""
    if not job.held_out.is_file():
        raise EngineError(
            "The run held no rows out: there is nothing to measure it on.",
            f"{job.path}\ndata.eval_fraction = {wanted.data.eval_fraction:g}",
            "Increase data.eval_fraction, or set data.eval.",
        )
    return f"run:{job.path.name}"


def _wait(job: JobDirectory, what: str) -> None:
    try:
        last = follow(job, what)
    except KeyboardInterrupt:
        print("Stopping; saving a checkpoint.", file=sys.stderr)
        launch.stop(job, grace=20)
        raise
    if last.state is not State.DONE:
        raise JobFailed("The demo was stopped.", str(job.path), f"finetop resume {job.path.name}")
