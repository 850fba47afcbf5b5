"""The whole model of an export: its base with the adapter merged in, in safetensors.

Refuses methods that have no merging, and weights that are stored in 4 or 8 bits.
"""

from pathlib import Path

import torch

from engine.release.source import ExportSource
from engine.worker.model.malloc import fix_large_blocks
from engine.worker.model.merging import load_whole, merge, own_dtype
from engine.worker.model.weight_writer import SHARD_BYTES, Tick, write_model
from engine.worker.release.writing.folders import made_whole

__all__ = ["SHARD_BYTES", "Tick", "write_merged"]

_WAY_OUT = "Export the adapter as it is (--as adapter)."
_WHOLE_WAY_OUT = "Export the model that it was quantised from."


def write_merged(
    source: ExportSource, folder: Path, dtype: torch.dtype | None, shard_bytes: int, tick: Tick
) -> torch.dtype:
    """Write `config.json` and the weights into `folder`, made here, and return their type.

    `dtype` None is the type that the base is stored in. `tick` is called with the bytes that are
    written and those of all; what it raises ends the writing, and leaves nothing. A model that was
    trained whole is written the same way. Raises EngineError, and FileExistsError for a folder that
    is not empty.
    """
    fix_large_blocks()
    shipped = dtype or own_dtype(source.base)
    if source.adapter is None:
        model = load_whole(source.base, _WHOLE_WAY_OUT)
    else:
        model = merge(source.base, source.adapter, shipped, _WAY_OUT)
    with made_whole(folder) as aside:
        write_model(model, aside, shipped, shard_bytes, tick)
    return shipped
