"""Whether a GGUF file says of its model what config.json demands."""

from pathlib import Path

from engine.release.proof import Check


def check_metadata(checkpoint: Path, file: Path) -> Check:
    """Keys with their values, tensors with their shapes and types. Raises EngineError where
    the file cannot be read."""
    raise NotImplementedError
