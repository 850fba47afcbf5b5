"""What `config.json` says of a checkpoint, and whether it is a causal language model at all.

Decided by transformers' own table of classes, not by the form of a name: Gemma 3's causal class is
called ForConditionalGeneration. Types and sizes in the file are checked, not trusted.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.checkpoints.causal_lm_types import ALSO_MASKED, CLASSES, UNCACHED
from engine.errors import EngineError
from engine.safe_open import read_bounded, recognise_impostor

Config = Mapping[str, Any]

_LARGEST = 16 << 20
_CLASS_NAMES = frozenset(CLASSES.values())


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises EngineError whose title names the file and says why not."""
    content = read_bounded(path, _LARGEST)
    impostor = recognise_impostor(content[:512])
    if impostor:
        raise EngineError(f"{path.name} {impostor}", str(path))
    try:
        value = json.loads(content)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise EngineError(
            f"{path.name} is not valid JSON: {error.msg}, {where}", str(path)
        ) from error
    except (ValueError, RecursionError) as error:
        raise EngineError(f"{path.name} is not valid JSON", str(path)) from error
    if not isinstance(value, dict):
        raise EngineError(f"{path.name} is not a JSON object", str(path))
    return value


def find_architecture(config: Config) -> str | None:
    """The first class named in `architectures`, else the model type."""
    named = config.get("architectures")
    if isinstance(named, list) and named and isinstance(named[0], str):
        return named[0]
    return _read_text(config, "model_type")


def find_vocab_size(config: Config) -> int | None:
    """How many tokens the model has embeddings for; its tokenizer may have more."""
    return find_number(config, ("vocab_size", "padded_vocab_size"))


def judge(config: Config) -> str | None:
    """Why transformers would not load it as a causal language model; None where it would."""
    kind, name = _read_text(config, "model_type"), find_architecture(config)
    if kind not in CLASSES:
        if isinstance(config.get("auto_map"), dict):
            return f"needs custom code ({name}), which is not supported"
        return f"not a causal language model: {name or 'config.json has no model_type'}"
    if name == kind:  # no class named: an old checkpoint, or one made by hand
        usually_not = kind in ALSO_MASKED or config.get("is_encoder_decoder") is True
        if usually_not and config.get("is_decoder") is not True:
            return f"not a causal language model: {name}"
    elif name not in _CLASS_NAMES and not _has_causal_part(config, str(name)):
        return f"not a causal language model: {name}"
    if kind in UNCACHED:
        return f"not supported: {kind} models have no KV cache"
    method = find_quantisation(config)
    if method not in (None, "bitsandbytes"):
        return f"quantised with {method}: only bitsandbytes or unquantised weights are supported"
    return None


def find_quantisation(config: Config) -> str | None:
    """The method that the stored weights are quantised with, in lower case."""
    table = config.get("quantization_config")
    if not isinstance(table, dict):
        return None
    method = _read_text(table, "quant_method")
    if method is None and (table.get("load_in_4bit") or table.get("load_in_8bit")):
        return "bitsandbytes"
    return method.lower() if method else "an unknown method"


def name_quantised(config: Config) -> str | None:
    """`4-bit bnb`, `8-bit bnb`, or the method's name; None for weights that are not quantised."""
    method = find_quantisation(config)
    if method != "bitsandbytes":
        return method
    return "4-bit bnb" if config["quantization_config"].get("load_in_4bit") else "8-bit bnb"


def _has_causal_part(config: Config, name: str) -> bool:
    """A model of text and images whose text part transformers loads by itself (Llama 4, Mllama)."""
    decoder_only = config.get("is_encoder_decoder") is not True
    described = isinstance(config.get("text_config"), dict)
    return name.endswith("ForConditionalGeneration") and described and decoder_only


def find_number(config: Config, names: tuple[str, ...]) -> int | None:
    """The first positive number under one of the names; `text_config`, if any, comes first."""
    for table in _tables(config):
        for name in names:
            number = table.get(name)
            if type(number) is int and 0 < number < 1 << 53:
                return number
    return None


def find_texts(config: Config, name: str) -> list[str]:
    """The texts under a name, of `text_config` and of the config itself."""
    found = (_read_text(table, name) for table in _tables(config))
    return [text for text in found if text is not None]


def _tables(config: Config) -> tuple[Config, ...]:
    """`text_config`, which is what is loaded of a model of text and images; then the config."""
    nested = config.get("text_config")
    return (nested, config) if isinstance(nested, dict) else (config,)


def _read_text(config: Config, name: str) -> str | None:
    value = config.get(name)
    return value if isinstance(value, str) and value else None
