"""4-bit weights on a CPU are what their codes say, or the model is refused.

bitsandbytes 0.50.2 on a CPU with AVX512 lets the scale of a row's first block run on into the next
rows wherever the row length is a multiple of 16 but not of the block size: a layer of 96 columns
answers and trains with weights that are 16 to 26 % off, where the codes themselves are 9 % off.
"""

import math
import warnings
from typing import Any

import torch

from engine.errors import EngineError

OPERATOR = "dequantize_4bit"
SAMPLE_ROWS = 5
"""Rows of the sample matrix: more than one, since the fault shows from the second on."""
TOLERANCE = 0.01
"""Of the largest weight: rounding to bfloat16 is 0.004 of it, a wrong block 0.2 and more."""

_corrections: list[Any] = []
"""Holds the corrected kernel: torch drops it again with its library."""


def ensure_exact(model: Any) -> None:
    """Have the 4-bit layers of `model` that are on a CPU dequantised as their codes say.

    Tries each kind of layer that there is on a small matrix; where the library is wrong, its
    kernel is corrected for this process. Raises EngineError where that is not possible.
    """
    layouts = {layout for one in model.modules() if (layout := _layout_of(one)) is not None}
    wrong = [layout for layout in sorted(layouts, key=str) if not is_exact(*layout)]
    if not wrong:
        return
    if not _corrections:
        _correct_kernel()
    still = [layout for layout in wrong if not is_exact(*layout)]
    if still:
        columns, block, kind, _ = still[0]
        raise EngineError(
            "bitsandbytes dequantises 4-bit weights wrongly on this processor.",
            f"layers with rows of {columns} values, {kind} in blocks of {block}",
            "Update torch to 2.9 or later, or set method.quantize = 8bit or none.",
        )


def is_exact(columns: int, block: int, kind: str, dtype: torch.dtype) -> bool:
    """Whether the library's dequantisation of a sample with rows of `columns` equals ours."""
    from bitsandbytes import functional

    generator = torch.Generator().manual_seed(columns)
    sample = torch.randn(SAMPLE_ROWS, columns, generator=generator).to(dtype)
    codes, state = functional.quantize_4bit(sample, blocksize=block, quant_type=kind)
    weights = functional.dequantize_4bit(codes, state).float()
    right = decode(codes, state.absmax, block, kind, sample.shape, torch.float32)
    return bool((weights - right).abs().max() <= TOLERANCE * right.abs().max())


def decode(
    codes: torch.Tensor,
    scales: torch.Tensor,
    block: int,
    kind: str,
    shape: torch.Size,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Weights from 4-bit codes, by the definition: value of the code times scale of its block.

    `codes` holds two a byte, the first in the upper half; `scales` one float for each `block`
    values of the matrix written as one row (Dettmers et al. 2023, QLoRA, section 3).
    """
    from bitsandbytes import functional

    library: Any = functional
    table: torch.Tensor = library.get_4bit_type(kind, device="cpu").to(torch.float32)
    packed = codes.view(torch.uint8).reshape(-1)
    halves = torch.stack((packed >> 4, packed & 0xF), dim=1).reshape(-1)[: math.prod(shape)]
    blocks = torch.arange(halves.numel()) // block
    return (table[halves.long()] * scales.float()[blocks]).reshape(shape).to(dtype)


def _layout_of(module: Any) -> tuple[int, int, str, torch.dtype] | None:
    """Row length, block size, kind and number format of a 4-bit layer on a CPU."""
    weight = getattr(module, "weight", None)
    state: Any = getattr(weight, "quant_state", None)
    if weight is None or weight.device.type != "cpu" or not hasattr(state, "quant_type"):
        return None
    return (int(state.shape[-1]), int(state.blocksize), str(state.quant_type), state.dtype)


def _correct_kernel() -> None:
    """Put in front of the library's kernel one that hands it rows of exactly one block each.

    Blocks run through the matrix as if it were one row, so its values are the same in any shape.
    torch before 2.9 cannot hand out the kernel that it replaces: there, nothing is changed.
    """
    get_kernel: Any = getattr(torch.library, "get_kernel", None)
    if get_kernel is None:
        return
    kernel = get_kernel(f"bitsandbytes::{OPERATOR}", "CPU")

    def dequantize(
        keys: Any,
        codes: torch.Tensor,
        scales: torch.Tensor,
        block: int,
        kind: str,
        shape: list[int],
        dtype: torch.dtype,
    ) -> torch.Tensor:
        if shape[-1] % block == 0:
            return kernel.call_boxed(keys, codes, scales, block, kind, shape, dtype)  # type: ignore[no-any-return]
        packed = codes.view(torch.uint8).reshape(-1)
        whole, rest = divmod(math.prod(shape), block)
        parts = []
        if whole:
            body = packed[: whole * block // 2]
            sizes = [whole, block]
            parts.append(
                kernel.call_boxed(keys, body, scales[:whole], block, kind, sizes, dtype).reshape(-1)
            )
        if rest:
            tail = packed[whole * block // 2 :]
            parts.append(decode(tail, scales[whole:], block, kind, torch.Size([rest]), dtype))
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).reshape(shape)

    make: Any = torch.library.Library
    library = make("bitsandbytes", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it replaces a kernel is what is wanted
        library.impl(OPERATOR, dequantize, "CPU", with_keyset=True)
    _corrections.append(library)
