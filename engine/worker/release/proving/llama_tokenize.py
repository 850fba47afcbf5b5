"""Token ids by an installed llama.cpp: by its program `llama-tokenize`, of one text at a time.

Touches no network.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import EngineError
from engine.jobs.bound_program import run_program
from engine.release.gguf_targets import find_program
from engine.text import one_line

_PROGRAM = "llama-tokenize"
_SECONDS = 600


def find_tokenize_program() -> Path | None:
    """`llama-tokenize`, or None where there is none."""
    return find_program(_PROGRAM)


def token_ids(
    program: Path, model: Path, text: str, watch: Callable[[], None] = lambda: None
) -> list[int]:
    """The ids of a text, names of special tokens in it read as these; no BOS is put before it.

    `watch` is called meanwhile. Raises what that raises, and EngineError where the program fails,
    as one of another version may.
    """
    command = [program, "-m", model, "--stdin", "--ids", "--no-bos", "--no-escape"]
    parts = [str(part) for part in command]
    end = run_program(parts, watch, given=text.encode(), seconds=_SECONDS)
    lines = [line for line in end.output.decode(errors="replace").splitlines() if line[:1] == "["]
    if end.failed or not lines:
        raise EngineError(f"{_PROGRAM} told no ids ({end.how}).", end.tail)
    try:
        return [int(one) for one in json.loads(lines[-1])]
    except (ValueError, TypeError) as error:
        raise EngineError(f"{_PROGRAM} told no ids.", one_line(lines[-1])[:200]) from error


def split_at(ids: Sequence[int], separator: int) -> list[list[int]]:
    """The ids between two separators each."""
    parts: list[list[int]] = [[]]
    for one in ids:
        if one == separator:
            parts.append([])
        else:
            parts[-1].append(one)
    return parts
