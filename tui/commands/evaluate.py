"""`finetop evaluate`: what several arms score on skills, and what changed against the first one."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine import output_file
from engine.errors import EngineError, JobFailed
from engine.jobs import launch
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.status import State
from engine.jobs.store import open_store
from engine.recipes import recipe
from engine.recipes.recipe import EvaluateRecipe
from engine.text import escape_json, one_line
from tui.cli_options import FORCE_HINT, add_force
from tui.commands.follow import follow
from tui.commands.recipe_options import add_changes

if TYPE_CHECKING:
    from engine.impact.skill_rows import SkillTable

_RUN = "run:"


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "evaluate",
        help="measure several arms on skills, and what was lost and gained",
        epilog="Each verdict is that of one test, named beside it, at a delta of 5 points; the "
        "last arm against the first is corrected by Holm over all skills, the others are "
        "exploratory and unadjusted.",
    )
    parser.add_argument(
        "--arm", action="append", required=True, dest="arms", metavar="NAME=CHECKPOINT[+ADAPTER]",
        help="a model (with or without adapter) or a run, the base first; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--suite", action="append", default=[], dest="suites", metavar="SUITE",
        help="a file of items, bundled:NAME, or run:ID (the labels of the rows that a training "
             "run held out, once); repeatable (default: every bundled one)",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="items of each suite")
    parser.add_argument("--name", default="evaluate", help="name of the job")
    parser.add_argument("--detach", action="store_true", help="print the job's id and return")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the table to this file as JSON"
    )
    add_force(parser)
    add_changes(parser, "decode.max_new_tokens=64")
    parser.set_defaults(handler=_evaluate)
    return [parser]


def _evaluate(options: argparse.Namespace) -> int:
    from engine.launching import evaluation

    if options.json is not None and options.detach:
        raise EngineError("--detach and --json cannot be combined.", "", "Remove --json.")
    if options.json is not None:
        output_file.check(options.json, force=options.force, hint=FORCE_HINT)
    held_out = [name for name in options.suites if name.startswith(_RUN)]
    if len(held_out) > 1:
        raise EngineError("Only one --suite can be run:ID.", ", ".join(map(one_line, held_out)))
    table = {
        "kind": "evaluate", "name": options.name, "arms": options.arms, "limit": options.limit,
        "suites": [name for name in options.suites if name not in held_out],
        "choices": held_out[0] if held_out else "",
    }  # fmt: skip
    wanted = recipe.parse(recipe.with_changes(table, options.changes))
    assert isinstance(wanted, EvaluateRecipe)
    job = evaluation.launch_evaluation(wanted, open_store(options.runs, remember=True).root)
    if options.detach:
        print(job.path.name)
        return 0
    try:
        last = follow(job, "evaluating")
    except KeyboardInterrupt:
        launch.stop(job, grace=5)
        raise
    if last.state is not State.DONE:
        raise JobFailed(
            "The evaluation was stopped.", str(job.path), f"finetop resume {job.path.name}"
        )
    from engine.impact.stage_summary import summarize
    from engine.impact.table_json import table_to_json
    from tui.commands.skill_lines import list_lines

    found = _read_table(job, wanted)
    summary = summarize(found)
    if options.json is not None:
        text = escape_json(json.dumps(table_to_json(found, summary), indent=1)) + "\n"
        output_file.write(options.json, [text.encode()], force=options.force, hint=FORCE_HINT)
    for line in list_lines(found, summary):
        print(line.rstrip())
    print(job.path, file=sys.stderr)
    return 0


def _read_table(job: JobDirectory, wanted: EvaluateRecipe) -> "SkillTable":
    from engine.compare.arms import parse_arms
    from engine.impact.evaluation_results import read_results
    from engine.impact.skill_table import build_table

    results = read_json(job.results)
    if results is None:
        raise JobFailed("The job has no results.", str(job.results))
    return build_table(read_results(results), [arm.name for arm in parse_arms(wanted.arms)])
