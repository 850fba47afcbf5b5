"""Checkpoints made by hand: real headers and configs, zeros for weights."""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 548105171\n"
)
HTML_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n"

Tensors = Mapping[str, tuple[str, list[int]]]
TENSORS: Tensors = {
    "model.embed_tokens.weight": ("F16", [10, 4]),
    "model.norm.weight": ("F32", [4]),
}
LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "max_position_embeddings": 512,
    "vocab_size": 10,
}
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "U8": 1, "I8": 1}


def pack(tensors: Tensors) -> bytes:
    """A whole safetensors file."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + math.prod(shape) * _BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def make_model(folder: Path, *, weights: bytes | None = None, **config: Any) -> Path:
    """A usable Llama; settings given replace the config's, `weights` the file's content."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**LLAMA, **config}))
    (folder / "model.safetensors").write_bytes(pack(TENSORS) if weights is None else weights)
    (folder / "tokenizer.json").write_text('{"model": {}}')
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    return folder


def make_adapter(folder: Path, base: str | None, **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table = {"base_model_name_or_path": base, "peft_type": "LORA", "r": 8, **config}
    (folder / "adapter_config.json").write_text(json.dumps(table))
    weights = {"base.q_proj.lora_A.weight": ("F32", [8, 4])}
    (folder / "adapter_model.safetensors").write_bytes(pack(weights))
    return folder


def make_repository(cache: Path, name: str, commits: Mapping[str, bool], main: str) -> Path:
    """A model in the hub's cache: each commit whole (True), or its config alone."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(main)
    (repository / "blobs").mkdir()
    for commit, whole in commits.items():
        made = make_model(repository / "made" / commit)
        snapshot = repository / "snapshots" / commit
        snapshot.mkdir(parents=True)
        for file in made.iterdir():
            blob = repository / "blobs" / f"{commit}-{file.name}"
            if whole or file.name == "config.json":
                file.rename(blob)
                (snapshot / file.name).symlink_to(Path("..", "..", "blobs", blob.name))
    return repository


ANSWERING: Mapping[str, Any] = {
    "llama__block_count": 1,
    "llama__context_length": 512,
    "llama__embedding_length": 32,
    "llama__feed_forward_length": 64,
    "llama__attention__head_count": 4,
    "llama__attention__layer_norm_rms_epsilon": 1e-5,
    "tokenizer__ggml__model": "gpt2",
    "tokenizer__ggml__tokens": ["a", "b", "c", "d", "e", "f"],
    "tokenizer__chat_template": "{{ messages }}",
}
"""The keys of a GGUF file that is listed as usable."""


def make_gguf(path: Path, *, tensors: Mapping[str, Any] | None = None, **values: Any) -> Path:
    """A file of the package's own writer: texts, numbers and lists by key, `__` for a dot."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in values.items():
        name = key.replace("__", ".")
        if isinstance(value, str):
            writer.add_string(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        else:
            writer.add_array(name, value)
    default = {"token_embd.weight": np.ones((6, 32), dtype=np.float32)}
    for name, array in (default if tensors is None else tensors).items():
        kind = gguf.GGMLQuantizationType.Q8_0 if array.dtype == np.uint8 else None
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
