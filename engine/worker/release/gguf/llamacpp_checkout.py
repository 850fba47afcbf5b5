"""Families without a mapping of ours, converted by a checkout of llama.cpp that the user names.

Owns how its convert_hf_to_gguf.py is run: a process of its own, with this interpreter and without a
network. Runs nothing that FINETOP_LLAMACPP does not name.
"""

import os
import sys
from pathlib import Path

from engine.errors import EngineError
from engine.text import one_line
from engine.worker.release.gguf.programs import VARIABLE, aside, publish, run

SCRIPT = "convert_hf_to_gguf.py"
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def find_checkout() -> Path | None:
    """The checkout; None where none is named. Raises EngineError where it has no converter."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    checkout = Path(named).expanduser()
    if not (checkout / SCRIPT).is_file():
        raise EngineError(
            f"{VARIABLE} names no checkout of llama.cpp.",
            one_line(f"{checkout} has no {SCRIPT}."),
            "Name the folder that `git clone https://github.com/ggml-org/llama.cpp` made.",
        )
    return checkout


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
        command = [sys.executable, str(checkout / SCRIPT), str(checkpoint)]
        command += ["--outfile", str(beside), "--outtype", quantization, "--model-name", name]
        output = run(command, SCRIPT, environment)
        publish(beside, file, SCRIPT, output)
