"""The tensors of a model folder or a GGUF file by the names that transformers has for them, read
one at a time.

Of GGUF the name mapping and the way back from llama.cpp's layouts (permuted heads, norms with one
added) are transformers' own, `modeling_gguf_pytorch_utils`, so that nothing here shares an error
with what writes such files; block types are undone by the `gguf` package. Owns no judgement of the
values.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.checkpoints.gguf_config import LONG_FACTORS, ROPE_FACTORS, SHORT_FACTORS
from engine.checkpoints.gguf_header import GgufHeader, GgufTensor
from engine.errors import EngineError

COMPUTED = (ROPE_FACTORS, LONG_FACTORS, SHORT_FACTORS)
"""Of GGUF: no weights, but factors of RoPE, which transformers takes from the config."""
OFFSET_NORMS = "gemma2"
"""The family by whose rule norms of Gemma 1, which transformers' table lacks, are read."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor on disk."""

    kind: str
    """How it is stored: "float32", "bfloat16", "float16", or a GGUF type as in "q8_0"."""
    shape: tuple[int, ...]
    read: Callable[[], Tensor]
    """Its values: as they are stored, or float32 of a GGUF file."""


@dataclass(frozen=True, slots=True)
class StoredTensors:
    tensors: dict[str, StoredTensor]
    unknown: tuple[str, ...] = ()
    """Stored under names that the model has no place for."""


def folder_tensors(folder: Path, single: str = "model.safetensors") -> StoredTensors:
    """Those of a folder, in one file or shards by an index. Raises EngineError."""
    index = folder / f"{single}.index.json"
    try:
        if (folder / single).is_file():
            files = [folder / single]
        else:
            table = json.loads(index.read_bytes())["weight_map"]
            files = sorted({folder / name for name in table.values()})
        found: dict[str, StoredTensor] = {}
        for path in files:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (no mapping)
                    part = file.get_slice(name)
                    kind = _KINDS.get(part.get_dtype(), part.get_dtype().lower())
                    found[name] = StoredTensor(kind, tuple(part.get_shape()), _reader(path, name))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise EngineError("The weights cannot be read.", f"{folder}: {error}") from error
    return StoredTensors(found)


_KINDS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def _reader(path: Path, name: str) -> Callable[[], Tensor]:
    def read() -> Tensor:
        with safe_open(path, framework="pt") as file:
            tensor: Tensor = file.get_tensor(name)
            return tensor

    return read


def gguf_tensors(header: GgufHeader, model: Any) -> StoredTensors:
    """Those of a GGUF file, under the names of `model`, a transformers model of its architecture
    whose values are not looked at: it may lie on the meta device.

    Reading one raises ValueError or NotImplementedError where its block type is not known. Raises
    EngineError where the architecture is not.
    """
    from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor

    architecture = header.text("general.architecture")
    config = model.config.get_text_config()
    heads = {
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": getattr(config, "num_key_value_heads", None),
    }
    kind = OFFSET_NORMS if architecture == "gemma" else architecture
    make: Any = TENSOR_PROCESSORS.get(kind, TensorProcessor)
    processor = make(config=config.to_dict() | heads)
    stored = [tensor for tensor in header.tensors if tensor.name not in COMPUTED]
    try:
        names = _name_tensors(architecture, config.num_hidden_layers, model)
        if any(tensor.name not in names for tensor in stored):
            names = _name_by_module(architecture, processor, model)
        content = np.asarray(np.memmap(header.path, mode="r", dtype=np.uint8))
    except (OSError, ValueError, KeyError, IndexError, NotImplementedError) as error:
        raise EngineError("The GGUF file cannot be read.", f"{header.path}: {error}") from error

    def read_one(tensor: GgufTensor) -> Callable[[], Tensor]:
        def read() -> Tensor:
            values = dequantize_tensor(tensor, content)
            result = processor.process(weights=values, name=tensor.name)
            return torch.from_numpy(np.require(result.weights, requirements=["C", "W"]))

        return read

    tensors: dict[str, StoredTensor] = {}
    unknown = []
    for tensor in stored:
        if (name := names.get(tensor.name)) is None:
            unknown.append(tensor.name)
            continue
        kind = _GGUF_KINDS.get(tensor.type_name, tensor.type_name)
        tensors[name] = StoredTensor(kind, tensor.shape, read_one(tensor))
    return StoredTensors(tensors, tuple(unknown))


def dequantize_tensor(tensor: GgufTensor, content: Any) -> Any:
    """The values of a tensor, float32 of its shape; `content`: all bytes of the file."""
    from gguf import GGMLQuantizationType, dequantize

    data = content[tensor.start : tensor.start + tensor.size]
    rows = data.reshape(*tensor.shape[:-1], -1)
    return dequantize(rows, GGMLQuantizationType(tensor.kind)).reshape(tensor.shape)


def _name_tensors(architecture: str, layers: int, model: Any) -> dict[str, str]:
    """What each weight of the model is called in a file, and there in the model, by the table that
    transformers' loader asks, whole names alone."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    kinds = [kind for kind, name in MODEL_ARCH_NAMES.items() if name == architecture]
    if not kinds:
        return {}
    table = get_tensor_name_map(kinds[0], layers)
    names: dict[str, str] = {}
    for name in model.state_dict():
        stem, dot, suffix = name.rpartition(".")
        if (stored := table.get_name(stem)) is not None:
            names[f"{stored}{dot}{suffix}"] = name
    return names


def _name_by_module(architecture: str, processor: Any, model: Any) -> dict[str, str]:
    """The same by transformers' own search, which asks again for the names in every module: that
    takes seconds, and of the families that `gguf_config` maps it finds nothing more."""
    from transformers.modeling_gguf_pytorch_utils import get_gguf_hf_weights_map

    names: dict[str, str] = get_gguf_hf_weights_map(model, processor, model_type=architecture)
    return names


_GGUF_KINDS = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
