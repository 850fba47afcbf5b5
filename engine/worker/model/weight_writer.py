"""A model on disk as the Hub has it: `config.json`, and its weights in safetensors.

Written value by value from where they lie: transformers would hold a second copy of a file that it
writes in another type, and cannot be stopped in between. Refuses values that are not finite.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from engine import atomic
from engine.worker.model.malloc import page_out
from engine.worker.model.merging import round_weight

Tick = Callable[[int, int], None]
"""Bytes of weights that are written, and of all. What it raises ends the writing."""
SHARD_BYTES = 5_000_000_000
"""Of one file, as the Hub advises."""
_PIECE = 1 << 20
"""Values that are rounded and written at a time."""
_NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""As the format calls them: https://github.com/huggingface/safetensors#format."""
_LEFT_OUT = ("_name_or_path", "_model_name_or_path", "_commit_hash", "auto_map", "custom_pipelines")
"""What says where a model lay, and what asks for code that is not written with it."""


def write_model(model: Any, folder: Path, dtype: torch.dtype, shard_bytes: int, tick: Tick) -> None:
    """Write a plain model into `folder`, which is there, its floating point weights in `dtype`.

    Above `shard_bytes` there are several files and an index. Raises EngineError with the name of
    a weight that is not finite in `dtype`.
    """
    from huggingface_hub import split_state_dict_into_shards_factory

    tensors = _collect(model)
    types = {name: dtype if one.is_floating_point() else one.dtype for name, one in tensors.items()}
    sizes = {name: one.numel() * types[name].itemsize for name, one in tensors.items()}
    split = split_state_dict_into_shards_factory(
        sizes,
        get_storage_size=lambda size: size,
        get_storage_id=lambda size: None,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=shard_bytes,
    )
    total, done = sum(sizes.values()), 0

    def written(size: int) -> None:
        nonlocal done
        done += size
        tick(done, total)

    tick(0, total)
    for file, names in split.filename_to_tensors.items():
        _write_file(folder / file, {name: (tensors[name], types[name]) for name in names}, written)
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        atomic.write_json(folder / "model.safetensors.index.json", index)
    atomic.write_json(folder / "config.json", _describe(model, dtype))


def _collect(model: Any) -> dict[str, torch.Tensor]:
    """The tensors that are stored, by the names that they have in the family's checkpoints."""
    from transformers.core_model_loading import revert_weight_conversion

    ignored = set(model._keys_to_ignore_on_save or ())
    seen: set[tuple[int, torch.Size]] = set()
    own: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        key = (tensor.data_ptr(), tensor.shape)
        if name in ignored or (tensor.numel() and key in seen):
            continue  # a tied weight is stored once, under its first name
        seen.add(key)
        own[name] = tensor
    return dict(revert_weight_conversion(model, own))


def _write_file(
    path: Path,
    tensors: dict[str, tuple[torch.Tensor, torch.dtype]],
    written: Callable[[int], None],
) -> None:
    order = sorted(tensors, key=lambda name: -tensors[name][1].itemsize)  # aligned by their size
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name in order:
        tensor, dtype = tensors[name]
        end = at + tensor.numel() * dtype.itemsize
        header[name] = {
            "dtype": _NAMES[dtype], "shape": list(tensor.shape), "data_offsets": [at, end]
        }  # fmt: skip
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            for piece in _pieces(*tensors[name], name):
                file.write(piece.view(torch.uint8).numpy().data)
                written(piece.nbytes)


def _pieces(tensor: torch.Tensor, dtype: torch.dtype, name: str) -> Iterable[torch.Tensor]:
    flat = tensor.detach().contiguous().reshape(-1)
    for start in range(0, flat.numel(), _PIECE):
        piece = flat[start : start + _PIECE]
        yield round_weight(piece, dtype, name) if dtype.is_floating_point else piece
    page_out(flat)


def _describe(model: Any, dtype: torch.dtype) -> dict[str, Any]:
    """The content of `config.json`."""
    body: dict[str, Any] = json.loads(model.config.to_json_string())
    for table in (body, body.get("text_config")):
        if isinstance(table, dict):
            for name in _LEFT_OUT:
                table.pop(name, None)
            if table is body or "dtype" in table:
                table["dtype"] = str(dtype).removeprefix("torch.")
    return body | {"architectures": [type(model).__name__]}
