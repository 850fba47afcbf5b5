"""What one block of a decoder keeps for its backward pass, in bytes, by dimensions alone.

After Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models"
(arXiv 2205.05198), who count the tensors that each operation saves. Counted anew for gated MLPs,
grouped queries, fused attention, adapters, and mixed precision as torch does it: tests hold it
against what torch really saves.
"""

from dataclasses import dataclass

from engine.estimates.architectures import Linear, ModelDims
from engine.estimates.parameters import adapted
from engine.recipes.settings import Method


@dataclass(frozen=True, slots=True)
class Precision:
    """Bytes of a number."""

    weights: int
    """Of the base as it is held: 4 in full fine-tuning, which learns in float32."""
    compute: int
    """Of products; 2 is mixed precision, where the residual stream stays as the weights are."""


@dataclass(frozen=True, slots=True)
class Passes:
    """What goes through the model at once."""

    rows: int
    length: int
    """Tokens of a row, padding included."""
    padded: bool = True
    """Whether there is a mask, which a packed pass lacks."""

    @property
    def tokens(self) -> int:
        return self.rows * self.length


def block_bytes(
    dims: ModelDims, method: Method, precision: Precision, passes: Passes, device_kind: str
) -> int:
    """Bytes that one block keeps for its backward pass."""
    full = method.kind == "full"
    each = (
        _norms(dims, full, precision)
        + _attention(dims, precision, passes, device_kind)
        + _mlp(dims, precision)
        + _dropped(dims, precision, device_kind)
        + (
            _inputs(dims, precision)
            if full
            else _adapter_inputs(dims, method, precision, device_kind)
        )
    )
    return passes.tokens * each


def boundary_bytes(dims: ModelDims, precision: Precision, passes: Passes) -> int:
    """Bytes of a block's input: all that gradient checkpointing keeps of it."""
    return passes.tokens * dims.hidden * precision.weights


def _norms(dims: ModelDims, full: bool, precision: Precision) -> int:
    """A token's share: inputs of the norms, and where their weights are learned what they scale."""
    family, wide = dims.family, dims.hidden * 4
    if family.layer_norm:
        return family.streams * wide
    saved = family.streams * wide + (family.norms * wide if full else 0)
    if family.qk_norm:
        saved += (dims.queries + dims.keys) * (4 + (precision.compute if full else 0))
    return saved


def _attention(dims: ModelDims, precision: Precision, passes: Passes, device_kind: str) -> int:
    """Queries, keys and values (repeated for all heads), and the output. Fused kernels keep no
    scores (arXiv 2205.14135), only a number a head, and the mask."""
    family, size = dims.family, precision.compute
    saved = (6 if family.fused_qkv else 4) * dims.queries * size
    if family.eager:
        softmax = 4 if size < 4 else 0  # made in float32, and kept beside its cast
        return saved + (2 * size + softmax) * dims.heads * passes.length
    if dims.dropout and device_kind == "cpu":  # no kernel: scores, mask and product in float32
        return saved + 3 * dims.queries * (4 - size) + 3 * 4 * dims.heads * passes.length
    return saved + 4 * dims.heads + (passes.length * size if passes.padded else 0)


def _mlp(dims: ModelDims, precision: Precision) -> int:
    """All but the input of the last layer: gate, its activation and the other half, or one GELU."""
    family = dims.family
    tensors = 3 if family.gated else 1 if family.fused_gelu else 4
    return tensors * dims.intermediate * precision.compute


def _dropped(dims: ModelDims, precision: Precision, device_kind: str) -> int:
    """The masks of dropout in the residual stream, twice a block: a byte on GPUs."""
    if not dims.dropout:
        return 0
    return 2 * dims.hidden * (precision.compute if device_kind == "cpu" else 1)


def _inputs(dims: ModelDims, precision: Precision) -> int:
    """Full fine-tuning: what the linear layers read. What attention made is kept already, but for
    families that put it together anew."""
    size = precision.compute
    saved = dims.intermediate * size + (dims.queries * size if dims.family.rebuilt else 0)
    if size == precision.weights:
        return saved + dims.family.norm_readers * dims.hidden * size
    # Mixed: each layer casts the float32 output of its norm for itself.
    return saved + sum(one.inputs for one in dims.linears if one.source == "norm") * size


def _adapter_inputs(dims: ModelDims, method: Method, precision: Precision, device_kind: str) -> int:
    """LoRA: what the adapters read, and the few numbers between their halves."""
    size, adapters = precision.compute, adapted(dims, method.target_modules)
    saved = len(adapters) * method.rank * size
    if method.variant == "dora":  # the layer's result and the adapter's, to learn magnitudes
        saved += 2 * sum(one.outputs for one in adapters) * size
    if method.dropout > 0:
        mask = 4 if device_kind == "cpu" else 1
        return saved + sum(one.inputs for one in adapters) * (size + mask)
    if size < 4:  # adapters are float32: each casts its input for itself
        return saved + sum(one.inputs for one in adapters) * size
    sources = {one.source for one in adapters}
    groups = {_half(one) for one in adapters if one.source == "norm"}
    saved += min(len(groups), dims.family.norm_readers) * dims.hidden * size
    saved += dims.intermediate * size if "mlp" in sources else 0
    rebuilt = dims.family.rebuilt and "attention" in sources
    return saved + (dims.queries * size if rebuilt else 0)


def _half(one: Linear) -> str:
    """Whether a layer that reads a norm belongs to the attention or to the MLP."""
    return "mlp" if one.is_mlp else "attention"
