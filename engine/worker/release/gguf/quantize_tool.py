"""GGUF types that `llama-quantize` makes of a file in the weights' own type.

Owns where that program is looked for, which types it is asked for, and how its failure is told.
Writes no weights itself.
"""

import os
import shutil
from pathlib import Path

from engine.errors import EngineError
from engine.text import one_line
from engine.worker.release.gguf.programs import VARIABLE, aside, publish, run

TYPES = (
    "q2_k", "q3_k_s", "q3_k_m", "q3_k_l", "q4_0", "q4_1", "q4_k_s", "q4_k_m", "q5_0", "q5_1",
    "q5_k_s", "q5_k_m", "q6_k", "iq3_s", "iq3_m", "iq4_nl", "iq4_xs",
)  # fmt: skip
"""Those that need no importance matrix."""
PROGRAM = "llama-quantize"


def check_type(quantization: str) -> None:
    """Raises EngineError where it is no type that can be asked for."""
    if quantization not in TYPES:
        raise EngineError(
            f"Unknown GGUF type {one_line(quantization)!r}.",
            "",
            f"Use f32, f16, bf16, q8_0, or of {PROGRAM}: {', '.join(TYPES)}.",
        )


def find_program() -> Path | None:
    """In the checkout that FINETOP_LLAMACPP names, then on the PATH."""
    checkout = os.environ.get(VARIABLE)
    if checkout:
        built = Path(checkout) / "build" / "bin" / PROGRAM
        if built.is_file() and os.access(built, os.X_OK):
            return built
    found = shutil.which(PROGRAM)
    return Path(found) if found else None


def quantize(own: Path, file: Path, quantization: str) -> None:
    """Make `file` of `own`. k-quants share scales among 256 weights: a tensor whose rows are no
    multiple of that gets a larger type from the program. Raises EngineError."""
    check_type(quantization)
    program = find_program()
    if program is None:
        raise missing_program(quantization)
    with aside(file) as beside:
        output = run([str(program), str(own), str(beside), quantization.upper()], PROGRAM)
        publish(beside, file, PROGRAM, output)


def missing_program(quantization: str) -> EngineError:
    return EngineError(
        f"gguf:{quantization.upper()} needs {PROGRAM}, which is not on this machine.",
        f"It was looked for in {VARIABLE}/build/bin and on the PATH.",
        "Get a release of llama.cpp (github.com/ggml-org/llama.cpp/releases, or `brew install "
        f"llama.cpp`) and put its folder on the PATH, or build a checkout and name it in {VARIABLE}"
        ". gguf:q8_0 needs no program.",
    )
