"""The tensors of a model folder or a GGUF file by the names that transformers has for them, read
one at a time.

Of GGUF the name mapping and the way back from llama.cpp's layouts (permuted heads, norms with one
added) are transformers' own, `modeling_gguf_pytorch_utils`; block types are undone by the `gguf`
package. Owns no judgement of the values.
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

from engine.errors import EngineError

COMPUTED = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
"""Of GGUF: no weights, but factors of RoPE, which transformers takes from the config."""


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


def gguf_tensors(file: Path, model: Any) -> StoredTensors:
    """Those of a GGUF file, under the names of `model`, a transformers model of its architecture
    whose values are not looked at. Raises EngineError."""
    try:
        from gguf import GGUFReader, dequantize
        from transformers.modeling_gguf_pytorch_utils import (
            TENSOR_PROCESSORS,
            TensorProcessor,
            get_gguf_hf_weights_map,
        )

        reader: Any = GGUFReader(str(file))
        field = reader.fields["general.architecture"]
        architecture = bytes(field.parts[field.data[0]]).decode()
        config = model.config.get_text_config()
        heads = {
            "num_attention_heads": config.num_attention_heads,
            "num_key_value_heads": getattr(config, "num_key_value_heads", None),
        }
        # transformers' table lacks Gemma 1, whose norms are stored as those of its successors.
        kind = "gemma2" if architecture == "gemma" else architecture
        make: Any = TENSOR_PROCESSORS.get(kind, TensorProcessor)
        processor = make(config=heads)
        mapping: Any = get_gguf_hf_weights_map(model, processor, model_type=architecture)
    except (OSError, ValueError, KeyError, IndexError, NotImplementedError) as error:
        raise EngineError("The GGUF file cannot be read.", f"{file}: {error}") from error

    def read_one(tensor: Any) -> Callable[[], Tensor]:
        def read() -> Tensor:
            values = dequantize(tensor.data, tensor.tensor_type)
            result = processor.process(weights=values, name=tensor.name)
            return torch.from_numpy(np.ascontiguousarray(result.weights))

        return read

    found: dict[str, StoredTensor] = {}
    unknown = []
    for tensor in reader.tensors:
        if (name := mapping.get(tensor.name)) is None:
            unknown += [tensor.name] if tensor.name not in COMPUTED else []
            continue
        kind = _GGUF_KINDS.get(tensor.tensor_type.name, tensor.tensor_type.name.lower())
        shape = tuple(int(one) for one in reversed(tensor.shape))
        found[name] = StoredTensor(kind, shape, read_one(tensor))
    return StoredTensors(found, tuple(unknown))


_GGUF_KINDS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
