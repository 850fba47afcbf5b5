"""Token ids by an installed llama.cpp: by its program `llama-tokenize`, of one text at a time.

Touches no network.
"""

import ast
import subprocess
from collections.abc import Sequence
from pathlib import Path

from engine.errors import EngineError
from engine.release.gguf_targets import find_program

_PROGRAM = "llama-tokenize"
_SECONDS = 600


def find_tokenize_program() -> Path | None:
    """`llama-tokenize`, or None where there is none."""
    return find_program(_PROGRAM)


def token_ids(program: Path, model: Path, text: str) -> list[int]:
    """The ids of a text, names of special tokens in it read as these; no BOS is put before it.

    Raises EngineError where the program fails, as where it cannot read the model.
    """
    command = [program, "-m", model, "--stdin", "--ids", "--no-bos", "--no-escape"]
    try:
        done = subprocess.run(
            [str(part) for part in command],
            input=text.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{_PROGRAM} does not run.", str(error)) from error
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line[:1] == "["]
    if done.returncode != 0 or not lines:
        tail = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise EngineError(f"{_PROGRAM} ended with {done.returncode}.", "\n".join(tail))
    return [int(one) for one in ast.literal_eval(lines[-1])]


def split_at(ids: Sequence[int], separator: int) -> list[list[int]]:
    """The ids between two separators each."""
    parts: list[list[int]] = [[]]
    for one in ids:
        if one == separator:
            parts.append([])
        else:
            parts[-1].append(one)
    return parts
