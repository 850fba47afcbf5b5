"""The options of `finetop export`, in the order in which a newcomer needs them, with examples.

Owns their help, and the recipe that they come to. Starts nothing.
"""

import argparse
import re
from pathlib import Path

from engine.compare.arms import Arm, format_nameless
from engine.errors import EngineError
from engine.jobs.store import Store
from engine.recipes import recipe as recipes
from engine.recipes.recipe import ExportRecipe
from engine.safe_open import read_bounded
from tui.commands.recipe_options import add_set

_USAGE = """finetop export RUN --as TARGET --out DIR [options]
       finetop export --verify DIR [--json]"""
_EPILOG = """\
examples:
  finetop export emotion-lora --as merged --as gguf --out ~/emotion
  finetop export emotion-lora --as gguf:Q4_K_M --out ~/emotion-q4 --detach
  finetop export emotion-lora --as adapter --out ~/emotion-adapter \\
      --base-id google/gemma-3-270m --license gemma --limits @limits.txt
  finetop export --verify ~/emotion

DIR appears whole and proven, or not at all: a check that fails ends the job,
and what was checked is in the job's directory either way. Each folder in DIR is
a repository of its own, with its model card. It needs no GPU. Nothing is
uploaded: the commands that would do it are printed.
"""
_WORD = re.compile(r"[\w.-]+")
"""What can be nothing but the name of a run, or the start of its id."""
_MOST_BYTES = 1 << 20
"""Of a file with a text for the model card."""


def add_export_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    """The parser of the command, without its handler."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "export",
        help="write a trained model in other forms, and prove that each is what was trained",
        usage=_USAGE,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "run", nargs="?", metavar="RUN",
        help="id, name or path of a run (any stage), a checkpoint's folder, an adapter, or "
        "BASE+ADAPTER",
    )  # fmt: skip
    _add_files(parser.add_argument_group("what is written"))
    _add_card(parser.add_argument_group("what the model card says"))
    _add_job(parser.add_argument_group("how it runs"))
    return parser


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--as", action="append", default=[], dest="targets", metavar="TARGET",
        help="adapter (needs its base); merged (a whole model for transformers and vLLM); gguf "
        "(for llama.cpp and Ollama, in the weights' own type and in q8_0); gguf:TYPE as in "
        "gguf:Q4_K_M (smaller; by llama-quantize). Repeatable",
    )  # fmt: skip
    group.add_argument(
        "--out", metavar="DIR", help="the folder that is made; it must not exist yet"
    )
    group.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto",
        help="of merged weights (default auto: the type in which the base is stored)",
    )  # fmt: skip
    group.add_argument(
        "--shard-gb", type=float, metavar="GB",
        help="the largest file of merged weights, in 10^9 bytes "
        f"(default {ExportRecipe().shard_gb:g})",
    )  # fmt: skip


def _add_card(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model-name", default="", metavar="NAME",
        help="what the model is called there and in its files (default: the run's name)",
    )  # fmt: skip
    group.add_argument(
        "--base-id", default="", metavar="ORG/NAME",
        help="what the Hub calls the base (asked for on a terminal, remembered)",
    )  # fmt: skip
    group.add_argument(
        "--license", default="",
        help="of the result: as the Hub names it (apache-2.0), or NAME=https://LINK (default: "
        "that of the base, where it is known)",
    )  # fmt: skip
    group.add_argument(
        "--data-license", default="", metavar="TEXT", help="license or terms of the training data"
    )
    group.add_argument(
        "--intended-use", default="", metavar="TEXT|@FILE", help="in your words, or a file of them"
    )
    group.add_argument(
        "--limits", default="", metavar="TEXT|@FILE", help="what it should not be used for"
    )
    group.add_argument(
        "--report", default="", metavar="JOB",
        help="the evaluation whose gains and losses it tells (default: the newest of this model)",
    )  # fmt: skip


def _add_job(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--name", default="", help="name of the job (default: export-MODEL)")
    group.add_argument("--yes", action="store_true", help="ask nothing")
    group.add_argument("--detach", action="store_true", help="print the job's id and return")
    group.add_argument("--json", action="store_true", help="print what was checked as JSON")
    group.add_argument(
        "--verify", metavar="DIR",
        help="export nothing: compare DIR with its checksums, print what was proven of it",
    )  # fmt: skip
    add_set(group, "proof_rows=300")


def read_export_recipe(options: argparse.Namespace, store: Store) -> ExportRecipe:
    """The recipe that the options mean. Raises EngineError."""
    table: dict[str, object] = {
        "kind": "export", "source": _name_source(options.run, store), "targets": options.targets,
        "out": options.out or "", "dtype": options.dtype, "model_name": options.model_name,
        "base_id": options.base_id, "license": options.license,
        "data_license": options.data_license, "report": options.report,
        "intended_use": _read_text(options.intended_use), "limitations": _read_text(options.limits),
    }  # fmt: skip
    table |= {"name": options.name} if options.name else {}
    table |= {"shard_gb": options.shard_gb} if options.shard_gb is not None else {}
    wanted = recipes.parse(recipes.with_changes(table, options.changes))
    assert isinstance(wanted, ExportRecipe)
    return wanted


def _name_source(text: str, store: Store) -> str:
    """The arm: a run may be named by its name, the start of its id, or its path as well. Raises
    EngineError for a word that names no run, or several."""
    try:
        return f"run:{store.find(text).path.name}"
    except EngineError:
        if not Path(text).is_dir():
            if _WORD.fullmatch(text):
                raise
            return text
        # Its name may hold what has a meaning in the words of an arm, as a plus or an @.
        folder = Path(text).absolute()
        return format_nameless(Arm(folder.name, str(folder))).removeprefix("arm=")


def _read_text(written: str) -> str:
    """A text, or the content of the file after an @. Raises EngineError."""
    if not written.startswith("@"):
        return written
    path = Path(written[1:]).expanduser()
    try:
        return read_bounded(path, _MOST_BYTES).decode()
    except UnicodeDecodeError as error:
        raise EngineError("This file is not UTF-8.", str(path)) from error
