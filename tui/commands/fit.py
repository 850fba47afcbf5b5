"""`finetop fit`: will a recipe fit the device and the disk, and how long may it take?"""

import argparse
import asyncio
import dataclasses
import json
import sys

from engine.checkpoints import checkpoint_list
from engine.checkpoints.gguf_file import check_trainable
from engine.data import dataset_list
from engine.errors import EngineError
from engine.estimates.advice import gigabytes
from engine.estimates.epoch import MeasuredRows
from engine.estimates.fit import Fit, estimate_fit, part_sizes
from engine.estimates.memory import Estimate
from engine.estimates.parameters import Counted
from engine.jobs.store import Store, open_store
from engine.number_format import write_percent
from engine.recipes.recipe import TrainRecipe
from engine.text import one_line
from tui.commands.companion_request import ask_companion
from tui.commands.recipe_options import add_train_recipe, read_train_recipe
from tui.launch.fit_lines import counted, measured


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("fit", help="estimate memory, time and disk of a recipe")
    add_train_recipe(parser, "training.packing=true")
    parser.add_argument(
        "--measure",
        action="store_true",
        help="measure row lengths and count parameters (takes seconds)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_show)
    return [parser]


def _show(options: argparse.Namespace) -> int:
    wanted = read_train_recipe(options)
    store = open_store(options.runs)
    known, number = _measure(wanted, store) if options.measure else (None, None)
    found = judge(wanted, store, known, number)
    if options.json:
        print(json.dumps(dataclasses.asdict(found), indent=1))
        return 0
    for line in _lines(found, wanted, known):
        print(one_line(line))
    return 0


def _measure(wanted: TrainRecipe, store: Store) -> tuple[MeasuredRows | None, Counted]:
    """How long the rows are and how many parameters there are, by a companion process."""
    rows = {
        "checkpoint": wanted.model.checkpoint,
        "data": dataclasses.asdict(wanted.data),
        "replay": dataclasses.asdict(wanted.replay),
        "rows": 0,
        "seed": wanted.training.seed,
        "objective": wanted.training.objective,
    }
    model = {
        "checkpoint": wanted.model.checkpoint,
        "method": dataclasses.asdict(wanted.method),
    }
    told, number = asyncio.run(ask_companion(str(store.root), ("inspect", rows), ("count", model)))
    return measured(told["report"], wanted.data.limit), counted(number, wanted.method)


def judge(
    wanted: TrainRecipe,
    store: Store,
    measured_rows: MeasuredRows | None = None,
    number: Counted | None = None,
) -> Fit:
    """The fit of a recipe on this machine now (`estimate_fit`).

    Raises EngineError for a checkpoint, a data set or a device that is not there, and for a GGUF
    file, which is not trained.
    """
    runs = [job.path for job in store.jobs()]
    checkpoint = checkpoint_list.resolve(wanted.model.checkpoint, runs)
    check_trainable(checkpoint)
    dataset_list.resolve(wanted.data.train, runs, wanted.data, wanted.training.objective)
    return estimate_fit(wanted, checkpoint, store, measured=measured_rows, counted=number)


def announce(wanted: TrainRecipe, store: Store) -> None:
    """One line on stderr before a start, and a warning where it does not fit.

    Raises nothing: errors in a recipe are reported by the launch.
    """
    try:
        found = judge(wanted, store)
    except EngineError:
        return
    print(one_line(found.line), file=sys.stderr)
    for line in _warnings(found):
        print(one_line(line), file=sys.stderr)


def _lines(found: Fit, recipe: TrainRecipe, known: MeasuredRows | None) -> list[str]:
    lines = [found.line]
    if found.memory is not None:
        lines += ["", *_parts(found, found.memory), found.formats, f"memory: {found.memory_basis}"]
        lines += [
            f"longest row: {known.longest:,} tokens; "
            f"{write_percent(known.target_share)} of all tokens are trained"
            if known
            else "assumes all rows have max_length tokens, all trained; --measure reads the data"
        ]
    if found.disk_needed is not None:
        lines += ["", *_disk(found, recipe)]
    warnings = _warnings(found)
    return [*lines, "", *warnings] if warnings else lines


def _parts(found: Fit, memory: Estimate) -> list[str]:
    sizes, total = part_sizes(found.parts)
    lines = [f"{name:16}{text:>10}" for name, text in sizes.items() if found.parts[name]]
    share = write_percent(memory.trained / memory.parameters, 1)
    return [
        *lines,
        f"{'peak':16}{total:>10}  {memory.moment}",
        f"{memory.parameters:,} parameters, {memory.trained:,} trainable ({share})",
    ]


def _disk(found: Fit, recipe: TrainRecipe) -> list[str]:
    rows = (
        ("checkpoint", found.checkpoint, "each"),
        ("tokenizer", found.vocabulary, "once for all of them"),
        ("on disk", found.disk_kept, "at the end" + _more_on_disk(found, recipe)),
        ("disk peak", found.disk_needed, "while a checkpoint or the result is written"),
    )
    return [
        f"{name:12}{gigabytes(size):>10}  {what}"
        for name, size, what in rows
        if size and gigabytes(size) != "0 MB"
    ]


def _more_on_disk(found: Fit, recipe: TrainRecipe) -> str:
    """What more may be kept, and for which checkpoints; the budget needs the alarm's tokens."""
    most = found.disk_kept_most
    if most is None or most == found.disk_kept:
        return ""
    budget = " or the last one within the forgetting budget" if recipe.forgetting.tokens else ""
    return f", {gigabytes(most)} where the best checkpoint{budget} is an older one"


def _warnings(found: Fit) -> list[str]:
    lines = [f"note: {note}" for note in found.notes]
    if found.fits is False:
        lines += [
            "It may not fit. Any one of these changes would fit:",
            *(f"  {one.text}" for one in found.advice),
        ]
    if found.disk_needed and found.disk_free is not None and found.disk_needed > found.disk_free:
        lines += [
            f"The disk may fill up: {gigabytes(found.disk_needed)} needed at the peak, "
            f"{gigabytes(found.disk_free)} are free. training.save_total_limit says "
            "how many are kept."
        ]
    return lines
