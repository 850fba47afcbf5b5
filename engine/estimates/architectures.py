"""The dimensions of a decoder by its `config.json`: its linear layers, norms and embeddings.

Knows how the common families are built; another family that names its sizes is read as if it were
Llama, and `known` is False. So is a mixture of experts, by what of it a token passes through.
Believes no type that is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Linear:
    """One linear layer of a block."""

    name: str
    inputs: int
    outputs: int
    bias: bool
    source: str
    """What it reads: `norm` (a norm's output), `attention` or `mlp` (what those made)."""

    @property
    def parameters(self) -> int:
        return self.inputs * self.outputs + (self.outputs if self.bias else 0)

    @property
    def is_mlp(self) -> bool:
        return self.name.startswith(("gate", "up", "down", "mlp", "fc", "c_fc", "dense_"))


@dataclass(frozen=True, slots=True)
class Family:
    """How transformers builds the blocks of a family, in what memory needs to know."""

    norms: int = 2
    """Norms over the hidden width in a block."""
    streams: int = 2
    """Tensors that those norms read: parallel attention and MLP share one."""
    norm_readers: int = 2
    """Norm outputs that linear layers read."""
    layer_norm: bool = False
    """LayerNorm, one kernel with a bias; else RMSNorm, computed in float32 step by step."""
    qk_norm: bool = False
    rebuilt: bool = False
    """Queries are put together from parts, so that attention's output is copied once more."""
    eager: bool = False
    """Attention without a fused kernel: a block keeps (heads, length, length) twice."""
    gated: bool = True
    fused_gelu: bool = True
    """Of an MLP without a gate: one kernel, or formula by formula (`gelu_new`)."""
    fused_qkv: bool = False
    """Values stay a view of one tensor with queries and keys."""
    tied: bool = False
    """The head is the embedding, where the config does not say."""
    head_bias: bool = False
    capped: bool = False
    """Logits go through tanh, which keeps them once more."""


FAMILIES: Mapping[str, Family] = {
    "llama": Family(),
    "mistral": Family(),
    "qwen2": Family(),
    "qwen3": Family(qk_norm=True),
    "gemma": Family(tied=True),
    "gemma2": Family(norms=4, streams=4, eager=True, tied=True, capped=True),
    "gemma3_text": Family(norms=4, streams=4, qk_norm=True, tied=True),
    "phi": Family(
        norms=1, streams=1, norm_readers=1, layer_norm=True, rebuilt=True, gated=False,
        fused_gelu=False, head_bias=True,
    ),
    "phi3": Family(rebuilt=True),
    "gpt2": Family(
        layer_norm=True, gated=False, fused_gelu=False, tied=True,
    ),
    "gpt_neox": Family(
        streams=1, layer_norm=True, rebuilt=True, gated=False, fused_qkv=True,
    ),
}  # fmt: skip
_BIASED = {"qwen2": (True, False), "phi": (True, True), "gpt2": (True, True)}
"""Whether queries, keys and values have a bias, and whether the output has, by family."""
_MIXTURES = ("num_local_experts", "num_experts", "n_routed_experts", "moe_intermediate_size")


@dataclass(frozen=True, slots=True)
class ModelDims:
    """All sizes are in elements."""

    name: str
    family: Family
    known: bool
    layers: int
    hidden: int
    heads: int
    head: int
    """Width of one head."""
    key_heads: int
    intermediate: int
    vocabulary: int
    positions: int
    """Rows of a learned table of positions; 0: there is none."""
    tied: bool
    dropout: bool
    """Whether training drops out of the residual stream and, in some families, attention."""
    linears: tuple[Linear, ...]
    """Of one block; the experts of a mixture are not among them."""
    mixture: bool = False
    """Whether `intermediate` is the width of all experts together that a token passes through, of
    many more: how many parameters there are, or get adapters, does not follow from these."""

    @property
    def queries(self) -> int:
        return self.heads * self.head

    @property
    def keys(self) -> int:
        return self.key_heads * self.head

    @property
    def linear_parameters(self) -> int:
        """Of all blocks."""
        return self.layers * sum(one.parameters for one in self.linears)

    @property
    def products(self) -> int:
        """Weights of all blocks that a token is multiplied by."""
        experts = 3 * self.hidden * self.intermediate if self.mixture else 0
        return self.linear_parameters + self.layers * experts

    @property
    def head_parameters(self) -> int:
        """Of the head as a product, whether it is the embedding or not."""
        return self.vocabulary * self.hidden


def read_dims(config: Mapping[str, Any]) -> ModelDims | None:
    """The dimensions; None where the config lacks a size."""
    inner = config.get("text_config")
    table: Mapping[str, Any] = {**config, **inner} if isinstance(inner, dict) else config
    name = str(table.get("model_type"))
    layers = _size(table, "num_hidden_layers", "n_layer")
    hidden = _size(table, "hidden_size", "n_embd")
    heads = _size(table, "num_attention_heads", "n_head")
    vocabulary = _size(table, "vocab_size")
    mixture = any(type(table.get(key)) is int and table[key] > 1 for key in _MIXTURES)
    if not (layers and hidden and heads and vocabulary):
        return None
    intermediate = _size(table, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden
    if mixture:
        intermediate = _experts(table, intermediate)
    family = FAMILIES.get(name, Family())
    head = _size(table, "head_dim") or (256 if name == "gemma" else hidden // heads)
    key_heads = _size(table, "num_key_value_heads") or heads
    tied = table.get("tie_word_embeddings")
    return ModelDims(
        name,
        family,
        name in FAMILIES and not mixture,
        layers,
        hidden,
        heads,
        head,
        key_heads,
        intermediate,
        vocabulary,
        _size(table, "n_positions") if name == "gpt2" else 0,
        tied if isinstance(tied, bool) else family.tied,
        _drops_out(table),
        tuple(
            one
            for one in _linears(name, table, hidden, intermediate, heads * head, key_heads * head)
            if not (mixture and one.is_mlp)
        ),
        mixture,
    )


def _experts(table: Mapping[str, Any], dense: int) -> int:
    """The width of the experts that a token passes through, those that all share with them."""
    each = _size(table, "moe_intermediate_size") or dense
    active = _size(table, "num_experts_per_tok", "moe_topk") or 1
    shared = _size(table, "n_shared_experts") * each
    return active * each + (shared or _size(table, "shared_expert_intermediate_size"))


def _linears(
    name: str, table: Mapping[str, Any], hidden: int, middle: int, queries: int, keys: int
) -> tuple[Linear, ...]:
    own = table.get("attention_bias") is True
    into, out = _BIASED.get(name, (own, own))
    if name == "gpt2":
        return (
            Linear("c_attn", hidden, 3 * hidden, True, "norm"),
            Linear("attn.c_proj", hidden, hidden, True, "attention"),
            Linear("c_fc", hidden, middle, True, "norm"),
            Linear("mlp.c_proj", middle, hidden, True, "mlp"),
        )
    if name == "gpt_neox":
        biased = table.get("attention_bias", True) is not False
        return (
            Linear("query_key_value", hidden, 3 * hidden, biased, "norm"),
            Linear("dense", hidden, hidden, biased, "attention"),
            Linear("dense_h_to_4h", hidden, middle, True, "norm"),
            Linear("dense_4h_to_h", middle, hidden, True, "mlp"),
        )
    if name == "phi3":
        return (
            Linear("qkv_proj", hidden, queries + 2 * keys, False, "norm"),
            Linear("o_proj", queries, hidden, False, "attention"),
            Linear("gate_up_proj", hidden, 2 * middle, False, "norm"),
            Linear("down_proj", middle, hidden, False, "mlp"),
        )
    attention = (
        Linear("q_proj", hidden, queries, into, "norm"),
        Linear("k_proj", hidden, keys, into, "norm"),
        Linear("v_proj", hidden, keys, into, "norm"),
        Linear("dense" if name == "phi" else "o_proj", queries, hidden, out, "attention"),
    )
    if name == "phi":
        return (
            *attention,
            Linear("fc1", hidden, middle, True, "norm"),
            Linear("fc2", middle, hidden, True, "mlp"),
        )
    biased = table.get("mlp_bias") is True
    return (
        *attention,
        Linear("gate_proj", hidden, middle, biased, "norm"),
        Linear("up_proj", hidden, middle, biased, "norm"),
        Linear("down_proj", middle, hidden, biased, "mlp"),
    )


def _drops_out(table: Mapping[str, Any]) -> bool:
    """Whether the config asks for dropout; GPT-2 has it where nothing is said."""
    usual = 0.1 if table.get("model_type") == "gpt2" else 0.0
    values = (table.get(key, usual) for key in ("resid_pdrop", "attn_pdrop"))
    return any(isinstance(value, int | float) and value > 0 for value in values)


def _size(table: Mapping[str, Any], *names: str) -> int:
    """The first of the names that holds a size; 0 where none does."""
    for name in names:
        number = table.get(name)
        if type(number) is int and 0 < number < 1 << 40:
            return number
    return 0
