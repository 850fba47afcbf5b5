"""What is saved beside weights, so that whoever loads them asks and stops as training did.

Hugging Face's own layout and nothing beside it: a chat template in the tokenizer's files, the end
tokens in `generation_config.json`. An adapter becomes a part of its base in float32, never of
weights that are quantised.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from engine import atomic
from engine.checkpoints.run_outputs import name_base
from engine.errors import EngineError
from engine.worker.data.chat_template import Template
from engine.worker.data.encode import end_token_ids
from engine.worker.model import loading, quantize


def save_template(folder: Path, template: Template, tokenizer: Any, model: Any) -> None:
    """Write the tokenizer with the template that was trained, its system prompt included.

    `model` tells which end tokens its checkpoint had; those of the template join them, for a base
    that was taught to chat ends turns with another token than documents.
    """
    keep_template(template, tokenizer)
    tokenizer.save_pretrained(str(folder))
    plain = model.get_base_model() if hasattr(model, "peft_config") else model
    config = plain.generation_config
    # As text: transformers refuses to save a changed config whose other settings it finds unwise.
    body = json.loads(config.to_json_string(keys_to_pop=["compile_config"]))
    body["eos_token_id"] = all_ends(config.eos_token_id, tokenizer, template)
    (folder / "generation_config.json").write_text(json.dumps(body, indent=2) + "\n")


def make_portable(model: Any, base: Path) -> None:
    """Let what is saved of an adapter name no path of this machine, and have no card.

    PEFT would write the base's path into `adapter_config.json` and a README of placeholders, beside
    the result and beside each checkpoint.
    """
    name, revision = name_base(base)
    model.get_base_model().name_or_path = name or ""  # what PEFT takes where its config has none
    for config in model.peft_config.values():
        config.base_model_name_or_path, config.revision = name, revision
    model.create_or_update_model_card = lambda output_dir: None


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
    plain = model.get_base_model() if hasattr(model, "peft_config") else model
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


def merge(base: Path, adapter: Path) -> Any:
    """The base with the adapter added to its weights: a plain model on the CPU, in float32.

    Raises EngineError where the adapter does not fit, the sum is not finite, or the base is stored
    quantised: the sum would be rounded to the few values that its weights can have.
    """
    model = loading.load_base(base, torch.device("cpu"), torch.float32)
    if quantize.is_quantized(model):
        raise EngineError(
            "The adapter cannot be merged: its base is stored quantised.",
            str(base),
            "Continue the adapter (model.adapter = continue), or use the unquantised base.",
        )
    return fold(loading.attach_adapter(model, adapter), adapter)


def fold(attached: Any, adapter: Path) -> Any:
    """A model with an adapter on it, which is that at `adapter`, with it added to its weights: the
    plain model, changed in place. Raises EngineError where there is no such sum."""
    try:
        merged = attached.merge_and_unload(safe_merge=True)
    except (AttributeError, NotImplementedError, ValueError) as error:
        # Adaption prompts have no such method, Lily's refuses, a sum may not be finite.
        method = attached.peft_config["default"].peft_type.value
        raise EngineError(
            "The adapter cannot be merged.",
            f"{adapter}, of the method {method}: {error}",
            "Continue the adapter (model.adapter = continue).",
        ) from error
    return merged.eval()


def save_merged(base: Path, adapter: Path, tokenizer: Any, folder: Path) -> None:
    """`merge`, saved as a checkpoint of its own, in the format that the base has on disk.

    What is there already is kept: it has its name only when it is whole.
    """
    if folder.is_dir():
        return
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    merged = merge(base, adapter).to(loading.stored_dtype(base))
    merged.save_pretrained(str(aside))
    tokenizer.save_pretrained(str(aside))
    atomic.publish_directory(aside, folder)
