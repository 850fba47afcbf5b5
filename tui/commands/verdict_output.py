"""What a command prints whose exit code is a verdict: neither a reader that goes away nor a full
disk may change that code, or make one where nothing was judged."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress

from engine.errors import EngineError
from engine.text import one_line


def print_verdict(lines: Iterable[str]) -> None:
    """On stdout, whole. A reader that has gone (`| head`) is no error; raises EngineError where the
    lines cannot be written otherwise."""
    try:
        for line in lines:
            print(line)
        if sys.stdout is not None:  # closed by `>&-`
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _drop_output()
        raise EngineError(
            "The result cannot be written to the standard output.",
            error.strerror or str(error),
            "Choose another file or disk.",
        ) from error


def say(text: str) -> None:
    """One line on stderr; whether anybody reads it does not matter."""
    with suppress(OSError):
        print(one_line(text), file=sys.stderr, flush=True)


def _drop_output() -> None:
    """What is left of it goes nowhere: Python ends with code 120 where it cannot be flushed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
