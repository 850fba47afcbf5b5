"""A folder in Hugging Face layout that holds a whole model, described without loading it."""

from collections.abc import Collection
from dataclasses import replace

from engine.checkpoints import config_json, context
from engine.checkpoints.entry import NOT_DOWNLOADED, Checkpoint
from engine.checkpoints.safetensors_header import name_dtype
from engine.checkpoints.tokenizer_check import check_tokenizer, has_chat_template
from engine.checkpoints.weights import PartsMissing, WeightsMissing, read_weights
from engine.errors import EngineError


def describe_model(entry: Checkpoint, names: Collection[str]) -> Checkpoint:
    """The entry with all that its files tell; what forbids its use first is the reason."""
    config: config_json.Config = {}
    try:
        if "config.json" not in names:
            raise EngineError("config.json is missing", str(entry.path))
        config = config_json.read_json(entry.path / "config.json")
        reason = config_json.judge(config)
    except EngineError as error:
        reason = error.title
    entry = replace(
        entry,
        architecture=config_json.find_architecture(config),
        context_length=context.find_context_length(config),
        position_table=context.has_position_table(config),
        vocab_size=config_json.find_vocab_size(config),
        dtype=config_json.name_quantised(config),
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
        packed = config_json.find_quantisation(config) not in (None, "bitsandbytes")
        entry = replace(
            entry,
            parameters=None if packed else header.parameters,
            dtype=entry.dtype or name_dtype(header.elements),
        )
    return replace(entry, reason=reason or check_tokenizer(entry.path, names))
