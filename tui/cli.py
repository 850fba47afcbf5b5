"""The command `finetop`: no arguments opens the dashboard, subcommands run without a screen.

Exit code 0 on success, 1 for a failed job, 2 for wrong use; errors go to stderr as title, detail
and hint, without a traceback.
"""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

from engine.errors import EngineError
from engine.text import clean, one_line
from tui.cli_options import SCREEN, add_screen_options
from tui.terminal_abilities import fit_streams, require_screen

ROOMS = {
    "demo": ("demo",),
    "train": ("train", "resume"),
    "sweep": ("sweep",),
    "fit": ("fit",),
    "runs": ("runs", "stop", "logs", "rm"),
    "prune": ("prune",),
    "queue": ("queue",),
    "metrics": ("metrics",),
    "watch": ("watch",),
    "get": ("get",),
    "checkpoints": ("checkpoints",),
    "data": ("data",),
    "generate": ("generate",),
    "evaluate": ("evaluate",),
    "impact": ("impact",),
    "gate": ("gate",),
    "report": ("report",),
    "tokenize": ("tokenize",),
    "compare": ("compare",),
    "judge": ("judge",),
    "export": ("export",),
    "keys": ("keys",),
    "doctor": ("doctor",),
}
"""Where the commands live, in the order of the help: only the room of the one that is asked for
is entered."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run finetop; the exit code."""
    fit_streams()
    if "SSH_CONNECTION" in os.environ:
        # Textual reads it when it is imported, by whatever command. A slow line is soon full at
        # 60 frames a second.
        os.environ.setdefault("TEXTUAL_FPS", "15")
    given = sys.argv[1:] if arguments is None else arguments
    options = build_parser(given).parse_args(given)
    try:
        if options.command is None:
            return _open_dashboard(options)
        return int(options.handler(options))
    except EngineError as error:
        show_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for a command line. Whatever is asked for must begin at once: no other command is
    loaded, and for the dashboard none at all."""
    parser = _Parser(
        prog="finetop",
        description="The terminal dashboard for fine-tuning language models. "
        "Without a command, it opens the dashboard.",
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    _add_runs_option(parser)
    add_screen_options(parser)
    parser.set_defaults(command=None, ascii=False, mouse=False, look="")
    asked = _command(arguments)
    if asked is None:
        return parser
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for room in [room for room, names in ROOMS.items() if asked in names] or ROOMS:
        for command in import_module(f"tui.commands.{room}").add_parsers(commands):
            _add_runs_option(command)
    return parser


def _command(arguments: Sequence[str]) -> str | None:
    """The first word that is no option of the dashboard itself."""
    rest = list(arguments)
    while rest:
        first = rest.pop(0)
        if first == "--runs" and rest:
            rest.pop(0)
        elif first not in SCREEN and not first.startswith("--runs="):
            return first
    return None


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an argument without passing on what the argument holds."""

    def error(self, message: str) -> NoReturn:
        super().error(one_line(message))


class _Version(argparse.Action):
    """Says the version; finding it out takes longer than opening the dashboard may."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("finetop")
        except PackageNotFoundError:
            number = "from a source tree"
        print(f"finetop {number}")
        parser.exit()


def show_error(error: EngineError) -> None:
    """An error as a user reads it, on stderr; where nobody reads that, the exit code remains."""
    with suppress(OSError):
        print(f"finetop: {clean(error.title)}", file=sys.stderr)
        for part in (error.detail, error.hint):
            if part:
                print("\n".join(f"  {line}" for line in clean(part).splitlines()), file=sys.stderr)


def _open_dashboard(options: argparse.Namespace) -> int:
    require_screen(
        os.environ,
        "The dashboard needs a terminal.",
        "See finetop --help for commands that work without one.",
    )
    gc.disable()  # until the first paint: what starting makes is not garbage
    from tui.app import run_dashboard

    return run_dashboard(
        options.runs, ascii_only=options.ascii, mouse=options.mouse, look=options.look
    )


def _add_runs_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs",
        metavar="DIR",
        default=argparse.SUPPRESS if parser.prog != "finetop" else None,
        help="folder of runs (default: FINETOP_RUNS, ./runs, or the user data folder); "
        "folders used earlier are read too",
    )


if __name__ == "__main__":
    sys.exit(main())
