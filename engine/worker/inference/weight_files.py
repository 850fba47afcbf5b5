"""Weights on disk and in memory: when they were written, how large they are, how they come off."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from engine.checkpoints.gguf_header import is_gguf, read_gguf_header
from engine.compare.arm_weights import ArmWeights
from engine.worker.model import loading
from engine.worker.model.gguf_model import load_gguf, load_gguf_tokenizer


@dataclass(frozen=True, slots=True)
class Stamped:
    """Weights in a directory that may be written anew under the same name."""

    path: Path
    written: int
    """Nanoseconds, of the newest file."""


def stamped(path: Path) -> Stamped:
    """The weights in a directory, or in a GGUF file, as they are now."""
    files = [path] if is_gguf(path) else path.glob("*.safetensors")
    times = [file.stat().st_mtime_ns for file in files]
    return Stamped(path, max(times, default=0))


def identify_weights(weights: ArmWeights) -> list[list[object]]:
    """What an arm's weights are known again by, as JSON knows it: where they lie, and when they
    were written."""
    stamps = [stamped(path) for path in (weights.base, weights.adapter) if path is not None]
    return [[str(stamp.path), stamp.written] for stamp in stamps]


def load_weights(path: Path, device: torch.device) -> Any:
    """A model to answer with, of a folder or a GGUF file. Raises EngineError."""
    dtype = loading.pick_dtype(device, "infer")
    load = load_gguf if is_gguf(path) else loading.load_base
    return load(path, device, dtype)


def load_tokenizer(path: Path) -> Any:
    """The tokenizer of a folder or a GGUF file. Raises EngineError."""
    return load_gguf_tokenizer(path) if is_gguf(path) else loading.load_tokenizer(path)


def detach(model: Any, name: str) -> None:
    """Take away what is left of an adapter that did not fit, so that the base is the base again.

    PEFT puts its layers into the model before it finds out; without this they would go on speaking.
    """
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import AuxiliaryTrainingWrapper

    if isinstance(model, PeftModel):  # others are on it, and it alone goes
        if name in model.peft_config:
            model.delete_adapter(name)
        for module in model.modules():  # where PEFT failed half-way, it knows nothing of its layers
            if isinstance(module, BaseTunerLayer):
                module.delete_adapter(name)
        return
    for parent in list(model.modules()):
        for child, module in list(parent.named_children()):
            if isinstance(module, BaseTunerLayer):
                setattr(parent, child, module.get_base_layer())
            elif isinstance(module, AuxiliaryTrainingWrapper):
                setattr(parent, child, module.original_module)
    if hasattr(model, "peft_config"):
        del model.peft_config


def free_on(device: torch.device) -> int:
    """Bytes of memory that nobody uses now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def size_on_device(path: Path, device: torch.device) -> int:
    """Bytes that the weights will take, from the files' sizes and the number format on disk; of a
    GGUF file from its tensors, each of which is dequantised."""
    if is_gguf(path):
        return read_gguf_header(path).parameters * loading.pick_dtype(device, "infer").itemsize
    stored = sum(file.stat().st_size for file in path.glob("*.safetensors"))
    try:
        config = json.loads((path / "config.json").read_bytes())
    except (OSError, ValueError):
        return stored
    name = config.get("dtype") or config.get("torch_dtype") or "float32"
    on_disk = {"float32": 4, "float64": 8}.get(name, 2)
    return stored * loading.pick_dtype(device, "infer").itemsize // on_disk
