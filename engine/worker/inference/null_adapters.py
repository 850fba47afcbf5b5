"""Null adapters: a random change of the shapes and norms of an adapter's own, in its place.

What they score says how much any change of that size costs. Of each layer the product B·A, which is
what LoRA adds but for its scaling, is replaced by that of a random B and A of the same rank, scaled
so that the product has the same Frobenius norm; how the norm is spread over its directions is not
kept. Whatever else an adapter trained (the magnitudes of DoRA, the bias of B, whole modules) gets,
tensor by tensor, a random difference of the norm of its own. A function of the seed and of the
layer's name alone, drawn on the CPU. Owns no adapter on disk, and never writes one: the weights are
those of a copy that `engine.worker.inference.models` has attached.
"""

import hashlib
import math
from typing import Any

import torch
from torch import Tensor

from engine.errors import EngineError


def randomize_adapter(model: Any, adapter: str, seed: int) -> None:
    """Replace what the adapter of that name changes. Raises EngineError, half-way, where a tensor
    is not finite or of a kind that has no such replacement."""
    from peft.tuners.lora import LoraLayer
    from peft.utils import ModulesToSaveWrapper

    with torch.no_grad():
        for name, module in model.named_modules():
            draw = _Draw(seed, name)
            if isinstance(module, LoraLayer) and adapter in module.scaling:
                _replace_product(module, adapter, draw)
            elif isinstance(module, ModulesToSaveWrapper) and adapter in module.modules_to_save:
                before = dict(module.original_module.named_parameters())
                for key, tuned in module.modules_to_save[adapter].named_parameters():
                    _replace_difference(tuned, before[key], draw)


class _Draw:
    """Normal values of one module, float32 on the CPU."""

    def __init__(self, seed: int, name: str) -> None:
        self.name = name
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        self._generator = torch.Generator().manual_seed(int.from_bytes(digest[:7]))

    def like(self, tensor: Tensor) -> Tensor:
        return torch.randn(tensor.shape, generator=self._generator)


def _replace_product(module: Any, adapter: str, draw: _Draw) -> None:
    if adapter in module.lora_embedding_A:
        first, second = module.lora_embedding_A[adapter], module.lora_embedding_B[adapter]
    else:
        first, second = module.lora_A[adapter].weight, module.lora_B[adapter].weight
    magnitude = module.lora_magnitude_vector
    is_dora = adapter in magnitude
    unknown = adapter in module.lora_variant and not is_dora
    if unknown or first.ndim != 2 or (is_dora and adapter in module.lora_embedding_A):
        raise EngineError(
            "No null adapter can be made of this adapter.",
            f"{draw.name}: LoRA of another kind than that of linear layers",
            "Leave the null adapters out.",
        )
    norm = _check(_norm_of_product(second, first), draw.name)
    drawn = draw.like(first), draw.like(second)
    factor = math.sqrt(norm / _norm_of_product(drawn[1], drawn[0]))
    first.copy_(drawn[0] * factor)
    second.copy_(drawn[1] * factor)
    bias = module.lora_B[adapter].bias if adapter in module.lora_B else None
    if bias is not None:
        _replace_difference(bias, torch.zeros_like(bias), draw)
    if is_dora:
        _replace_difference(magnitude[adapter].weight, _plain_magnitude(module), draw)
        magnitude[adapter].train()  # PEFT keeps what it computed of the weights until then
        magnitude[adapter].eval()


def _plain_magnitude(module: Any) -> Tensor:
    """What DoRA's magnitudes are before they are trained: the norm of each output's weights."""
    from peft.utils.integrations import dequantize_module_weight

    weight: Tensor = dequantize_module_weight(module.get_base_layer())
    norms: Tensor = torch.linalg.norm(weight.T if module.fan_in_fan_out else weight, dim=1)
    return norms


def _replace_difference(tuned: Tensor, before: Tensor, draw: _Draw) -> None:
    """A random difference from `before` of the same norm."""
    start = before.detach().float().cpu()
    norm = _check(_norm(tuned.detach().float().cpu() - start), draw.name)
    drawn = draw.like(tuned)
    tuned.copy_(start + drawn * (norm / _norm(drawn)))


def _norm_of_product(second: Tensor, first: Tensor) -> float:
    """‖B·A‖ by Frobenius, of (outputs, rank) and (rank, inputs), by their Gram matrices: the square
    is the trace of BᵀB·AAᵀ."""
    inner, outer = second.detach().double().cpu(), first.detach().double().cpu()
    square = float(((inner.T @ inner) * (outer @ outer.T)).sum())
    return math.nan if math.isnan(square) else math.sqrt(max(0.0, square))


def _norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor, dtype=torch.float64))


def _check(norm: float, name: str) -> float:
    if not math.isfinite(norm):
        raise EngineError(
            "No null adapter can be made of this adapter.", f"{name}: its weights are not finite"
        )
    return norm
