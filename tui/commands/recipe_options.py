"""Changes to a recipe's settings, as every command that takes a recipe takes them."""

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.errors import EngineError
from engine.recipes import recipe
from engine.recipes.diff import value_at, write_setting
from engine.recipes.recipe import TrainRecipe

SHORT = (
    ("--name", "name", "NAME", "the run's name"),
    ("--model", "model.checkpoint", "MODEL", "a folder, bundled:NAME or run:ID"),
    ("--data", "data.train", "DATA", "a file or folder of rows, or bundled:NAME"),
    ("--max-length", "data.max_length", "N", "max tokens per row"),
    ("--method", "method.kind", "lora|full", "train a LoRA adapter, or all weights"),
    ("--rank", "method.rank", "N", "the rank of LoRA"),
    ("--quantize", "method.quantize", "4bit|8bit", "load the base in 4 bits (QLoRA) or 8 bits"),
    ("--lr", "training.learning_rate", "RATE", "the learning rate"),
    ("--epochs", "training.epochs", "N", "passes over the dataset"),
    ("--batch-size", "training.batch_size", "N", "rows of one forward pass"),
)
"""Options for what people set most: the first fields of Launch, and quantization, since it decides
what fits. Each is an option, its key, what it takes and what it does; all else is `--set`."""


def add_changes(parser: argparse._ActionsContainer, example: str) -> None:
    """Add `--set KEY=VALUE` and `--device NAME`; `changes` then holds both, in their order."""
    add_set(parser, example)
    parser.add_argument(
        "--device", action="append", default=[], type=_change("device"), metavar="NAME",
        dest="changes",
        help="device: auto, cpu, cuda:1 ...; short for --set device=NAME",
    )  # fmt: skip


def add_set(parser: argparse._ActionsContainer, example: str) -> None:
    """Add `--set KEY=VALUE`, as `changes`: of a job that needs no device of the user's choice."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help=f"change any setting, as {example}",
    )  # fmt: skip


def add_train_recipe(parser: argparse.ArgumentParser, example: str) -> None:
    """Add a recipe to train by: a file, `SHORT`, and what `add_changes` adds."""
    parser.add_argument(
        "recipe", nargs="?", help="recipe file (TOML); default settings without one"
    )
    group = parser.add_argument_group("settings", "They override what the recipe says.")
    usual = TrainRecipe()
    for option, key, metavar, what in SHORT:
        group.add_argument(
            option, action="append", default=[], type=_change(key), metavar=metavar, dest="changes",
            help=f"{what} (default: {write_setting(value_at(usual, key))})",
        )  # fmt: skip
    add_changes(group, example)


def read_train_recipe(options: argparse.Namespace) -> TrainRecipe:
    """The recipe that the options of `add_train_recipe` mean. Raises EngineError."""
    if options.recipe:
        wanted = recipe.read(Path(options.recipe), options.changes)
    else:
        wanted = recipe.parse(recipe.with_changes({"kind": "train"}, options.changes))
    if not isinstance(wanted, TrainRecipe):
        raise EngineError(
            f"This is a recipe of kind {wanted.kind}, not train.", options.recipe or ""
        )
    return wanted


def _change(key: str) -> Callable[[str], str]:
    """What an option of its own is as `--set`."""
    return lambda text: f"{key}={text}"
