"""Adapters whose vocabulary was enlarged before training, made as people make them with PEFT."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.worker.families import save_family

ADDED = ("<|tool|>", "<|turn_end|>", "<note>")
"""A control token, the end of a turn, and one that is a word to users."""
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|turn_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LOAD: Any = AutoModelForCausalLM.from_pretrained


def save_base(name: str, folder: Path) -> Path:
    """A random model of a family, with as many rows as its tokenizer has tokens, and queries that
    are scaled as llama.cpp does it."""
    save_family(name, folder)
    model = LOAD(folder, dtype=torch.float32)
    if hasattr(model.config, "query_pre_attn_scalar"):
        model.config.query_pre_attn_scalar = model.config.head_dim
    model.resize_token_embeddings(len(AutoTokenizer.from_pretrained(folder)))
    model.save_pretrained(folder)
    return folder


def enlarge_tokenizer(base: Path, folder: Path) -> Any:
    """The base's tokenizer with the added tokens, and a template that ends turns with one of them,
    saved in `folder`."""
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens({"additional_special_tokens": list(ADDED[:2])})
    tokenizer.add_tokens([ADDED[2]])
    tokenizer.eos_token = ADDED[1]
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return tokenizer


def save_enlarged(
    folder: Path,
    base: Path,
    *,
    multiple: int | None = None,
    save: Any = True,
    indices: str = "",
    **settings: Any,
) -> tuple[Path, Any]:
    """An adapter that was trained on `base` with three tokens more, rows rounded up to `multiple`,
    with its tokenizer; and the model that was trained, as PEFT had it in memory.

    `settings` are LoRA's own; `indices` names the layers whose rows of the added tokens are
    trained, "" none; `save` is PEFT's `save_embedding_layers`.
    """
    from peft import LoraConfig, get_peft_model

    tokenizer = enlarge_tokenizer(base, folder)
    torch.manual_seed(7)
    model = LOAD(base, dtype=torch.float32)
    model.resize_token_embeddings(len(tokenizer), pad_to_multiple_of=multiple)
    if indices:
        tokens = tokenizer.convert_tokens_to_ids(list(ADDED))
        settings["trainable_token_indices"] = dict.fromkeys(indices.split(), tokens)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, **settings)
    tuned = get_peft_model(model, config)
    with torch.no_grad():
        for weight in tuned.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.05)
    tuned.save_pretrained(str(folder), save_embedding_layers=save)
    (folder / "README.md").unlink()
    return folder, tuned.eval()


ATTENTION: dict[str, Any] = {"target_modules": ["q_proj", "v_proj"]}
KINDS: dict[str, dict[str, Any]] = {
    "rows saved": ATTENTION,
    "rows saved, padded": {**ATTENTION, "multiple": 64},
    "whole modules": {**ATTENTION, "modules_to_save": ["embed_tokens", "lm_head"]},
    "whole modules, saved alone": {
        **ATTENTION, "modules_to_save": ["embed_tokens", "lm_head"], "save": False,
    },
    "embedding trained, head saved": {**ATTENTION, "modules_to_save": ["embed_tokens"]},
    "LoRA on both": {"target_modules": ["q_proj", "embed_tokens", "lm_head"]},
    "token rows": {**ATTENTION, "indices": "embed_tokens lm_head", "save": False},
    "token rows, all saved": {**ATTENTION, "indices": "embed_tokens"},
}  # fmt: skip
"""Ways to train with added tokens that save every row, on a base whose head is its own."""
TIED_KINDS: dict[str, dict[str, Any]] = {
    **KINDS,
    "LoRA on the embedding": {"target_modules": ["q_proj", "embed_tokens"]},
    "token rows of the embedding": {**ATTENTION, "indices": "embed_tokens", "save": False},
    "whole modules, tied": {
        **ATTENTION, "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True,
    },
}  # fmt: skip
"""The same on a base with a tied head."""
