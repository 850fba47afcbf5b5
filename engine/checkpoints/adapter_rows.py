"""The rows of embedding and head that an adapter brings, for tokens that its base does not have.

PEFT stores whole matrices where tokens were added before training (`save_embedding_layers`, or
`modules_to_save`), or single rows (`trainable_token_indices`). Owns how many rows that makes, by
headers and configs alone. Reads no weights; whether every row has values is for who attaches it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.checkpoints import config_json
from engine.checkpoints.adapter_config import explain_no_strength, read_adapter_config
from engine.checkpoints.safetensors_header import read_shapes

WEIGHTS = "adapter_model.safetensors"
_ENDS = r"(?:embed_tokens|wte|word_embeddings|embed_in|lm_head|embed_out)"
"""What families call the embedding and the head."""
_WHOLE = re.compile(rf"(?:^|\.){_ENDS}\.((?:\w+\.)*)weight$")
_WRAPPERS = ("base_layer", "original_module", "modules_to_save", "token_adapter")
"""Parts that PEFT puts between the name of a module and that of its weight."""
_LORA_IN = re.compile(rf"(?:^|\.){_ENDS}\.lora_embedding_A$")
_LORA_OUT = re.compile(rf"(?:^|\.){_ENDS}\.lora_B\.weight$")


@dataclass(frozen=True, slots=True)
class AdapterRows:
    rows: int | None
    """Of the model that the adapter was trained on; None: no tensor says it."""
    least: int
    """What its trained tokens need at least; 0: it names none (`trainable_token_indices`)."""
    replaces: bool
    """Whether it brings an embedding or a head that takes the place of the base's own."""
    values: int
    """Numbers in all whole matrices that it brings."""
    names: tuple[str, ...]
    """Of the tensors that are such matrices."""

    def count(self, base_rows: int) -> int:
        """Rows of the model that it makes of a base with so many."""
        return self.rows if self.rows is not None else max(base_rows, self.least)


def read_rows(folder: Path) -> AdapterRows:
    """What the adapter in a folder brings. Raises EngineError where it cannot be read."""
    config = read_adapter_config(folder)
    saved = {str(one).rpartition(".")[2] for one in config.get("modules_to_save") or ()}
    found: set[int] = set()
    replaces, values, names = False, 0, list[str]()
    for name, shape in read_shapes(folder / WEIGHTS).items():
        if len(shape) != 2:
            continue
        if (whole := _WHOLE.search(name)) and _is_wrapped(whole[1]):
            found.add(shape[0])
            values += shape[0] * shape[1]
            names.append(name)
            module = name.removesuffix(".weight").rpartition(".")[2]
            replaces |= not whole[1] and module not in saved
        elif _LORA_IN.search(name):
            found.add(shape[1])
        elif _LORA_OUT.search(name):
            found.add(shape[0])
    least = max(_trained_tokens(config), default=-1) + 1
    return AdapterRows(max(found, default=None), least, replaces, values, tuple(names))


def count_rows(config: config_json.Config, adapter: Path | None) -> int | None:
    """How many tokens a base with this `config.json` knows, with the adapter on it; None where the
    config does not say. Raises EngineError where the adapter cannot be read."""
    rows = config_json.find_vocab_size(config)
    return rows if adapter is None or rows is None else read_rows(adapter).count(rows)


def with_rows(config: config_json.Config, adapter: Path | None) -> config_json.Config:
    """A base's `config.json` as it is once the adapter is on it: what sizes are computed from.
    Raises EngineError where the adapter cannot be read."""
    rows = count_rows(config, adapter)
    if rows is None or rows == config_json.find_vocab_size(config):
        return config
    inner = config.get("text_config")
    nested = {"text_config": {**inner, "vocab_size": rows}} if isinstance(inner, dict) else {}
    return {**config, "vocab_size": rows, **nested}


def explain_replaced(base: Path, adapter: Path) -> str | None:
    """Why the base is another model once the adapter was on it: it is given other rows. None where
    it stays as it is, and of a base whose config does not say how many it has."""
    own = config_json.find_vocab_size(config_json.read_json(base / "config.json"))
    rows = read_rows(adapter)
    if own is not None and rows.count(own) != own:
        return f"its vocabulary has {rows.count(own):,} tokens, that of its base {own:,}"
    if rows.replaces:
        return "it brings an embedding or a head in place of the base's (save_embedding_layers)"
    return None


def shares_base(base: Path, adapter: Path) -> bool:
    """Whether switching the adapter off gives the base back exactly, so that both can share it.

    So it is with LoRA that only adds to linear layers. All else, and whole modules that were
    trained, need a base apart. Raises EngineError where a file cannot be read.
    """
    config = read_adapter_config(adapter)
    if explain_no_strength(config) is not None or config.get("modules_to_save"):
        return False
    return explain_replaced(base, adapter) is None


def _is_wrapped(parts: str) -> bool:
    return all(part in _WRAPPERS for part in parts.split(".") if part)


def _trained_tokens(config: Mapping[str, Any]) -> Iterator[int]:
    value = config.get("trainable_token_indices")
    lists = value.values() if isinstance(value, dict) else [value]
    for one in lists:
        yield from (at for at in one if type(at) is int) if isinstance(one, list) else ()
