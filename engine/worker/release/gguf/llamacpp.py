"""Files that programs of llama.cpp write: k-quants of our own files, and families without a mapping
of ours.

Owns how they are run (with this interpreter, without a network), and how their failure is told.
Runs nothing but what `gguf_targets` finds.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import EngineError
from engine.jobs.bound_program import NOT_STARTED, run_program
from engine.jobs.write_errors import refusals_of_child
from engine.release.gguf_targets import (
    CONVERT,
    QUANTIZE,
    VARIABLE,
    check_type,
    find_checkout,
    find_quantizer,
)
from engine.worker.release.gguf.whole_file import aside, publish

Tick = Callable[[int, int], None]
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def quantize(own: Path, file: Path, quantization: str, tick: Tick) -> None:
    """Make `file` of `own`. k-quants share scales among 256 weights: a tensor whose rows are no
    multiple of that gets a larger type from the program. Raises EngineError, and OSError where the
    disk refuses the program."""
    check_type(quantization)
    program = find_quantizer()
    assert program is not None, "check_type found it"
    with aside(file) as beside:
        watch = _follow(beside, own.stat().st_size, tick)
        command = [str(program), str(own), str(beside), quantization.upper()]
        with refusals_of_child(beside.parent):
            output = _run(command, QUANTIZE, watch)
            _publish(beside, file, QUANTIZE, output)


def convert(checkpoint: Path, file: Path, quantization: str, name: str, tick: Tick) -> None:
    """The file as llama.cpp's converter writes it; `name` is the model's in it. Raises EngineError
    with the last lines that the converter printed, OSError where the disk refuses it."""
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
        size = sum(path.stat().st_size for path in checkpoint.glob("*.safetensors"))
        with refusals_of_child(beside.parent):
            output = _run(command, CONVERT, _follow(beside, size, tick), environment)
            _publish(beside, file, CONVERT, output)


def _publish(beside: Path, file: Path, program: str, output: str) -> None:
    """Raises EngineError where the program wrote no GGUF file."""
    magic = b""
    if beside.is_file():
        with beside.open("rb") as written:
            magic = written.read(4)
    if magic != b"GGUF":
        raise EngineError(f"{program} wrote no GGUF file.", output)
    publish(beside, file)


def _follow(beside: Path, size: int, tick: Tick) -> Callable[[], None]:
    """Tells how much of a file is written that has about `size` bytes, or fewer."""

    def watch() -> None:
        written = beside.stat().st_size if beside.exists() else 0
        tick(min(written, size), size)

    return watch


def _run(
    command: Sequence[str],
    name: str,
    watch: Callable[[], None],
    environment: dict[str, str] | None = None,
) -> str:
    """The end of what a program printed. `watch` is called meanwhile; where that raises, the
    program is ended. Raises EngineError with that end where it fails."""
    end = run_program(command, watch, environment=environment)
    if end.code == NOT_STARTED:
        raise EngineError(f"{name} cannot be started.", end.tail)
    if end.failed:
        raise EngineError(f"{name} failed ({end.how}).", end.tail)
    return end.tail
