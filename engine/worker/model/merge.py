"""An adapter made a part of its base: in float32, never into weights that are quantised."""

import shutil
from pathlib import Path
from typing import Any

import torch

from engine import atomic
from engine.errors import EngineError
from engine.worker.model import models, quantize


def merge(base: Path, adapter: Path) -> Any:
    """The base with the adapter added to its weights: a plain model on the CPU, in float32.

    Raises EngineError where the adapter does not fit, the sum is not finite, or the base is stored
    quantised: the sum would be rounded to the few values that its weights can have.
    """
    model = models.load_base(base, torch.device("cpu"), torch.float32)
    if quantize.is_quantized(model):
        raise EngineError(
            "The adapter cannot be merged: its base is stored quantised.",
            str(base),
            "Go on with the adapter (model.adapter = continue), or merge on the whole base.",
        )
    attached = models.attach_adapter(model, adapter)
    try:
        merged = attached.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise EngineError("The adapter cannot be merged.", f"{adapter}: {error}") from error
    return merged.eval()


def save_merged(base: Path, adapter: Path, tokenizer: Any, folder: Path) -> None:
    """`merge`, saved as a checkpoint of its own, in the format that the base has on disk.

    What is there already is kept: it has its name only when it is whole.
    """
    if folder.is_dir():
        return
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    merged = merge(base, adapter).to(models.stored_dtype(base))
    merged.save_pretrained(str(aside))
    tokenizer.save_pretrained(str(aside))
    atomic.publish_directory(aside, folder)
