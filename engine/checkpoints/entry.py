"""What a picker lists: one checkpoint or adapter, usable or with the reason why not."""

from dataclasses import dataclass
from pathlib import Path

NOT_DOWNLOADED = "weights not downloaded"
"""The reason of a snapshot in the hub's cache that has a config and nothing, or not all, to it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model or an adapter on disk. All text in it is untrusted and not yet cleaned."""

    ref: str
    """What a recipe names it by: `bundled:demo-base`, `run:<job id>` or an absolute path."""
    name: str
    path: Path
    source: str
    """`bundled`, `folder`, `cache`, `run`, or `export`, which a job of ours published."""
    kind: str
    """`model` or `adapter`."""
    architecture: str | None = None
    """The class that `config.json` names; of an adapter, its base's."""
    parameters: int | None = None
    """Stored numbers; of an adapter, its own alone. None where the packing hides them."""
    dtype: str | None = None
    """What most parameters are stored as: `bf16`, `fp16`, `fp32`, …, or `4-bit bnb`."""
    size_bytes: int = 0
    """All files of the folder itself."""
    context_length: int | None = None
    """Tokens."""
    position_table: bool = False
    """Whether longer rows than the context cannot be read at all: positions are looked up."""
    vocab_size: int | None = None
    chat_template: bool = False
    base: str | None = None
    """Adapters: the base as `adapter_config.json` names it."""
    reason: str | None = None
    """None: usable. Else why it cannot be used, in plain words."""
    method: str | None = None
    """Adapters: `lora` and the like, in lower case."""
    rank: int | None = None
    base_path: Path | None = None
    """Adapters: where the base was found on this machine."""
    base_reason: str | None = None
    """Adapters: why that base cannot be used; it may be complete and fit another base."""
