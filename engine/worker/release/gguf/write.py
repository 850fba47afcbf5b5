"""A GGUF file of a checkpoint. Owns the order of writing; which tensors and keys: `families`."""

from collections.abc import Callable, Sequence
from pathlib import Path


def write_gguf(
    checkpoint: Path,
    file: Path,
    quantization: str,
    ends: Sequence[int],
    tick: Callable[[int, int], None],
) -> None:
    """The file of a Hugging Face folder with safetensors.

    `quantization`: "" for the weights' own type, else as `Target.quantization`; `ends`: the ids of
    every token that ends an answer; `tick(done, total)`: bytes of weights. Raises EngineError.
    """
    raise NotImplementedError


def name_gguf(name: str, quantization: str, checkpoint: Path) -> str:
    """The file's name, as in "NAME-BF16.gguf"."""
    raise NotImplementedError
