"""`finetop generate`: the answers of several arms to a file of prompts, for scripts."""

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.jobs import launch, recipe
from engine.jobs.status import State
from engine.jobs.store import open_store
from tui.commands.follow import follow

if TYPE_CHECKING:
    from engine.compare.arms import Arm


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("generate", help="answers of several arms, to a file")
    parser.add_argument(
        "--arm", action="append", required=True, dest="arms", metavar="NAME=CHECKPOINT[+ADAPTER]",
        help="a model, with an adapter or not, or a run; give it several times",
    )  # fmt: skip
    parser.add_argument("--prompts", required=True, help="a file of prompts, or bundled:NAME")
    parser.add_argument("--out", required=True, type=Path, help="where the samples go (JSONL)")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="change a setting, as decode.max_new_tokens=64",
    )  # fmt: skip
    parser.set_defaults(handler=_generate)
    return [parser]


def _generate(options: argparse.Namespace) -> int:
    from engine.compare import arms

    asked = arms.parse_arms(options.arms)
    prompts = options.prompts
    if not prompts.startswith("bundled:"):
        path = Path(os.path.abspath(os.path.expanduser(prompts)))
        if not path.is_file():
            raise EngineError("There is no such file of prompts.", str(path))
        prompts = str(path)
    check_out(options.out)
    root = open_store(options.runs, remember=True).root
    named = [arms.format_arm(arm) for arm in _located(asked, root)]
    table = {
        "kind": "generate", "name": "generate", "device": options.device,
        "arms": named, "prompts": prompts,
    }  # fmt: skip
    wanted = recipe.parse(recipe.with_changes(table, options.changes))
    job = launch.launch(wanted, root, parents=named)
    try:
        last = follow(job, "generating")
    except KeyboardInterrupt:
        launch.stop(job, grace=5)
        raise
    if last.state is not State.DONE:
        raise EngineError("Generating was stopped.", str(job.path), "finetop resume goes on.")
    try:
        shutil.copyfile(job.samples, options.out)
    except OSError as error:
        raise EngineError(
            "The samples could not be copied.",
            f"{options.out}: {error.strerror or error}",
            f"They are in {job.samples}.",
        ) from error
    print(options.out)
    return 0


def check_out(path: Path) -> None:
    """Raise EngineError where no file can be written, before the work and not after it."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise EngineError("There is no such folder.", str(folder))
    if path.is_dir():
        raise EngineError("This is a folder, not a file.", str(path))
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise EngineError("This file cannot be written.", str(path), "Name another one.")


def _located(asked: "list[Arm]", root: Path) -> "list[Arm]":
    """The arms with their weights found: a wrong name fails here, a relative path is anchored."""
    from engine.catalog import checkpoints

    runs = [job.path for job in open_store(root).jobs()]
    return [
        replace(
            arm,
            checkpoint=checkpoints.resolve(arm.checkpoint, runs).ref,
            adapter=arm.adapter and checkpoints.resolve(arm.adapter, runs).ref,
        )
        for arm in asked
    ]
