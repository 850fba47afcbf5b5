"""The tokenizer, template and generation config of an export, as the run trained with them."""

from pathlib import Path

from engine.errors import EngineError
from engine.release.source import ExportSource


def write_tokenizer(source: ExportSource, folder: Path) -> tuple[int, ...]:
    """Write them into `folder`, which is there or made, and return every id that ends an answer,
    in order. Raises EngineError."""
    raise EngineError("Not written yet.")
