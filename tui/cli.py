"""The command `finetop`: no arguments opens the dashboard, subcommands run without a screen.

Exit code 0 on success, 1 for a failed job, 2 for wrong use; errors go to stderr as title, detail
and hint, without a traceback.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from engine.errors import EngineError
from engine.text import clean


def main(arguments: Sequence[str] | None = None) -> int:
    """Run finetop; the exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
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


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    from tui.commands import checkpoints, demo, doctor, generate, runs, train

    parser = argparse.ArgumentParser(
        prog="finetop",
        description="The terminal dashboard for fine-tuning language models. "
        "Without a command it opens the dashboard.",
    )
    parser.add_argument("--version", action="version", version=f"finetop {_version()}")
    _add_runs_option(parser)
    parser.add_argument("--ascii", action="store_true", help="draw without blocks and braille")
    parser.add_argument("--mouse", action="store_true", help="take the mouse, over SSH too")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for room in (demo, train, runs, checkpoints, generate, doctor):
        for command in room.add_parsers(commands):
            _add_runs_option(command)
    return parser


def show_error(error: EngineError) -> None:
    """An error as a user reads it, on stderr."""
    print(f"finetop: {clean(error.title)}", file=sys.stderr)
    for part in (error.detail, error.hint):
        if part:
            print("\n".join(f"  {line}" for line in clean(part).splitlines()), file=sys.stderr)


def _open_dashboard(options: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise EngineError(
            "The dashboard needs a terminal.",
            "Input or output is not one.",
            "See finetop --help for the commands that need none.",
        )
    from tui.app import run_dashboard

    return run_dashboard(options.runs, ascii_only=options.ascii, mouse=options.mouse)


def _add_runs_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs",
        metavar="DIR",
        default=argparse.SUPPRESS if parser.prog != "finetop" else None,
        help="where new runs go (else FINETOP_RUNS, ./runs, or your data folder)",
    )


def _version() -> str:
    try:
        return version("finetop")
    except PackageNotFoundError:
        return "from a source tree"


if __name__ == "__main__":
    sys.exit(main())
