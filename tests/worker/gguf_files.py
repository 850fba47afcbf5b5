"""Small GGUF files of tiny models, written with the `gguf` package alone.

By rules of their own (llama.cpp's, read from its documentation), so that what reads such files is
held against another reading than that of what exports them.
"""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from engine.worker.data.chat_template import own_template

GEMMAS = ("gemma", "gemma2", "gemma3")
_ARCHITECTURES = {"gemma3_text": "gemma3", "mistral": "llama"}
_TYPES = {"f32": gguf.GGMLQuantizationType.F32, "q8_0": gguf.GGMLQuantizationType.Q8_0}
Keys = dict[str, Any]


def architecture_of(config: Any) -> str:
    """What llama.cpp calls a family."""
    return str(_ARCHITECTURES.get(config.model_type, config.model_type))


def write_gguf_file(
    model: Any, tokenizer: Any, file: Path, kind: str = "f32", *, pre: str = "gpt-2", **more: Any
) -> Path:
    """A model in memory as a GGUF file; matrices in `kind`, all else in float32.

    `more` are keys of the architecture that replace those of the config; None leaves one out.
    """
    name = architecture_of(model.config)
    writer = gguf.GGUFWriter(file, name)
    for key, value in (_keys(model.config) | more).items():
        _add(writer, f"{name}.{key.replace('__', '.')}", value)
    _add_vocabulary(writer, tokenizer, pre)
    tied = model.config.tie_word_embeddings
    places = gguf.get_tensor_name_map(
        next(one for one, text in gguf.MODEL_ARCH_NAMES.items() if text == name),
        model.config.num_hidden_layers,
    )
    for ours, tensor in model.state_dict().items():
        if tied and ours == "lm_head.weight":
            continue
        stem, _, suffix = ours.rpartition(".")
        theirs = places.get_name(stem)
        assert theirs is not None, ours
        values = _as_stored(name, ours, tensor.float(), model.config).numpy()
        stored = _TYPES[kind if values.ndim == 2 else "f32"]
        writer.add_tensor(f"{theirs}.{suffix}", gguf.quantize(values, stored), raw_dtype=stored)
    _add_rope_tensors(writer, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _as_stored(name: str, ours: str, tensor: torch.Tensor, config: Any) -> torch.Tensor:
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for part, count in heads.items():
        if name == "llama" and part in ours:  # pairs of a rotation stand side by side
            halves = tensor.reshape(count, 2, -1, *tensor.shape[1:])
            return halves.transpose(1, 2).reshape(tensor.shape).contiguous()
    return tensor + 1 if name in GEMMAS and ours.endswith("norm.weight") else tensor


def _keys(config: Any) -> Keys:
    rope: dict[str, Any] = dict(config.rope_parameters)
    narrow = rope.get("sliding_attention", {})
    rope = rope.get("full_attention", rope)
    keys: Keys = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "block_count": config.num_hidden_layers,
        "attention__head_count": config.num_attention_heads,
        "attention__head_count_kv": config.num_key_value_heads,
        "attention__layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope__freq_base": float(rope["rope_theta"]),
        "rope__freq_base_swa": narrow.get("rope_theta"),
        "attention__key_length": getattr(config, "head_dim", None),
        "attention__sliding_window": getattr(config, "sliding_window", None),
        "attn_logit_softcapping": getattr(config, "attn_logit_softcapping", None),
        "final_logit_softcapping": getattr(config, "final_logit_softcapping", None),
    }
    kind = rope.get("rope_type", "default")
    if kind in ("linear", "yarn"):
        keys |= {"rope__scaling__type": kind, "rope__scaling__factor": float(rope["factor"])}
    if kind in ("yarn", "longrope"):
        original = rope["original_max_position_embeddings"]
        keys["rope__scaling__original_context_length"] = original
    return keys


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Any, pre: str) -> None:
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    pieces = dict(rules["model"]["vocab"])
    special = {one["content"] for one in rules["added_tokens"]}
    pieces |= {one["content"]: one["id"] for one in rules["added_tokens"]}
    names = sorted(pieces, key=lambda piece: pieces[piece])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(names)
    writer.add_token_types([3 if name in special else 1 for name in names])
    writer.add_token_merges([" ".join(pair) for pair in rules["model"]["merges"]])
    if tokenizer.eos_token_id is not None:
        writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    if template := own_template(tokenizer):
        writer.add_chat_template(template)


def _add_rope_tensors(writer: gguf.GGUFWriter, model: Any) -> None:
    rope = model.config.rope_parameters
    kind = rope.get("rope_type")
    if kind == "llama3":
        width = model.config.head_dim
        plain = rope["rope_theta"] ** (-torch.arange(0, width, 2).float() / width)
        factors = plain / model.model.rotary_emb.inv_freq
        writer.add_tensor("rope_freqs.weight", factors.numpy())
    if kind == "longrope":
        for name in ("long", "short"):
            values = np.array(rope[f"{name}_factor"], dtype=np.float32)
            writer.add_tensor(f"rope_factors_{name}.weight", values)
