"""The model families whose GGUF files we write: their tensors and their keys.

Owns what llama.cpp expects of each family: names, which rows are permuted, what is added to norms,
and the keys that describe the model's shape; rotary embeddings are `rope`'s. Refuses, by name, what
llama.cpp has no word for: it would run, and answer as another model. The writer of three tables
that share nothing on purpose: `demands` checks a file, `engine.checkpoints.gguf_config` reads it.

Source: llama.cpp's src/models/*.cpp (which keys are read, and their defaults) and
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (names of keys and tensors).
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gguf

from engine.errors import EngineError
from engine.release.gguf_targets import refuse_family
from engine.text import one_line
from engine.worker.release.gguf.rope import check_rope, describe_rope

Value = int | float | bool | str | list[bool]
"""What a key holds; a list has one value a layer."""

_NOT_WEIGHTS = (".rotary_emb.inv_freq", ".attention.masked_bias", ".attention.bias")
_QKV = ("q_proj", "k_proj", "v_proj")


@dataclass(frozen=True, slots=True)
class GgufFamily:
    model_type: str
    """As config.json has it."""
    architecture: str
    """`general.architecture`, and the prefix of its keys."""
    activation: str = "silu"
    permuted: bool = False
    """llama.cpp rotates neighbouring rows of Q and K, transformers the halves of a head."""
    offset_norms: bool = False
    """transformers scales by 1 + w where llama.cpp scales by w."""
    tied_only: bool = False
    """llama.cpp reads no head of its own."""
    biased: tuple[str, ...] = ()
    """Modules whose bias llama.cpp reads."""
    square: bool = False
    """llama.cpp takes for granted that all heads together are as wide as the hidden state."""
    period: int = 0
    """llama.cpp lets every so manyth layer attend to everything, the others to a sliding window,
    where the file does not say which; 0: it applies no window, and a file that has one has it in
    all layers or says in which."""


FAMILIES: Mapping[str, GgufFamily] = {
    family.model_type: family
    for family in (
        GgufFamily(
            "llama",
            "llama",
            permuted=True,
            biased=(*_QKV, "o_proj", "gate_proj", "up_proj", "down_proj"),
        ),
        GgufFamily("mistral", "llama", permuted=True),
        GgufFamily("qwen2", "qwen2", biased=_QKV, square=True),
        GgufFamily("qwen3", "qwen3"),
        GgufFamily("gemma", "gemma", "gelu_pytorch_tanh", offset_norms=True, tied_only=True),
        GgufFamily(
            "gemma2", "gemma2", "gelu_pytorch_tanh", offset_norms=True, tied_only=True, period=2
        ),
        GgufFamily("gemma3_text", "gemma3", "gelu_pytorch_tanh", offset_norms=True, period=6),
        GgufFamily("phi3", "phi3", square=True),
    )
}


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """One tensor of the file, and what is done to that of the checkpoint."""

    name: str
    source: str
    """Its name in the checkpoint."""
    heads: int = 0
    """Rows are permuted within each of so many heads; 0: they stay."""
    offset: float = 0.0
    """Added to each value, in float32."""


def family_of(config: Any) -> GgufFamily:
    """Raises EngineError where the family is none of ours."""
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise refuse_family(str(config.model_type))
    return family


def check_expressible(config: Any, family: GgufFamily) -> None:
    """Raises EngineError where llama.cpp would run another model than config.json describes."""
    problems = [*_shape_problems(config, family), *check_rope(config, family.architecture)]
    if family.architecture.startswith("gemma"):
        problems.extend(_gemma_problems(config, family))
    if problems:
        raise EngineError(
            f"llama.cpp cannot run this {family.model_type} model as it was trained.",
            "; ".join(problems) + ".",
            "Export --as merged: transformers and vLLM run it.",
        )


def _shape_problems(config: Any, family: GgufFamily) -> list[str]:
    problems = []
    activation = getattr(config, "hidden_activation", None) or config.hidden_act
    if activation not in (family.activation, _same_activation(family.activation)):
        problems.append(f"its activation is {activation}, llama.cpp's {family.activation}")
    if family.square and config.num_attention_heads * head_size(config) != config.hidden_size:
        problems.append(
            f"{config.num_attention_heads} heads of {head_size(config)} are not the "
            f"{config.hidden_size} of its hidden size"
        )
    if family.tied_only and not config.tie_word_embeddings:
        problems.append("its head is not its embedding, and llama.cpp reads only the embedding")
    if getattr(config, "use_bidirectional_attention", None):
        problems.append("its attention is bidirectional")
    return problems


def _same_activation(name: str) -> str:
    return "swish" if name == "silu" else "gelu_new"


def _gemma_problems(config: Any, family: GgufFamily) -> list[str]:
    problems = []
    final = getattr(config, "final_logit_softcapping", None)
    attention = getattr(config, "attn_logit_softcapping", None)
    if family.architecture == "gemma2" and not (final and attention):
        problems.append("a soft cap of it is off, and llama.cpp always applies both")
    if family.architecture == "gemma2" and not any(_sliding_layers(config)):
        problems.append("it has no sliding layer, and llama.cpp wants one")
    if family.architecture == "gemma3" and attention:
        problems.append(f"its attention is capped at {attention}")
    scalar = getattr(config, "query_pre_attn_scalar", head_size(config))
    if scalar != _query_scalar(config, family):
        problems.append(
            f"its queries are scaled by {scalar}, llama.cpp's by {_query_scalar(config, family)}"
        )
    return problems


def _query_scalar(config: Any, family: GgufFamily) -> int:
    """What llama.cpp scales queries with: of the 27B models, which it tells by their number of
    layers, by the width of a head in the hidden state."""
    large = {"gemma2": 46, "gemma3": 62}.get(family.architecture)
    if config.num_hidden_layers == large:
        return int(config.hidden_size // config.num_attention_heads)
    return head_size(config)


def head_size(config: Any) -> int:
    size = getattr(config, "head_dim", None)
    return int(size or config.hidden_size // config.num_attention_heads)


def plan_tensors(config: Any, family: GgufFamily, names: Collection[str]) -> list[TensorPlan]:
    """The tensors of the file in their order: the embedding, the layers, the norm, the head.

    Raises EngineError where the checkpoint has a tensor that the file has no place for, or lacks
    one.
    """
    architecture = next(
        key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == family.architecture
    )
    mapped = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    plans = []
    for source in names:
        if source.endswith(_NOT_WEIGHTS):
            continue
        if source == "lm_head.weight" and config.tie_word_embeddings:
            continue
        module = source.rsplit(".", 2)[-2] if source.count(".") else source
        name = mapped.get_name(source, try_suffixes=(".weight", ".bias"))
        if name is None or (name.endswith(".bias") and module not in family.biased):
            raise EngineError(
                f"llama.cpp has no place for the tensor {one_line(source)} "
                f"of a {family.model_type} model.",
                "",
                "Export --as merged.",
            )
        plans.append(TensorPlan(name, source, _heads(config, family, module), 0.0))
    if family.offset_norms:
        plans = [
            TensorPlan(one.name, one.source, one.heads, 1.0)
            if one.name.endswith("norm.weight")
            else one
            for one in plans
        ]
    _check_whole(config, [one.name for one in plans])
    return sorted(plans, key=lambda one: _place(one.name))


def _heads(config: Any, family: GgufFamily, module: str) -> int:
    if not family.permuted:
        return 0
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    return int(heads.get(module, 0))


def _check_whole(config: Any, names: Sequence[str]) -> None:
    """Every layer has what the others have, and there is an embedding, a norm and a head."""
    layers: list[set[str]] = [set() for _ in range(config.num_hidden_layers)]
    for name in names:
        match = re.match(r"blk\.(\d+)\.(.+)", name)
        if match:
            layers[int(match[1])].add(match[2])
    every = set().union(*layers)
    missing = [f"blk.{i}.{name}" for i, layer in enumerate(layers) for name in every - layer]
    wanted = ["token_embd.weight", "output_norm.weight"]
    if not config.tie_word_embeddings:
        wanted.append("output.weight")
    missing += [name for name in wanted if name not in names]
    if missing or not every:
        raise EngineError(
            "The checkpoint lacks tensors that a GGUF file needs.",
            one_line(", ".join(sorted(missing)[:5]) or "all layers"),
        )


def _place(name: str) -> tuple[int, int, str]:
    match = re.match(r"blk\.(\d+)\.", name)
    if match:
        return (1, int(match[1]), name)
    return (0 if name.startswith("token_embd") else 2, 0, name)


def describe(config: Any, family: GgufFamily) -> dict[str, Value]:
    """The keys of the model's shape, without their prefix."""
    keys: dict[str, Value] = {
        "block_count": int(config.num_hidden_layers),
        "context_length": int(config.max_position_embeddings),
        "embedding_length": int(config.hidden_size),
        "feed_forward_length": int(config.intermediate_size),
        "attention.head_count": int(config.num_attention_heads),
        "attention.head_count_kv": int(config.num_key_value_heads),
        "attention.key_length": head_size(config),
        "attention.value_length": head_size(config),
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "vocab_size": int(config.vocab_size),
    }
    keys.update(describe_rope(config, family.architecture))
    for attribute, key in (
        ("attn_logit_softcapping", "attn_logit_softcapping"),
        ("final_logit_softcapping", "final_logit_softcapping"),
    ):
        cap = getattr(config, attribute, None)
        if cap and math.isfinite(cap):
            keys[key] = float(cap)
    keys.update(_describe_window(config, family))
    return keys


def _describe_window(config: Any, family: GgufFamily) -> dict[str, Value]:
    """llama.cpp reads no window of Llama, Mistral and Qwen files, where it is written for readers
    that do (`engine.checkpoints.gguf_config`), and of Phi-3 none that it uses; it tells Phi-4 by a
    window of 0."""
    if family.architecture == "phi3":
        return {"attention.sliding_window": int(config.sliding_window or 0)}
    slides = _sliding_layers(config)
    if not any(slides):
        # llama.cpp asserts that a window has layers.
        return {"attention.sliding_window": 0} if family.period else {}
    keys: dict[str, Value] = {"attention.sliding_window": int(config.sliding_window)}
    period = family.period or len(slides) + 1
    if slides != [bool((layer + 1) % period) for layer in range(len(slides))]:
        keys["attention.sliding_window_pattern"] = slides
    return keys


def _sliding_layers(config: Any) -> list[bool]:
    """Whether each layer has the window; all have it where the config does not say which."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    return [bool(window) and kind == "sliding_attention" for kind in kinds]
