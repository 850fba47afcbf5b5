"""`finetop evaluate`: what several arms score on skills, and what changed from one to another."""

import argparse
import sys
from pathlib import Path
from typing import Any

from engine import output_file
from engine.errors import EngineError, JobFailed
from engine.impact.suites.suite_specs import GRAMMAR, parse_suites
from engine.jobs import launch
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import open_store
from engine.recipes import recipe
from engine.recipes.recipe import EvaluateRecipe
from tui.cli_options import FORCE_HINT, add_force
from tui.commands.follow import follow
from tui.commands.impact import EPILOG, add_table_options, encode_table, print_table, read_table
from tui.commands.recipe_options import add_changes


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "evaluate",
        help="measure several arms on skills, and what was lost and gained",
        epilog=EPILOG + " finetop impact prints the table of a job again.",
    )
    _add_arms(parser)
    _add_suites(parser)
    parser.add_argument("--name", default="evaluate", help="name of the job")
    parser.add_argument("--detach", action="store_true", help="print the job's id and return")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the table to this file as JSON"
    )
    add_table_options(parser)
    add_force(parser)
    add_changes(parser, "decode.max_new_tokens=64")
    parser.set_defaults(handler=_evaluate)
    return [parser]


def _add_arms(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--arm", action="append", default=[], dest="arms", metavar="NAME=CHECKPOINT[+ADAPTER]",
        help="a model (with or without adapter) or a run, the base first; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--tree", default="", metavar="RUN",
        help="a run with all stages that led to it, from their base on; --arm names these, or "
             "adds others after the base",
    )  # fmt: skip


def _add_suites(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--suite", action="append", default=[], dest="suites", metavar="SUITE",
        help="bundled:NAME, a file of items or a data set, run:ID (the rows that a run held out), "
             "lm-eval:FILE?arm=NAME or inspect:FILE?arm=NAME (scores that another program measured "
             "of that arm); how it is asked follows: "
             f"{GRAMMAR}; repeatable (default: every bundled one)",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="items of each suite")
    parser.add_argument(
        "--samples", type=int, default=1, metavar="K",
        help="answers to each item: the first is scored, all tell how diverse they are (default 1)",
    )  # fmt: skip
    parser.add_argument(
        "--temperature", type=float, default=0.7, metavar="T",
        help="of the answers after the first one, which is greedy (default 0.7)",
    )  # fmt: skip
    parser.add_argument(
        "--encoder",
        default="",
        metavar="PATH[@LAYER]",
        help="a local encoder model, for BERTScore, and which of its layers",
    )


def follow_evaluation(job: JobDirectory) -> None:
    """Wait for the end of an evaluation; Ctrl-C stops it. Raises JobFailed unless it is done."""
    try:
        last = follow(job, "evaluating")
    except KeyboardInterrupt:
        launch.stop(job, grace=5)
        raise
    if last.state is not State.DONE:
        raise JobFailed(
            "The evaluation was stopped.", str(job.path), f"finetop resume {job.path.name}"
        )


def _evaluate(options: argparse.Namespace) -> int:
    from engine.launching import evaluation

    if options.json is not None and options.detach:
        raise EngineError("--detach and --json cannot be combined.", "", "Remove --json.")
    if options.json is not None:
        output_file.check(options.json, force=options.force, hint=FORCE_HINT)
    wanted = recipe.parse(recipe.with_changes(_recipe_table(options), options.changes))
    assert isinstance(wanted, EvaluateRecipe)
    job = evaluation.launch_evaluation(wanted, open_store(options.runs, remember=True).root)
    if options.detach:
        print(job.path.name)
        return 0
    follow_evaluation(job)
    table, summary = read_table([job], (), options.delta)
    if options.json is not None:
        text = encode_table(table, summary)
        output_file.write(options.json, [text.encode()], force=options.force, hint=FORCE_HINT)
    print_table(table, summary, is_whole=options.all)
    print(job.path, file=sys.stderr)
    return 0


def _recipe_table(options: argparse.Namespace) -> dict[str, Any]:
    """What the options ask for, as a recipe has it. Raises EngineError."""
    from engine.launching.evaluation_tree import list_tree_arms

    arms, store = options.arms, open_store(options.runs)
    if options.tree:
        arms = list_tree_arms(options.tree, arms, store)
    elif not arms:
        raise EngineError(
            "No arms to evaluate.", "", "Use --arm NAME=CHECKPOINT, the base first, or --tree RUN."
        )
    parse_suites(options.suites)
    return {
        "kind": "evaluate", "name": options.name, "arms": arms, "tree": options.tree,
        "suites": options.suites, "limit": options.limit, "samples": options.samples,
        "temperature": options.temperature, "encoder": options.encoder,
    }  # fmt: skip
