"""Keys of endpoints on the command line: what is typed is allowed, what a file says is asked about.

The flag names address and variable, as `--allow-key https://api.openai.com=OPENAI_API_KEY`: a
script agrees to what its author saw, and not to whatever a job holds by then. A variable that
usually holds the key of an account (HF_TOKEN, AWS_...) is allowed by that flag alone.
"""

import argparse
import sys
from collections.abc import Sequence

from engine.compare import endpoint_keys
from engine.compare.arms import Arm
from engine.compare.endpoint_keys import FLAG, KeyUse
from engine.errors import EngineError
from engine.text import one_line


def add_allow_key(parser: argparse.ArgumentParser) -> None:
    """Add the flag; `allowed_keys` then holds what was typed."""
    parser.add_argument(
        FLAG, action="append", default=[], metavar="ADDRESS=VARIABLE", dest="allowed_keys",
        help="send the API key in this environment variable to this endpoint; without it, a "
             "terminal is asked once and all else refused",
    )  # fmt: skip


def allow_typed(arms: Sequence[Arm]) -> None:
    """Allow the keys of arms that the user typed, and say what is new or unencrypted."""
    for use in endpoint_keys.find_unknown(arms):
        _say(f"first use: the key in {use.variable} is sent to {use.address}")
    endpoint_keys.allow(endpoint_keys.uses_of(arms))
    _warn(arms)


def ask_before_sending(arms: Sequence[Arm], flags: Sequence[str], run: str) -> None:
    """Allow what the flags name, and ask about all else that these arms of a run would send.

    Raises KeyNotAllowed where the answer is no, or there is no terminal to ask on.
    """
    endpoint_keys.allow([endpoint_keys.parse_use(flag) for flag in flags])
    unknown = endpoint_keys.find_unknown(arms)
    if any(use.is_reserved for use in unknown) or (unknown and not _is_asked_here()):
        raise endpoint_keys.refuse(unknown, run)
    for use in unknown:
        if not _agrees(use):
            raise EngineError(f"Not allowed: {use.variable} to {use.address}. Nothing was started.")
    endpoint_keys.allow(unknown)
    _warn(arms)


def _is_asked_here() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _agrees(use: KeyUse) -> bool:
    if use.warning:
        _say(use.warning)
    question = f"Send the API key in {use.variable} to {use.address}? [y/N] "
    print(one_line(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _warn(arms: Sequence[Arm]) -> None:
    for use in endpoint_keys.uses_of(arms):
        if use.warning:
            _say(f"warning: {use.warning}")


def _say(line: str) -> None:
    print(one_line(line), file=sys.stderr)
