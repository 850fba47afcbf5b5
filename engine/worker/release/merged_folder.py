"""The whole model of an export: its base with the adapter merged in, in safetensors."""

from collections.abc import Callable
from pathlib import Path

import torch

from engine.errors import EngineError
from engine.release.source import ExportSource

Tick = Callable[[int, int], None]
"""Bytes of weights that are written, and of all."""
SHARD_BYTES = 5_000_000_000
"""Of one file, as the Hub advises."""


def write_merged(
    source: ExportSource, folder: Path, dtype: torch.dtype | None, shard_bytes: int, tick: Tick
) -> torch.dtype:
    """Write `config.json` and the weights into `folder`, made here, and return their type.

    `dtype` None is the type that the base is stored in. Raises EngineError.
    """
    raise EngineError("Not written yet.")
