"""The bytes of one tensor in a GGUF type. Refuses what a type cannot hold.

Owns the choice of type too: norms and vectors stay float32, as llama.cpp has them.
"""

from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as GgmlType

from engine.errors import EngineError
from engine.text import one_line
from engine.worker.release.gguf.families import TensorPlan

_BLOCK = 32
"""Weights of a row that share a scale in q8_0."""
_PIECE = 1 << 22
"""Weights that are quantised together: what they take in float32 besides their tensor."""
_GGML = {
    "f32": GgmlType.F32,
    "f16": GgmlType.F16,
    "bf16": GgmlType.BF16,
    "q8_0": GgmlType.Q8_0,
}
FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}


def choose_type(name: str, shape: tuple[int, ...], quantization: str) -> GgmlType:
    """The type of a tensor in a file of `quantization`, one of `FILE_TYPES`."""
    if len(shape) <= 1 or name.endswith("_norm.weight"):
        return GgmlType.F32
    if quantization == "q8_0" and shape[-1] % _BLOCK:
        return GgmlType.F16
    return _GGML[quantization]


def count_bytes(shape: tuple[int, ...], kind: GgmlType) -> int:
    block, size = gguf.GGML_QUANT_SIZES[kind]
    return int(np.prod(shape, dtype=np.int64)) // block * size


def encode(tensor: torch.Tensor, plan: TensorPlan, kind: GgmlType) -> np.ndarray[Any, Any]:
    """The tensor as it stands in the file. Raises EngineError."""
    if plan.heads:
        tensor = _permute(tensor, plan.heads)
    if plan.offset:
        tensor = tensor.float() + plan.offset
    if kind == GgmlType.Q8_0:
        return _quantize(tensor)
    dtype = {GgmlType.F32: torch.float32, GgmlType.F16: torch.float16}.get(kind, torch.bfloat16)
    narrowed = tensor.to(dtype).contiguous()
    if narrowed.dtype != tensor.dtype and kind == GgmlType.F16:
        overflowing = int((narrowed.isinf() & ~tensor.isinf()).sum())
        if overflowing:
            raise EngineError(
                f"{overflowing} weights of {one_line(plan.source)} are too large for float16.",
                f"The largest is {tensor.abs().max().item():g}, float16 ends at 65504.",
                "Export gguf:bf16 or gguf:f32 instead.",
            )
    array: np.ndarray[Any, Any] = narrowed.view(torch.uint8).numpy()
    return array


def _permute(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """The two halves of each head, row by row in turn. Shape (heads * size, ...)."""
    rows, *rest = tensor.shape
    halves = tensor.reshape(heads, 2, rows // heads // 2, *rest)
    return halves.transpose(1, 2).reshape(tensor.shape)


def _quantize(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """Rows of q8_0 blocks, as bytes; some rows at a time."""
    rows, columns = tensor.shape
    taken = max(1, _PIECE // columns)
    _, size = gguf.GGML_QUANT_SIZES[GgmlType.Q8_0]
    encoded = np.empty((rows, columns // _BLOCK * size), np.uint8)
    for start in range(0, rows, taken):
        piece = tensor[start : start + taken].float().numpy()
        encoded[start : start + taken] = gguf.quants.quantize(piece, GgmlType.Q8_0)
    return encoded
