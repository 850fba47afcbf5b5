"""Changes to a recipe's settings, as every command that takes a recipe takes them."""

import argparse


def add_changes(parser: argparse.ArgumentParser, example: str) -> None:
    """Add `--set KEY=VALUE` and `--device NAME`; `changes` then holds both, in their order."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help=f"change a setting, as {example}",
    )  # fmt: skip
    parser.add_argument(
        "--device", action="append", type=_device, metavar="NAME", dest="changes",
        help="where it runs, as cuda:1, cpu or auto: short for --set device=NAME",
    )  # fmt: skip


def _device(name: str) -> str:
    return f"device={name}"
