"""Which files of a repository of the Hub are worth fetching: names and sizes in, names out."""

import re
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from engine.errors import EngineError

_OTHER_WEIGHTS = (
    ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack", ".onnx", ".onnx_data", ".gguf",
    ".ggml", ".tflite", ".ot", ".mlmodel", ".npz",
)  # fmt: skip
_OTHER_FOLDERS = ("onnx/", "coreml/", "openvino/", "original/", "runs/", ".git")
_STEP = re.compile(r"(checkpoint|step)[-_]?\d+/")
_SAFE = ".safetensors"


def choose_files(
    sizes: Mapping[str, int], kind: str, include: Sequence[str] = ()
) -> list[str]:  # fmt: skip
    """The files to fetch, of `sizes` in bytes by name; `kind` is `model` or `dataset`.

    Of a model the safetensors and all that is small, not the same weights in other formats, nor
    those of steps on the way. `include` (patterns as `*.json`) takes what it names, and nothing
    else. Raises EngineError where nothing is left, or the weights come as pickles alone.
    """
    if include:
        return _named(sizes, include)
    if kind != "model":
        return [name for name in sizes if not name.startswith(".git")]
    kept = [
        name
        for name in sizes
        if not name.startswith(_OTHER_FOLDERS)
        and not _STEP.match(name)
        and not name.lower().endswith(_OTHER_WEIGHTS)
    ]
    weights = [name for name in kept if name.endswith(_SAFE)]
    if not weights:
        _refuse_other_formats(sizes)
    if any(name.startswith("model") for name in weights):  # Mistral's own layout beside it
        kept = [name for name in kept if not re.match(r"consolidated.*\.safetensors", name)]
    return kept


def _named(sizes: Mapping[str, int], patterns: Sequence[str]) -> list[str]:
    found = [name for name in sizes if any(fnmatchcase(name, one) for one in patterns)]
    if not found:
        there = ", ".join(sorted(sizes)[:20])
        raise EngineError("No files match the pattern.", f"Files: {there}", "Check --include.")
    return found


def _refuse_other_formats(names: Collection[str]) -> None:
    others = [name for name in names if name.lower().endswith(_OTHER_WEIGHTS)]
    others = [name for name in others if not name.endswith("training_args.bin")]
    if others:
        raise EngineError(
            "The repository has no safetensors weights; other formats are not supported.",
            f"Its weights: {', '.join(sorted(others)[:5])}",
            "Choose a revision or another repository with safetensors; "
            f"--include '{sorted(others)[0]}' downloads these anyway.",
        )
