"""What can be told of a GGUF export before anything is written: types, families, programs.

Owns which types `llama-quantize` is asked for, where llama.cpp's programs are looked for, and which
families we write ourselves. Runs nothing and loads nothing.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from engine.checkpoints.config_json import read_json
from engine.errors import EngineError
from engine.release.targets import WRITTEN_TYPES, Target
from engine.text import one_line

VARIABLE = "FINETOP_LLAMACPP"
"""The environment variable that names a checkout of llama.cpp."""
QUANTIZE = "llama-quantize"
CONVERT = "convert_hf_to_gguf.py"
PERPLEXITY = "llama-perplexity"
COMPLETIONS = ("llama-completion", "llama-cli")
"""Programs that answer one prompt; the second did so before the first was split from it."""
QUANTIZED_TYPES = (
    "q2_k", "q3_k_s", "q3_k_m", "q3_k_l", "q4_0", "q4_1", "q4_k_s", "q4_k_m", "q5_0", "q5_1",
    "q5_k_s", "q5_k_m", "q6_k", "iq3_s", "iq3_m", "iq4_nl", "iq4_xs",
)  # fmt: skip
"""Those of llama-quantize that need no importance matrix."""
MODEL_TYPES = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3")
"""Families that we write, as config.json names them."""


def check_gguf_targets(targets: Iterable[Target], checkpoint: Path) -> None:
    """Raises EngineError where a file of them cannot be written of the model in `checkpoint`."""
    types = [target.quantization for target in targets if target.form == "gguf"]
    if not types:
        return
    for quantization in types:
        check_type(quantization)
    model_type = read_json(checkpoint / "config.json").get("model_type")
    if model_type not in MODEL_TYPES and find_checkout() is None:
        raise refuse_family(str(model_type))


def check_type(quantization: str) -> None:
    """Raises EngineError where it is no type that can be asked for, or its program is missing."""
    if quantization in ("", *WRITTEN_TYPES):
        return
    if quantization not in QUANTIZED_TYPES:
        raise EngineError(
            f"Unknown GGUF type {one_line(quantization)!r}.",
            "",
            f"Use f32, f16, bf16, q8_0, or of {QUANTIZE}: {', '.join(QUANTIZED_TYPES)}.",
        )
    if find_quantizer() is None:
        raise EngineError(
            f"gguf:{quantization.upper()} needs {QUANTIZE}, which is not on this machine.",
            f"It was looked for in {VARIABLE}/build/bin and on the PATH.",
            "Get a release of llama.cpp (github.com/ggml-org/llama.cpp/releases, or `brew install "
            "llama.cpp`) and put its folder on the PATH, or build a checkout and name it in "
            f"{VARIABLE}. gguf:q8_0 needs no program.",
        )


def refuse_family(model_type: str) -> EngineError:
    """The error of a family that we do not write, with what else there is."""
    name = one_line(model_type)
    vision = " Its text model alone is gemma3_text." if name == "gemma3" else ""
    return EngineError(
        f"No GGUF mapping for the model type {name}.",
        f"There is one for {', '.join(MODEL_TYPES)}.{vision}",
        f"Set {VARIABLE} to a checkout of llama.cpp: what its {CONVERT} knows is converted by it. "
        "Or export --as merged and convert that folder by hand.",
    )


def find_quantizer() -> Path | None:
    """`llama-quantize`; None where there is none."""
    return find_program(QUANTIZE)


def find_program(name: str) -> Path | None:
    """A program of llama.cpp: in the checkout that FINETOP_LLAMACPP names, then on the PATH."""
    checkout = os.environ.get(VARIABLE)
    if checkout:
        built = Path(checkout).expanduser() / "build" / "bin" / name
        if built.is_file() and os.access(built, os.X_OK):
            return built
    found = shutil.which(name)
    return Path(found) if found else None


def find_checkout() -> Path | None:
    """The checkout of llama.cpp; None where none is named. Raises EngineError where it has no
    converter."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    checkout = Path(named).expanduser()
    if not (checkout / CONVERT).is_file():
        raise EngineError(
            f"{VARIABLE} names no checkout of llama.cpp.",
            one_line(f"{checkout} has no {CONVERT}."),
            "Name the folder that `git clone https://github.com/ggml-org/llama.cpp` made.",
        )
    return checkout
