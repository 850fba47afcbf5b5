"""The question before texts of a data set leave this machine: once for each address.

On a terminal it is asked; else `--yes` agrees, to the addresses that the recipe names now.
"""

import argparse
import sys
from collections.abc import Sequence

from engine.compare import endpoint_hosts
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.text import one_line


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add the flag; `yes` then says whether it was given."""
    parser.add_argument(
        endpoint_hosts.FLAG, action="store_true", dest="yes",
        help="agree that texts of the source are sent to the endpoints of the recipe; without it "
             "a terminal is asked once for each address, and all else is refused",
    )  # fmt: skip


def ask_before_texts_leave(arms: Sequence[Arm], *, agreed: bool, run: str = "") -> None:
    """Ask about each address that is new, or allow it where `agreed`.

    Raises HostNotAllowed where there is no terminal to ask on, EngineError where the answer is no.
    """
    unknown = endpoint_hosts.find_unknown(arms)
    if unknown and not agreed and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise endpoint_hosts.refuse(unknown, run)
    for address in unknown:
        if agreed:
            print(one_line(f"texts of the source are sent to {address}"), file=sys.stderr)
        elif not _agrees(address):
            raise EngineError(f"Not allowed: {address}. Nothing was started.")
    endpoint_hosts.allow(unknown)


def _agrees(address: str) -> bool:
    question = f"Texts of the source leave this machine for {address}. Send them? [y/N] "
    print(one_line(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
