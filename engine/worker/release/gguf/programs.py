"""Programs of llama.cpp that write a GGUF file: how they are run, and their file published.

Owns a file that is written aside and renamed when it is whole, and how a failure is told. Which
program makes what: `quantize_tool`, `llamacpp_checkout`.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.text import one_line

VARIABLE = "FINETOP_LLAMACPP"
"""The environment variable that names a checkout of llama.cpp."""
_TAIL = 12
"""Lines of a program's output that an error shows."""


@contextmanager
def aside(file: Path) -> Iterator[Path]:
    """A name for `file` before it is whole, in a folder beside it that is removed in the end."""
    with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        yield Path(folder) / file.name


def publish(beside: Path, file: Path, program: str, output: str) -> None:
    """Give what a program wrote its real name. Raises EngineError where it is no GGUF file."""
    magic = b""
    if beside.is_file():
        with beside.open("rb") as written:
            magic = written.read(4)
    if magic != b"GGUF":
        raise EngineError(f"{program} wrote no GGUF file.", tail(output))
    atomic.flush_file(beside)
    os.replace(beside, file)
    atomic.flush_directory(file.parent)


def run(command: Sequence[str], name: str, environment: dict[str, str] | None = None) -> str:
    """All that a program printed. Raises EngineError with its end where it fails."""
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        )
    except OSError as error:
        raise EngineError(f"{name} cannot be started.", one_line(str(error))) from error
    output = result.stdout.decode(errors="replace")
    if result.returncode:
        how = f"exit code {result.returncode}"
        if result.returncode < 0:
            how = f"signal {-result.returncode}"
        raise EngineError(f"{name} failed ({how}).", tail(output))
    return output


def tail(output: str) -> str:
    """The last lines of what a program printed, clean."""
    lines = [one_line(line) for line in output.splitlines() if line.strip()]
    return "\n".join(lines[-_TAIL:])
