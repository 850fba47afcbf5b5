"""A folder in Hugging Face layout that holds a whole model, described without loading it."""

from collections.abc import Collection
from dataclasses import replace

from engine.catalog import configs
from engine.catalog.entry import NOT_DOWNLOADED, Checkpoint
from engine.catalog.safetensors import name_dtype
from engine.catalog.tokenizers import check_tokenizer, has_chat_template
from engine.catalog.weights import PartsMissing, WeightsMissing, read_weights
from engine.errors import EngineError


def describe_model(entry: Checkpoint, names: Collection[str]) -> Checkpoint:
    """The entry with all that its files tell; what forbids its use first is the reason."""
    config: configs.Config = {}
    try:
        if "config.json" not in names:
            raise EngineError("config.json is missing", str(entry.path))
        config = configs.read_json(entry.path / "config.json")
        reason = configs.judge(config)
    except EngineError as error:
        reason = error.title
    entry = replace(
        entry,
        architecture=configs.find_architecture(config),
        context_length=configs.find_context_length(config),
        vocab_size=configs.find_vocab_size(config),
        dtype=configs.name_quantised(config),
        chat_template=has_chat_template(entry.path, names),
    )
    try:
        header = read_weights(entry.path, names)
    except WeightsMissing as error:
        if entry.source == "cache" and (reason is None or not config):
            parts = f": {error.title}" if isinstance(error, PartsMissing) else ""
            reason = NOT_DOWNLOADED + parts
        reason = reason or error.title
    except EngineError as error:
        reason = reason or error.title
    else:
        packed = configs.find_quantisation(config) not in (None, "bitsandbytes")
        entry = replace(
            entry,
            parameters=None if packed else header.parameters,
            dtype=entry.dtype or name_dtype(header.elements),
        )
    return replace(entry, reason=reason or check_tokenizer(entry.path, names))
