"""Files that programs of llama.cpp write: k-quants of our own files, and families without a mapping
of ours.

Owns how they are run (with this interpreter, without a network), and how their failure is told.
Runs nothing but what `gguf_targets` finds.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.errors import EngineError
from engine.release.gguf_targets import (
    CONVERT,
    QUANTIZE,
    VARIABLE,
    check_type,
    find_checkout,
    find_quantizer,
)
from engine.text import one_line
from engine.worker.release.gguf.whole_file import aside, publish

_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
_TAIL = 12
"""Lines of a program's output that an error shows."""


def quantize(own: Path, file: Path, quantization: str) -> None:
    """Make `file` of `own`. k-quants share scales among 256 weights: a tensor whose rows are no
    multiple of that gets a larger type from the program. Raises EngineError."""
    check_type(quantization)
    program = find_quantizer()
    assert program is not None, "check_type found it"
    with aside(file) as beside:
        output = _run([str(program), str(own), str(beside), quantization.upper()], QUANTIZE)
        _publish(beside, file, QUANTIZE, output)


def convert(checkpoint: Path, file: Path, quantization: str, name: str) -> None:
    """The file as llama.cpp's converter writes it; `name` is the model's in it. Raises EngineError
    with the last lines that the converter printed."""
    checkout = find_checkout()
    if checkout is None:
        raise EngineError(f"{VARIABLE} is not set.")
    own_library = checkout / "gguf-py"
    environment = os.environ | _OFFLINE
    if own_library.is_dir():
        # The converter and the library of one checkout belong together.
        environment["PYTHONPATH"] = str(own_library)
    with aside(file) as beside:
        command = [sys.executable, str(checkout / CONVERT), str(checkpoint)]
        command += ["--outfile", str(beside), "--outtype", quantization, "--model-name", name]
        output = _run(command, CONVERT, environment)
        _publish(beside, file, CONVERT, output)


def _publish(beside: Path, file: Path, program: str, output: str) -> None:
    """Raises EngineError where the program wrote no GGUF file."""
    magic = b""
    if beside.is_file():
        with beside.open("rb") as written:
            magic = written.read(4)
    if magic != b"GGUF":
        raise EngineError(f"{program} wrote no GGUF file.", _tail(output))
    publish(beside, file)


def _run(command: Sequence[str], name: str, environment: dict[str, str] | None = None) -> str:
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
        raise EngineError(f"{name} failed ({how}).", _tail(output))
    return output


def _tail(output: str) -> str:
    """The last lines of what a program printed, clean."""
    lines = [one_line(line) for line in output.splitlines() if line.strip()]
    return "\n".join(lines[-_TAIL:])
