"""A GGUF file as a checkpoint: described by its header, without loading it.

It can answer, as llama.cpp would have it answer. It cannot be trained, and takes no adapter: its
weights are quantised, or may be, and whoever has it has the model that it was made of.
"""

from dataclasses import replace
from pathlib import Path

from engine.checkpoints.config_json import Config, read_json
from engine.checkpoints.context import find_context_length
from engine.checkpoints.entry import Checkpoint
from engine.checkpoints.gguf_config import explain_unusable, make_config, name_quantization
from engine.checkpoints.gguf_header import is_gguf, read_gguf_header
from engine.errors import EngineError

_WAY_OUT = "Use the model that it was made of, such as the folder merged of an export."


def describe_gguf(entry: Checkpoint) -> Checkpoint:
    """The entry with all that the file's header tells; what forbids its use is the reason."""
    try:
        header = read_gguf_header(entry.path)
    except EngineError as error:
        return replace(entry, reason=error.title)
    reason = explain_unusable(header)
    entry = replace(
        entry,
        architecture=header.text("general.architecture") or None,
        parameters=header.parameters or None,
        dtype=name_quantization(header),
        chat_template=bool(header.text("tokenizer.chat_template")),
        reason=reason,
    )
    if reason is not None:
        return entry
    try:
        config = make_config(header)
    except EngineError as error:
        return replace(entry, reason=error.title)
    if not header.text("tokenizer.ggml.model"):
        return replace(entry, reason="it has no tokenizer")
    return replace(
        entry,
        architecture=config["architectures"][0],
        context_length=find_context_length(config),
        vocab_size=config["vocab_size"],
    )


def read_model_config(path: Path) -> Config:
    """The config of a whole model: `config.json` of a folder, the header of a GGUF file.

    Raises EngineError."""
    return make_config(read_gguf_header(path)) if is_gguf(path) else read_json(path / "config.json")


def has_template(path: Path) -> bool:
    """Whether a GGUF file brings a chat template. Raises EngineError."""
    return bool(read_gguf_header(path).text("tokenizer.chat_template"))


def check_trainable(checkpoint: Checkpoint) -> None:
    """Raise EngineError of a GGUF file, which no run can begin with."""
    if is_gguf(checkpoint.path):
        raise EngineError("A GGUF file cannot be trained.", str(checkpoint.path), _WAY_OUT)


def as_trained(checkpoint: Checkpoint) -> Checkpoint:
    """The entry as a list of models to train has it: a GGUF file with the reason why it is none."""
    if checkpoint.reason is not None or not is_gguf(checkpoint.path):
        return checkpoint
    return replace(checkpoint, reason="a GGUF file can answer, but cannot be trained")


def check_adaptable(name: str, path: Path) -> None:
    """Raise EngineError of a GGUF file, which no adapter fits; `name` is what asks for it."""
    if is_gguf(path):
        raise EngineError(
            "An adapter cannot be applied to a GGUF file.", f"{name}: {path}", _WAY_OUT
        )


def is_later_part(name: str) -> bool:
    """Whether a file is the second or a later part of a split GGUF, which its first stands for."""
    stem, dash, count = name.lower().removesuffix(".gguf").rpartition("-of-")
    number = stem[-5:]
    return bool(dash) and count.isdecimal() and number.isdecimal() and number != "00001"
