"""An adapter as PEFT saves it: its method and rank, its own weights, and the base that it needs.

The base is often named by a path of another machine. An adapter whose base is not found here stays
listed under the base's name, with that as its reason and `base_path` None: the user may point to
it. Refuses to guess a base from a folder of the same name.
"""

from collections.abc import Collection
from dataclasses import replace

from engine.checkpoints.adapter_config import Config, explain_unsupported, read_adapter_config
from engine.checkpoints.adapter_rows import WEIGHTS, read_rows
from engine.checkpoints.entry import NOT_DOWNLOADED, Checkpoint
from engine.checkpoints.gguf_header import is_gguf
from engine.checkpoints.hub_cache import HUB_ID
from engine.checkpoints.safetensors_header import SafetensorsHeader, name_dtype, read_header
from engine.checkpoints.tokenizer_check import has_chat_template
from engine.checkpoints.weights import explain_pickle
from engine.errors import EngineError
from engine.jobs.summary import hub_name

NO_BASE = "adapter_config.json names no base model"


def is_adapter(names: Collection[str]) -> bool:
    """A folder with an adapter's config is one, unless a whole model lies beside it."""
    whole = "config.json" in names and not any(n.startswith("adapter_model.") for n in names)
    return "adapter_config.json" in names and not whole


def describe_adapter(entry: Checkpoint, names: Collection[str]) -> Checkpoint:
    """The entry with all that its own files tell; `add_base` does the rest."""
    try:
        config = read_adapter_config(entry.path)
    except EngineError as error:
        return replace(entry, reason=error.title)
    method, rank = config.get("peft_type"), config.get("r")
    entry = replace(
        entry,
        base=_named_base(config),
        method=method.lower() if isinstance(method, str) and method else None,
        rank=rank if type(rank) is int and rank > 0 else None,
        chat_template=has_chat_template(entry.path, names),
    )
    reason = explain_unsupported(config)
    try:
        header = _read_weights(entry, names)
        dtype = name_dtype(header.elements)
        entry = replace(entry, parameters=header.parameters, dtype=dtype)
    except EngineError as error:
        reason = reason or error.title
    if entry.method is None:
        reason = reason or "adapter_config.json has no method (peft_type)"
    return replace(entry, reason=reason)


def add_base(entry: Checkpoint, base: Checkpoint | None) -> Checkpoint:
    """The adapter with the fields of its base, or with the reason why it has none."""
    if base is None:
        name = hub_name(entry.base or "") or entry.base
        why = f"its base is not on this machine: {name}" if name else NO_BASE
        return replace(entry, base=name, base_reason=why, reason=entry.reason or why)
    unusable = f"its base cannot be used: {base.reason}" if base.reason else None
    if is_gguf(base.path):
        unusable = "its base is a GGUF file, which takes no adapter"
    return replace(
        entry,
        base=base.name if base.source == "cache" else entry.base,
        base_path=base.path,
        architecture=base.architecture,
        context_length=base.context_length,
        position_table=base.position_table,
        vocab_size=_count_tokens(entry, base),
        chat_template=entry.chat_template or base.chat_template,
        base_reason=unusable,
        reason=entry.reason or unusable,
    )


def _count_tokens(entry: Checkpoint, base: Checkpoint) -> int | None:
    """Of the model that the two make: tokens may have been added before training."""
    if base.vocab_size is None or entry.reason is not None:
        return base.vocab_size
    return read_rows(entry.path).count(base.vocab_size)


def _named_base(config: Config) -> str | None:
    """The base as the config names it; with `@` and the revision where it is another than main."""
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not isinstance(base, str) or not base:
        return None
    on_hub = isinstance(revision, str) and revision not in ("", "main") and "@" not in base
    return f"{base}@{revision}" if on_hub and HUB_ID.fullmatch(base) else base


def _read_weights(entry: Checkpoint, names: Collection[str]) -> SafetensorsHeader:
    if WEIGHTS in names:
        return read_header(entry.path / WEIGHTS)
    if "adapter_model.bin" in names:
        raise EngineError(explain_pickle("adapter_model.bin"))
    raise EngineError(NOT_DOWNLOADED if entry.source == "cache" else f"{WEIGHTS} is missing")
