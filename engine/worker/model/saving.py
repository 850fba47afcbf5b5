"""What is saved beside weights, so that whoever loads them asks and stops as training did.

Hugging Face's own layout and nothing beside it: a chat template in the tokenizer's files, the end
tokens in `generation_config.json`.
"""

import json
from pathlib import Path
from typing import Any

from engine.worker.rows.encode import end_token_ids
from engine.worker.rows.template import Template


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


def keep_template(template: Template, tokenizer: Any) -> None:
    """Make `template` the tokenizer's own; texts that it has for other purposes (tools) stay."""
    own = tokenizer.chat_template
    tokenizer.chat_template = (
        own | {"default": template.saved} if isinstance(own, dict) else template.saved
    )


def all_ends(known: int | list[int] | None, tokenizer: Any, template: Template) -> int | list[int]:
    """The ids that end an answer, as a generation config has them: one, or several in order."""
    before = [known] if isinstance(known, int) else list(known or ())
    ends = sorted({*before, *end_token_ids(tokenizer, template)})
    return ends[0] if len(ends) == 1 else ends
