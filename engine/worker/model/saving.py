"""What is saved beside weights, so that whoever loads them asks and stops as training did.

Hugging Face's own layout and nothing beside it: a chat template in the tokenizer's files, the end
tokens in `generation_config.json`.
"""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from engine import atomic
from engine.checkpoints.run_outputs import name_base
from engine.worker.data.chat_template import Template
from engine.worker.data.encode import end_token_ids
from engine.worker.model import loading
from engine.worker.model.merging import merge, own_dtype
from engine.worker.model.weight_writer import SHARD_BYTES, write_model


def save_template(folder: Path, template: Template, tokenizer: Any, model: Any) -> None:
    """Write the tokenizer with the template that was trained, its system prompt included.

    `model` tells which end tokens its checkpoint had; those of the template join them, for a base
    that was taught to chat ends turns with another token than documents.
    """
    keep_template(template, tokenizer)
    tokenizer.save_pretrained(str(folder))
    plain = loading.base_of(model)
    config = plain.generation_config
    ends = all_ends(config.eos_token_id, tokenizer, template)
    write_generation_config(folder, config, eos_token_id=ends)


def write_generation_config(folder: Path, config: Any, **changes: Any) -> None:
    """Write `generation_config.json`, with `changes` of its settings."""
    # As text: transformers refuses to save a changed config whose other settings it finds unwise.
    body = json.loads(config.to_json_string(keys_to_pop=["compile_config"]))
    (folder / "generation_config.json").write_text(json.dumps(body | changes, indent=2) + "\n")


def make_portable(model: Any, base: Path, *, brings_rows: bool = False) -> None:
    """Let what is saved of an adapter name no path of this machine, have no card, and the embedding
    and head only where the adapter `brings_rows`, as of added tokens.

    PEFT would write the base's path into `adapter_config.json` and a README of placeholders, beside
    the result and beside each checkpoint, and ask the hub whether the vocabulary was resized.
    """
    name, revision = name_base(base)
    model.get_base_model().name_or_path = name or ""  # what PEFT takes where its config has none
    for config in model.peft_config.values():
        config.base_model_name_or_path, config.revision = name, revision
    model.create_or_update_model_card = lambda output_dir: None
    model.save_pretrained = partial(model.save_pretrained, save_embedding_layers=brings_rows)


def keep_template(template: Template, tokenizer: Any) -> None:
    """Make `template` the tokenizer's own, with and without tools; its other texts stay."""
    own = tokenizer.chat_template
    if not isinstance(own, dict):
        tokenizer.chat_template = template.saved
        return
    rest = {name: text for name, text in own.items() if name != "tool_use"}
    tokenizer.chat_template = rest | {"default": template.saved}


def drop_unreadable_pad(model: Any) -> None:
    """Forget the pad token of a model that has no embedding for it.

    The Trainer takes it over from the tokenizer, which may have more tokens; what is saved with it
    could not be loaded again. Without one the end token pads.
    """
    plain = loading.base_of(model)
    rows = loading.count_embeddings(model)
    for config in (plain.config.get_text_config(), plain.generation_config):
        pad = getattr(config, "pad_token_id", None)
        if isinstance(pad, int) and pad >= rows:
            config.pad_token_id = None


def all_ends(known: int | list[int] | None, tokenizer: Any, template: Template) -> int | list[int]:
    """The ids that end an answer, as a generation config has them: one, or several in order."""
    before = [known] if isinstance(known, int) else list(known or ())
    ends = sorted({*before, *end_token_ids(tokenizer, template)})
    return ends[0] if len(ends) == 1 else ends


def save_merged(base: Path, adapter: Path, tokenizer: Any, folder: Path) -> None:
    """The base with the adapter merged in, as a checkpoint in the type that the base has on disk.

    What is there already is kept: it has its name only when it is whole. Raises EngineError.
    """
    if folder.is_dir():
        return
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    dtype = own_dtype(base)
    merged = merge(base, adapter, dtype)
    aside.mkdir(parents=True)
    write_model(merged, aside, dtype, SHARD_BYTES, lambda done, total: None)
    write_generation_config(aside, merged.generation_config)
    tokenizer.save_pretrained(str(aside))
    atomic.publish_directory(aside, folder)
