"""The files that hold a checkpoint's weights: which they are, and whether they are whole.

Only safetensors are read. Pickles run code when loaded: they are named and refused.
"""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from engine.checkpoints.config_json import read_json
from engine.checkpoints.safetensors_header import SafetensorsHeader, read_header
from engine.errors import EngineError

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_OTHERS = {".gguf": "GGUF", ".h5": "TensorFlow", ".msgpack": "Flax", ".onnx": "ONNX"}
_NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"})


class WeightsMissing(EngineError):
    """There are no weights."""


class PartsMissing(WeightsMissing):
    """A part of the weights is missing."""


def read_weights(folder: Path, names: Collection[str]) -> SafetensorsHeader:
    """The headers of all files together, in the order in which transformers looks for them.

    Raises WeightsMissing, or EngineError where they are there and cannot be used: pickles only, …
    """
    if _SINGLE in names:
        return read_header(folder / _SINGLE)
    if _INDEX in names:
        return _read_shards(folder, names)
    reason = explain_absence(names)
    if reason is None:
        raise WeightsMissing("no weights in the folder", str(folder))
    raise EngineError(reason, str(folder))


def is_weights(name: str) -> bool:
    """A file that only a checkpoint's folder has, by its name."""
    return name.startswith(("model", "pytorch_model", "adapter_model", "consolidated")) and (
        name.endswith((".safetensors", ".safetensors.index.json", *_PICKLES))
    )


def explain_absence(names: Collection[str]) -> str | None:
    """The unusable weights that are there; None where there are none at all."""
    parts = sorted(name for name in names if name.endswith(".safetensors"))
    if parts and any("-of-" in name for name in parts):
        return f"{_INDEX} is missing, so the shards cannot be assigned"
    if parts:
        return f"no {_SINGLE}: {parts[0]} is not a recognized name"
    pickles = sorted(n for n in names if n.endswith(_PICKLES) and n not in _NOT_WEIGHTS)
    if pickles:
        return explain_pickle(pickles[0])
    for suffix, what in _OTHERS.items():
        if any(name.endswith(suffix) for name in names):
            return f"no safetensors: its weights are {what}"
    return None


def explain_pickle(name: str) -> str:
    return f"pickle only ({name}): loading it can run code; convert it to safetensors"


def _read_shards(folder: Path, names: Collection[str]) -> SafetensorsHeader:
    table = read_json(folder / _INDEX).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise EngineError(f"{_INDEX} lists no weights", str(folder))
    if not all(isinstance(part, str) for part in table.values()):
        raise EngineError(f"{_INDEX} lists a shard that is not a file name", str(folder))
    wanted: Counter[str] = Counter(table.values())
    missing = sorted(part for part in wanted if part not in names)
    if missing:
        title = f"{len(missing)} of {len(wanted)} weight shards missing: {missing[0]}"
        raise PartsMissing(title, str(folder))
    elements: Counter[str] = Counter()
    for part, tensors in sorted(wanted.items()):
        header = read_header(folder / part)
        if header.tensors < tensors:
            raise EngineError(f"{part} lacks tensors that {_INDEX} lists", str(folder))
        elements.update(header.elements)
    return SafetensorsHeader(len(table), sum(elements.values()), elements)
