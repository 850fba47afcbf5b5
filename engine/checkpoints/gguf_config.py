"""What the header of a GGUF file says of its model, as transformers' `config.json` would.

Owns the meaning of header keys for the families that are mapped; refuses the others by name. The
reader of three tables that share nothing on purpose, so that an error in one shows against another:
an export is written by `worker/release/gguf/families`, and checked against `demands` there. What
llama.cpp fixes in its code and writes nowhere (Gemma's pattern of windows, its soft caps and scale)
is filled in as there: github.com/ggml-org/llama.cpp, src/models.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from engine.checkpoints.gguf_header import GgufHeader
from engine.errors import EngineError

Table = dict[str, Any]
"""A config.json."""

_FILE_TYPES: Mapping[int, str] = {
    0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1", 10: "q2_k",
    11: "q3_k_s", 12: "q3_k_m", 13: "q3_k_l", 14: "q4_k_s", 15: "q4_k_m", 16: "q5_k_s",
    17: "q5_k_m", 18: "q6_k", 19: "iq2_xxs", 20: "iq2_xs", 21: "q2_k_s", 22: "iq3_xs",
    23: "iq3_xxs", 24: "iq1_s", 25: "iq4_nl", 26: "iq3_s", 27: "iq3_m", 28: "iq2_s", 29: "iq2_m",
    30: "iq4_xs", 31: "iq1_m", 32: "bf16", 36: "tq1_0", 37: "tq2_0", 38: "mxfp4", 39: "nvfp4",
    40: "q1_0",
}  # fmt: skip
"""What `general.file_type` numbers: the recipe by which a file's tensors got their types."""
_SHORT_TYPES = {"f32": "fp32", "f16": "fp16"}
UNROUNDED = ("fp32", "fp16", "bf16")
"""Names of `name_quantization` for weights that are kept as they are."""
ROPE_FACTORS = "rope_freqs.weight"
"""The tensor by which scaled RoPE of Llama 3 divides each frequency."""
LONG_FACTORS, SHORT_FACTORS = "rope_factors_long.weight", "rope_factors_short.weight"


def name_quantization(header: GgufHeader) -> str | None:
    """How a file's weights are stored: `q8_0`, `q4_k_m`, `bf16`; None of a file without tensors.

    The recipe that the header names, where it names one that fits the type of most parameters.
    """
    common = header.common_type
    named = _FILE_TYPES.get(header.values.get("general.file_type", -1))
    kinds = {tensor.type_name for tensor in header.tensors}
    if common is not None and named is not None:
        base = named.rsplit("_", 1)[0] if named.count("_") == 2 else named
        if named == common or base in kinds:
            common = named
    return None if common is None else _SHORT_TYPES.get(common, common)


def explain_unusable(header: GgufHeader) -> str | None:
    """Why a GGUF file cannot answer; None where it can."""
    parts = header.values.get("split.count", 0)
    if type(parts) is int and parts > 1:
        return f"one of {parts} parts of a GGUF file: join them with llama-gguf-split --merge"
    kind, architecture = header.text("general.type"), header.text("general.architecture")
    if kind == "adapter":
        return "a LoRA adapter in GGUF, which is not supported: use it in PEFT's format"
    if not header.tensors:
        return "no weights: it holds a vocabulary alone"
    if kind not in ("", "model") or architecture == "clip":
        return f"not a causal language model: {architecture or kind}"
    if architecture not in _FAMILIES:
        return f"GGUF of {architecture or 'an unnamed architecture'} is not supported"
    return None


def make_config(header: GgufHeader) -> Table:
    """`config.json` of the model in a GGUF file, as transformers 5 writes it.

    Raises EngineError where it cannot answer, and where a number is missing or impossible. RoPE
    that is scaled by tensors (Llama 3, LongRoPE) is not in it: whoever loads the weights adds it.
    """
    reason = explain_unusable(header)
    if reason is not None:
        raise EngineError(f"{header.path.name} cannot be used: {reason}", str(header.path))
    return _FAMILIES[header.text("general.architecture")](_Keys(header))


def end_tokens(values: Mapping[str, Any]) -> tuple[int, ...]:
    """The tokens that the header says end an answer: of the text, the turn and the message."""
    keys = (f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom"))
    ids = [values.get(key) for key in keys]
    return tuple(dict.fromkeys(one for one in ids if type(one) is int and one >= 0))


class _Keys:
    """Values of one architecture, checked as they are read."""

    def __init__(self, header: GgufHeader) -> None:
        self.header = header
        self._prefix = header.text("general.architecture")

    def number(self, name: str, default: int | None = None) -> int:
        """A positive count of at most 2**31. Raises EngineError."""
        value = self._find(name)
        if isinstance(value, list) and value and len(set(value)) == 1:
            value = value[0]  # written by layer, all alike
        if value is None and default is not None:
            return default
        if type(value) is not int or not 0 < value < 1 << 31:
            raise self._wrong(name, value)
        return value

    def maybe(self, name: str) -> int | None:
        """A positive count; None where the key is not there or 0."""
        return None if self._find(name) in (None, 0) else self.number(name)

    def real(self, name: str, default: float | None = None) -> float:
        """A finite positive number, as short as float32 tells it apart. Raises EngineError."""
        value = self._find(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, int | float) or not 0 < value < 1e30:
            raise self._wrong(name, value)
        return float(f"{value:.7g}")

    def maybe_real(self, name: str) -> float | None:
        """A finite positive number; None where the key is not there or 0."""
        return None if self._find(name) in (None, 0.0) else self.real(name)

    def has(self, tensor: str) -> bool:
        return self.header.tensor(tensor) is not None

    def word(self, name: str) -> str:
        value = self._find(name)
        return value if isinstance(value, str) else ""

    def flags(self, name: str) -> list[bool]:
        """A list of true and false by layer; empty where there is none."""
        value = self._find(name)
        return [bool(one) for one in value] if isinstance(value, list) else []

    def _find(self, name: str) -> Any:
        return self.header.values.get(f"{self._prefix}.{name}")

    def _wrong(self, name: str, value: Any) -> EngineError:
        key = f"{self._prefix}.{name}"
        what = f"its header lacks {key}" if value is None else f"{key} is {str(value)[:40]!r}"
        path = self.header.path
        return EngineError(f"{path.name} cannot be used: {what}", str(path))


def _common(keys: _Keys, kind: str, name: str) -> Table:
    """What all families have."""
    header, values = keys.header, keys.header.values
    embedding = header.tensor("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise EngineError(
            f"{header.path.name} cannot be used: it has no embeddings (token_embd.weight)",
            str(header.path),
        )
    heads, hidden = keys.number("attention.head_count"), keys.number("embedding_length")
    head = keys.number("attention.key_length", hidden // heads)
    if embedding.shape[1] != hidden:
        raise EngineError(
            f"{header.path.name} cannot be used: its embeddings are {embedding.shape[1]} wide, "
            f"and its header says {hidden}",
            str(header.path),
        )
    config: Table = {
        "architectures": [name],
        "model_type": kind,
        "vocab_size": embedding.shape[0],
        "hidden_size": hidden,
        "intermediate_size": keys.number("feed_forward_length"),
        "num_hidden_layers": keys.number("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": keys.number("attention.head_count_kv", heads),
        "head_dim": head,
        "max_position_embeddings": keys.number("context_length"),
        "rms_norm_eps": keys.real("attention.layer_norm_rms_epsilon"),
        "tie_word_embeddings": not keys.has("output.weight"),
        "rope_parameters": _rope(keys),
    }
    for key, ours in (("bos", "bos_token_id"), ("padding", "pad_token_id")):
        token = values.get(f"tokenizer.ggml.{key}_token_id")
        config[ours] = token if type(token) is int and 0 <= token < embedding.shape[0] else None
    ends = [token for token in end_tokens(values) if token < embedding.shape[0]]
    config["eos_token_id"] = ends[0] if len(ends) == 1 else ends or None
    return config


def _rope(keys: _Keys) -> Table:
    """Scaling that numbers tell; llama.cpp's own factor for lengths is 1, as is its default.

    Of YaRN the factor of sine and cosine stands whole in `yarn_attn_factor`, as llama.cpp's
    converter writes it; llama.cpp reads `attn_factor` alone, and multiplies it by its own.
    """
    rope: Table = {"rope_type": "default", "rope_theta": keys.real("rope.freq_base", 1e4)}
    kind = keys.word("rope.scaling.type")
    factor = keys.maybe_real("rope.scaling.factor") or keys.maybe_real("rope.scale_linear")
    if kind in ("", "linear") and factor not in (None, 1.0):
        return rope | {"rope_type": "linear", "factor": factor}
    if kind == "yarn" and factor is not None:
        rope |= {"rope_type": "yarn", "factor": factor}
        rope["original_max_position_embeddings"] = keys.number(
            "rope.scaling.original_context_length", keys.number("context_length")
        )
        for ours, theirs in (
            ("beta_fast", "yarn_beta_fast"),
            ("beta_slow", "yarn_beta_slow"),
            ("attention_factor", "yarn_attn_factor"),
        ):
            value = keys.maybe_real(f"rope.scaling.{theirs}")
            rope |= {} if value is None else {ours: value}
        beside = keys.maybe_real("rope.scaling.attn_factor")
        if beside is not None and "attention_factor" not in rope:
            rope["attention_factor"] = beside * (0.1 * math.log(factor) + 1)
    return rope


def _llama(keys: _Keys) -> Table:
    """Llama, and Mistral where a window is told; llama.cpp calls both the same."""
    if keys.maybe("expert_count"):
        raise EngineError(
            f"{keys.header.path.name} cannot be used: mixtures of experts are not supported",
            str(keys.header.path),
        )
    window = keys.maybe("attention.sliding_window")
    biased = {
        "attention_bias": keys.has("blk.0.attn_q.bias"),
        "mlp_bias": keys.has("blk.0.ffn_up.bias"),
    }
    if window is not None and not any(biased.values()):
        return _common(keys, "mistral", "MistralForCausalLM") | {"sliding_window": window}
    return _common(keys, "llama", "LlamaForCausalLM") | biased


def _qwen2(keys: _Keys) -> Table:
    return _common(keys, "qwen2", "Qwen2ForCausalLM") | _qwen_windows(keys)


def _qwen3(keys: _Keys) -> Table:
    biased = {"attention_bias": keys.has("blk.0.attn_q.bias")}
    return _common(keys, "qwen3", "Qwen3ForCausalLM") | biased | _qwen_windows(keys)


def _qwen_windows(keys: _Keys) -> Table:
    """A window, where one is told, is of every layer that the pattern names, or of all."""
    window = keys.maybe("attention.sliding_window")
    if window is None:
        return {"use_sliding_window": False}
    layers = keys.number("block_count")
    narrow = keys.flags("attention.sliding_window_pattern") or [True] * layers
    kinds = ["sliding_attention" if one else "full_attention" for one in narrow]
    return {"use_sliding_window": True, "sliding_window": window, "layer_types": kinds}


def _gemma(keys: _Keys) -> Table:
    activation = {"hidden_activation": "gelu_pytorch_tanh"}
    return _common(keys, "gemma", "GemmaForCausalLM") | activation


def _gemma2(keys: _Keys) -> Table:
    """As Gemma 2 has them where nothing is told: windows of 4,096 in every second layer, soft caps
    of 50 and 30."""
    config = _common(keys, "gemma2", "Gemma2ForCausalLM")
    window = keys.number("attention.sliding_window", 4096)
    return config | {
        "sliding_window": window,
        "layer_types": _layer_types(keys, 2),
        "attn_logit_softcapping": keys.real("attn_logit_softcapping", 50.0),
        "final_logit_softcapping": keys.real("final_logit_softcapping", 30.0),
        "query_pre_attn_scalar": _query_scale(config, 46),
        "hidden_activation": "gelu_pytorch_tanh",
    }


def _gemma3(keys: _Keys) -> Table:
    """Five layers of six have the window, whose RoPE is neither scaled nor as slow."""
    config = _common(keys, "gemma3_text", "Gemma3ForCausalLM")
    window = keys.maybe("attention.sliding_window")
    narrow = {"rope_type": "default", "rope_theta": keys.real("rope.freq_base_swa", 1e4)}
    layers = keys.number("block_count")
    return config | {
        "sliding_window": window or keys.number("context_length"),
        "layer_types": _layer_types(keys, 6) if window else ["full_attention"] * layers,
        "rope_parameters": {
            "full_attention": config["rope_parameters"],
            "sliding_attention": narrow,
        },
        "final_logit_softcapping": keys.maybe_real("final_logit_softcapping"),
        "attn_logit_softcapping": keys.maybe_real("attn_logit_softcapping"),
        "query_pre_attn_scalar": _query_scale(config, 62),
        "hidden_activation": "gelu_pytorch_tanh",
    }


def _layer_types(keys: _Keys, every: int) -> list[str]:
    """By the header's own list, or its number, where it has one: the last of `every` is full."""
    layers = keys.number("block_count")
    named = keys.flags("attention.sliding_window_pattern")
    if named:
        return ["sliding_attention" if one else "full_attention" for one in named]
    every = keys.number("attention.sliding_window_pattern", every)
    return [
        "full_attention" if at % every == every - 1 else "sliding_attention" for at in range(layers)
    ]


def _query_scale(config: Mapping[str, Any], largest: int) -> int:
    """What queries are divided by the root of: a head's width, but in Gemma's 27B, known by its
    layers, where it is the hidden size over the number of heads."""
    if config["num_hidden_layers"] == largest:
        return int(config["hidden_size"] // config["num_attention_heads"])
    return int(config["head_dim"])


def _phi3(keys: _Keys) -> Table:
    config = _common(keys, "phi3", "Phi3ForCausalLM")
    rope = dict(config["rope_parameters"])
    turned = keys.number("rope.dimension_count", config["head_dim"])
    rope["partial_rotary_factor"] = turned / config["head_dim"]
    original = keys.maybe("rope.scaling.original_context_length")
    context = config["max_position_embeddings"]
    del config["head_dim"]  # Phi 3 has none of its own
    return config | {
        "rope_parameters": rope,
        "original_max_position_embeddings": original or context,
        "sliding_window": keys.maybe("attention.sliding_window"),
        "partial_rotary_factor": rope["partial_rotary_factor"],
    }


_FAMILIES: Mapping[str, Callable[[_Keys], Table]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3": _gemma3,
    "phi3": _phi3,
}
