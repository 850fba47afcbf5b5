"""`finetop generate`: the answers of several arms to a file of prompts, for scripts."""

import argparse
import sys
from pathlib import Path

from engine import output_file
from engine.compare.arms import parse_arms
from engine.errors import EngineError, JobFailed
from engine.jobs.store import open_store
from engine.recipes import recipe
from engine.recipes.recipe import GenerateRecipe
from engine.safe_open import open_regular
from engine.text import one_line
from tui.cli_options import FORCE_HINT, add_force
from tui.commands.endpoint_keys import allow_typed
from tui.commands.follow import follow_or_stop
from tui.commands.left_out import check_complete, print_left_out
from tui.commands.recipe_options import add_changes

_PIECE = 1 << 20
"""Bytes that are copied at a time."""


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("generate", help="generate answers of several arms")
    parser.add_argument(
        "--arm", action="append", required=True, dest="arms", metavar="NAME=CHECKPOINT[+ADAPTER]",
        help="a model (with or without adapter) or a run; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--prompts", required=True,
        help="a file of prompts (JSONL, JSON, CSV, TSV, TXT), bundled:NAME, bundled:all, or "
             "run:ID (what a training run held out)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="also copy the samples to this file (JSONL)")
    add_force(parser)
    parser.add_argument("--name", default="generate", help="name of the job")
    parser.add_argument("--detach", action="store_true", help="print the job's id and return")
    add_changes(parser, "decode.max_new_tokens=64")
    parser.set_defaults(handler=_generate)
    return [parser]


def _generate(options: argparse.Namespace) -> int:
    from engine.launching import generation

    if options.out is not None and options.detach:
        raise EngineError(
            "--detach and --out cannot be combined.",
            "",
            "Remove --out; export later with finetop compare export.",
        )
    if options.out is not None:
        output_file.check(options.out, force=options.force, hint=FORCE_HINT)
    table = {
        "kind": "generate", "name": options.name, "arms": options.arms,
        "prompts": options.prompts,
    }  # fmt: skip
    wanted = recipe.parse(recipe.with_changes(table, options.changes))
    assert isinstance(wanted, GenerateRecipe)
    allow_typed(parse_arms(wanted.arms))
    root = open_store(options.runs, remember=True).root
    job = generation.launch_generation(wanted, root)
    if options.detach:
        print(job.path.name)
        return 0
    last = follow_or_stop(job, "generating", "Generation was stopped.", names_left_out=True)
    print(one_line(last.message), file=sys.stderr)
    if not job.samples.is_file():
        print_left_out(job)
        raise JobFailed("No prompt could be answered.", str(job.path), f"Reasons: {job.rejects}.")
    if options.out is None:
        print(job.samples)
        check_complete(job)
        return 0
    try:
        with open_regular(job.samples) as samples:
            pieces = iter(lambda: samples.read(_PIECE), b"")
            output_file.write(options.out, pieces, force=options.force, hint=FORCE_HINT)
    except EngineError as error:
        hint = f"The samples are in {job.samples}."
        raise EngineError(error.title, error.detail, hint) from error
    print(options.out)
    check_complete(job)
    return 0
