"""`finetop data inspect`: how training would encode a data set, before the start.

The work is done by a companion process; this module sends the requests and prints the reply. The
layout is in `tui.commands.data_report`.
"""

import argparse
import asyncio
import dataclasses
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.jobs.store import open_store
from engine.json_output import format_json
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from tui import glyphs
from tui.commands import data_make
from tui.commands.data_report import ReportStyle

MOST_ROWS = 1000


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("data", help="inspect data sets, make rows out of raw texts")
    deeds = parser.add_subparsers(dest="deed", metavar="inspect|make", required=True)
    inspect = deeds.add_parser("inspect", help="rows as they are trained, lengths, truncation")
    inspect.add_argument("data", help="bundled:NAME, a file or folder of rows, or a recipe (.toml)")
    inspect.add_argument(
        "--checkpoint", metavar="REF", help="checkpoint whose tokenizer and template are used"
    )
    inspect.add_argument("--template", help="chat, instruct, chatml, raw, or a Jinja file")
    inspect.add_argument("--system", help="system prompt for rows that have none")
    inspect.add_argument("--max-length", metavar="N", help="max tokens per row")
    inspect.add_argument(
        "--rows", type=int, default=3, metavar="N", help="rows to show (default 3)"
    )
    inspect.add_argument(
        "--sample", type=int, default=2000, metavar="N", help="rows to read (default 2000)"
    )
    inspect.add_argument(
        "--templates", action="store_true", help="show the first row with every template"
    )
    inspect.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="override a setting, e.g. data.too_long=drop",
    )  # fmt: skip
    inspect.add_argument("--json", action="store_true", help="print JSON")
    inspect.set_defaults(handler=_inspect)
    return [parser, inspect, data_make.add_parser(deeds)]


def _inspect(options: argparse.Namespace) -> int:
    wanted = _recipe(options)
    if not 0 <= options.rows <= MOST_ROWS or options.sample < 1:
        raise EngineError(
            "Invalid number of rows.",
            f"--rows {options.rows} --sample {options.sample}",
            f"--rows takes 0 to {MOST_ROWS:,}; --sample takes 1 or more.",
        )
    request = {
        "checkpoint": wanted.model.checkpoint,
        "data": dataclasses.asdict(wanted.data),
        "replay": dataclasses.asdict(wanted.replay),
        "rows": options.rows,
        "sample": options.sample,
        "templates": options.templates,
        "seed": wanted.training.seed,
        "objective": wanted.training.objective,
    }
    runs = str(open_store(options.runs).root)
    (done,) = asyncio.run(ask_companion(runs, ("inspect", request)))
    report = done["report"]
    if options.json:
        print(format_json(report))
        return 0
    width = shutil.get_terminal_size((80, 24)).columns
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    page = ReportStyle(glyphs.detect(os.environ, sys.stdout.encoding), width, coloured)
    print("\n".join(page.write(report)))
    return 0


def _recipe(options: argparse.Namespace) -> TrainRecipe:
    """The recipe that the command line means: a file's, or the defaults with this data set."""
    given = {
        "model.checkpoint": options.checkpoint,
        "data.template": options.template,
        "data.system": options.system,
        "data.max_length": options.max_length,
    }
    changes = [f"{key}={value}" for key, value in given.items() if value is not None]
    if options.data.endswith(".toml"):
        wanted = recipe.read(Path(options.data), [*changes, *options.changes])
    else:
        table = {"kind": "train", "data": {"train": options.data}}
        wanted = recipe.parse(recipe.with_changes(table, [*changes, *options.changes]))
    if not isinstance(wanted, TrainRecipe):
        raise EngineError(f"This is a recipe of kind {wanted.kind}, not train.", options.data)
    return wanted


async def ask_companion(runs: str, *asked: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The last event of each request, of a companion process that is started for them.

    Requests are their kinds and fields. The process ends with the last of them.
    """
    from tui.companion import Companion, Stream

    companion = Companion(runs=runs, warm=False)
    try:
        return [await Stream(companion, kind, fields).last() for kind, fields in asked]
    finally:
        await companion.close()
