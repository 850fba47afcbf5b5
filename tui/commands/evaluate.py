"""`finetop evaluate`: what several arms score on skills, and what changed from one to another."""

import argparse
import sys
from pathlib import Path
from typing import Any

from engine import output_file
from engine.compare.arms import parse_arms
from engine.errors import EngineError
from engine.impact.suites.suite_specs import GRAMMAR, parse_suites
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store, open_store
from engine.recipes import recipe
from engine.recipes.recipe import EvaluateRecipe
from engine.text import one_line
from tui.cli_options import FORCE_HINT, add_force
from tui.commands.endpoint_keys import allow_typed
from tui.commands.follow import follow_or_stop
from tui.commands.impact import EPILOG, add_table_options, encode_table, print_table, read_table
from tui.commands.left_out import print_left_out
from tui.commands.recipe_options import add_changes


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "evaluate",
        help="measure several arms on skills, and what was lost and gained",
        epilog=EPILOG + " finetop impact prints the table of a job again.",
    )
    _add_arms(parser)
    _add_suites(parser)
    _add_controls(parser)
    parser.add_argument("--name", default="", help="name of the job (default evaluate)")
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
        help="a model (with or without adapter), a run, or an OpenAI-compatible endpoint "
             "(NAME=http://HOST/v1?model=NAME), which has no likelihoods; the base first; "
             "repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--tree", default="", metavar="RUN",
        help="a run with all stages that led to it, from their base on; --arm names these, or "
             "adds others after the base",
    )  # fmt: skip
    parser.add_argument(
        "--strengths", default="", metavar="RUN",
        help="a run's adapter at strengths 0, 0.25, 0.5, 0.75 and 1, after its base; 0 is a "
             "control: the base once more",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoints", default="", metavar="RUN",
        help="checkpoints of a run that are on the disk, after its base: five at even distances, "
             "and the best one",
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


def _add_controls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--controls", action="store_true",
        help="measure the first arm a second time, anew and in other batches: what measuring alone "
             "changes; finetop impact JOB --controls prints it",
    )  # fmt: skip
    parser.add_argument(
        "--null-adapters", type=int, default=0, metavar="N",
        help="also N random adapters of the rank and norm of the last arm's in each layer, each "
             "measured as it: 20 give a z with 19 degrees of freedom, and no verdict",
    )  # fmt: skip
    parser.add_argument(
        "--null-items", type=int, default=0, metavar="N",
        help="items of each suite for null adapters, the first ones (default: as for the arms)",
    )  # fmt: skip
    parser.add_argument(
        "--controls-of", default="", metavar="JOB",
        help="controls of an evaluation that is done: a job with its results, and the controls; "
             "without --arm and --suite",
    )  # fmt: skip


def follow_evaluation(job: JobDirectory) -> None:
    """Wait for the end of an evaluation, and name the answers that it left out; Ctrl-C stops it.
    Raises JobFailed unless it is done."""
    follow_or_stop(job, "evaluating", "The evaluation was stopped.")
    print_left_out(job)


def _evaluate(options: argparse.Namespace) -> int:
    from engine.launching import evaluation
    from engine.launching.evaluation_controls import describe_cost

    if options.json is not None and options.detach:
        raise EngineError("--detach and --json cannot be combined.", "", "Remove --json.")
    if options.json is not None:
        output_file.check(options.json, force=options.force, hint=FORCE_HINT)
    table = _control_table(options) if options.controls_of else _recipe_table(options)
    wanted = recipe.parse(recipe.with_changes(table, options.changes))
    assert isinstance(wanted, EvaluateRecipe)
    root = open_store(options.runs, remember=True).root
    if not options.controls_of:  # whose arms are those of a job, which may be another person's
        allow_typed(parse_arms(wanted.arms))
    if cost := describe_cost(wanted):
        print(cost, file=sys.stderr)
    for line in evaluation.describe_endpoints(wanted, root):
        print(one_line(line), file=sys.stderr)
    job = evaluation.launch_evaluation(wanted, root, parents=_list_parents(options))
    if options.detach:
        print(job.path.name)
        return 0
    follow_evaluation(job)
    skills, summary = read_table([job], (), options.delta)
    if options.json is not None:
        text = encode_table(skills, summary)
        output_file.write(options.json, [text.encode()], force=options.force, hint=FORCE_HINT)
    print_table(skills, summary, is_whole=options.all)
    print(job.path, file=sys.stderr)
    if skills.results.controls:
        print(f"controls: finetop impact {job.path.name} --controls", file=sys.stderr)
    return 0


def _list_arms(options: argparse.Namespace, store: Store) -> list[str]:
    """The arms that the options name, in their order. Raises EngineError."""
    from engine.launching.evaluation_tree import list_tree_arms
    from engine.launching.remedy_arms import list_checkpoint_arms, list_strength_arms

    ways = {
        "--tree": (options.tree, list_tree_arms),
        "--strengths": (options.strengths, list_strength_arms),
        "--checkpoints": (options.checkpoints, list_checkpoint_arms),
    }
    chosen = [(name, run, list_arms) for name, (run, list_arms) in ways.items() if run]
    if len(chosen) > 1:
        names = " and ".join(name for name, _, _ in chosen)
        raise EngineError(f"{names} cannot be combined.", "", "Use one of them, and --arm.")
    if chosen:
        ((_, run, list_arms),) = chosen
        return list_arms(run, options.arms, store)
    if not options.arms:
        raise EngineError(
            "No arms to evaluate.",
            "",
            "Use --arm NAME=CHECKPOINT, the base first, or one of --tree, --strengths and "
            "--checkpoints with a run.",
        )
    return list(options.arms)


def _list_parents(options: argparse.Namespace) -> list[str]:
    """The run whose strengths or checkpoints are measured, as the job's record names it."""
    run = options.strengths or options.checkpoints
    return (
        [f"run:{open_store(options.runs).find(run.removeprefix('run:')).path.name}"] if run else []
    )


def _control_table(options: argparse.Namespace) -> dict[str, Any]:
    """The recipe of a finished evaluation with its controls. Raises EngineError."""
    from engine.launching.evaluation_controls import make_control_recipe

    if any((options.arms, options.tree, options.strengths, options.checkpoints, options.suites)):
        raise EngineError(
            "--controls-of takes arms and suites from the evaluation.",
            "",
            "Remove --arm, --tree, --strengths, --checkpoints and --suite.",
        )
    made = make_control_recipe(open_store(options.runs).find(options.controls_of))
    asked = {"null_adapters": options.null_adapters, "null_items": options.null_items}
    return recipe.to_table(made) | asked | ({"name": options.name} if options.name else {})


def _recipe_table(options: argparse.Namespace) -> dict[str, Any]:
    """What the options ask for, as a recipe has it. Raises EngineError."""
    arms = _list_arms(options, open_store(options.runs))
    parse_suites(options.suites)
    return {
        "kind": "evaluate", "name": options.name or "evaluate", "arms": arms, "tree": options.tree,
        "suites": options.suites, "limit": options.limit, "samples": options.samples,
        "temperature": options.temperature, "encoder": options.encoder,
        "controls": options.controls or options.null_adapters > 0,
        "null_adapters": options.null_adapters, "null_items": options.null_items,
    }  # fmt: skip
