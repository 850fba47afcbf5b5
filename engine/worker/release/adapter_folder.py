"""The adapter of an export: PEFT's two files, for the model that all training began with."""

from collections.abc import Callable
from pathlib import Path

from engine.errors import EngineError
from engine.release.source import ExportSource

Say = Callable[[str], None]


def write_adapter(source: ExportSource, folder: Path, say: Say, base_name: str = "") -> None:
    """Write `adapter_config.json` and `adapter_model.safetensors` into `folder`, made here.

    `base_name` is the hub id of the source's root, empty where nobody knows one. Raises EngineError
    where no single adapter on the root is the same model.
    """
    raise EngineError("Not written yet.")
