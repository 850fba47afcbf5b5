"""`finetop generate`: the answers of several arms to a file of prompts, for scripts."""

import argparse
import shutil
from pathlib import Path

from engine.errors import EngineError
from engine.jobs import launch, recipe
from engine.jobs.status import State
from engine.jobs.store import open_store
from tui.commands.follow import follow


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

    arms.parse_arms(options.arms)
    prompts = options.prompts
    if not prompts.startswith("bundled:"):
        path = Path(prompts).expanduser().absolute()
        if not path.is_file():
            raise EngineError("There is no such file of prompts.", str(path))
        prompts = str(path)
    if not options.out.absolute().parent.is_dir():
        raise EngineError("There is no such folder.", str(options.out.absolute().parent))
    table = {
        "kind": "generate", "name": "generate", "device": options.device,
        "arms": options.arms, "prompts": prompts,
    }  # fmt: skip
    wanted = recipe.parse(recipe.with_changes(table, options.changes))
    root = open_store(options.runs, remember=True).root
    job = launch.launch(wanted, root, parents=options.arms)
    try:
        last = follow(job, "generating")
    except KeyboardInterrupt:
        launch.stop(job, grace=5)
        raise
    if last.state is not State.DONE:
        raise EngineError("Generating was stopped.", str(job.path), "finetop resume goes on.")
    shutil.copyfile(job.samples, options.out)
    print(options.out)
    return 0
