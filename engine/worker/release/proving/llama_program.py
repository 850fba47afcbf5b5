"""How programs of an installed llama.cpp are run for a proof: on the CPU, with few threads, for a
bounded time, in numbers as exact as they have them.

Another version may lack an option, or crash: that proves nothing, and is no fault of what is
exported. Touches no network.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import EngineError
from engine.jobs.bound_program import ProgramEnd, run_program
from engine.release.gguf_targets import find_program

SECONDS = 900.0
"""Of one run of a program."""
_THREADS = 4
"""At most, and half of the cores: its threads wait for one another by spinning, and where another
program has one of their cores, two take ten times as long as one."""
_SETTINGS = {
    "OMP_WAIT_POLICY": "passive",
    # An export needs no GPU: one that another job has stays its own.
    "CUDA_VISIBLE_DEVICES": "",
    "HIP_VISIBLE_DEVICES": "",
    "GGML_VK_VISIBLE_DEVICES": "",
}


def run_llama(
    name: str, model: Path, options: Sequence[str], watch: Callable[[], None]
) -> ProgramEnd:
    """Run it on a GGUF file, with keys and values in float32. Raises what `watch` raises, and
    EngineError where it is not installed or fails."""
    program = find_program(name)
    if program is None:
        raise EngineError(f"{name} is not installed here.")
    threads = str(max(1, min(_THREADS, (os.cpu_count() or 1) // 2)))
    command = [str(program), "-m", str(model), "-t", threads, "-tb", threads, "-ngl", "0"]
    command += ["-ctk", "f32", "-ctv", "f32", "--no-warmup", *options]
    environment = {key: value for key, value in os.environ.items() if key[:10] != "LLAMA_ARG_"}
    end = run_program(command, watch, seconds=SECONDS, environment=environment | _SETTINGS)
    if end.failed:
        raise EngineError(f"{name} failed ({end.how}).", last_line(end))
    return end


def last_line(end: ProgramEnd) -> str:
    """What it said last; nothing where that has a path, for a proof is read elsewhere."""
    lines = end.tail.splitlines()
    return lines[-1] if lines and "/" not in lines[-1] else ""
