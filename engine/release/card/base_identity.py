"""What the Hub calls the model that an export began with: found on this machine, or remembered.

Owns where it is looked for, and what is remembered of which weights. Never asks the user, and never
a network. A model is known again by its weights: fine-tunes of one model have the same config and
the same header, and other licenses.
"""

import hashlib
import os
import re
from pathlib import Path

from engine.atomic import encode_json
from engine.bundled import BASE
from engine.checkpoints import hub_cache
from engine.errors import EngineError
from engine.jobs.summary import hub_name
from engine.safe_open import open_regular
from engine.state_files import (
    StateFile,
    UnusableState,
    decode_table,
    state_folder,
)

_SCHEMA = 1
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")
"""An owner or a name, as the Hub takes it: 96 characters, no dot or hyphen at an end."""
_SLICE = 1 << 16
_SLICES = 16
"""Of a file of weights, so many parts spread over it are read."""


def find_base_id(root: Path) -> str:
    """`OWNER/NAME` of a whole model: by its place in a cache of the Hub, else as it is remembered;
    empty where it is not known, and for the bundled one, which the Hub does not have."""
    if is_bundled(root):
        return ""
    named = hub_name(str(root.absolute()))
    if named is not None and is_hub_id(named):
        return named
    return _state_of(root).load()[0] or ""


def choose_base_id(root: Path, stated: str) -> str:
    """`OWNER/NAME` of a whole model: as the user states it, else as `find_base_id` has it. The one
    way to it, of all that an export writes."""
    return stated if is_hub_id(stated) else find_base_id(root)


def find_base_revision(root: Path) -> str:
    """The commit of a model in the Hub's cache; empty for any other folder."""
    path = root.absolute()
    is_commit = re.fullmatch("[0-9a-f]{40}", path.name) is not None
    return path.name if is_commit and hub_cache.find_repository(path) is not None else ""


def remember_base_id(root: Path, base_id: str) -> None:
    """Know these weights by that id from now on. Raises EngineError where it cannot be one, and
    OSError."""
    check_hub_id(base_id)
    _state_of(root).save(base_id)


def is_bundled(root: Path) -> bool:
    """Whether it is the model that ships with finetop."""
    return root.resolve() == BASE.resolve()


def is_hub_id(text: str) -> bool:
    """Whether the Hub could have a repository of this name: `OWNER/NAME`."""
    parts = text.split("/")
    return len(parts) == 2 and all(
        _PART.fullmatch(part) and "--" not in part and ".." not in part for part in parts
    ) and not text.endswith((".git", ".ipynb"))  # fmt: skip


def check_hub_id(text: str) -> None:
    """Raise EngineError where `text` cannot be the id of a repository on the Hub."""
    if not is_hub_id(text):
        raise EngineError(
            f"{text!r} is not a model id of the Hub.",
            "",
            "Use OWNER/NAME as in google/gemma-3-270m.",
        )


def digest_weights(root: Path) -> str:
    """A name for the weights in a folder: of the config, and of each file its size, its first
    bytes and parts spread over it. Two fine-tunes of one model differ in it; a copy does not.

    Raises EngineError where a file cannot be read.
    """
    total = hashlib.sha256()
    names = sorted(
        name for name in os.listdir(root) if name == "config.json" or name.endswith(".safetensors")
    )
    for name in names:
        with open_regular(root / name) as file:
            size = os.fstat(file.fileno()).st_size
            total.update(f"{name} {size}\n".encode("utf-8", "surrogateescape"))
            for at in range(_SLICES):
                file.seek(max(0, size - _SLICE) * at // (_SLICES - 1))
                total.update(file.read(_SLICE))
    return total.hexdigest()


def _state_of(root: Path) -> StateFile[str]:
    path = state_folder() / "base_ids" / f"{digest_weights(root)[:24]}.json"
    return StateFile(path, "name of a base model", _decode, _encode)


def _decode(content: bytes) -> str:
    base_id = decode_table(content).get("base_id")
    if not isinstance(base_id, str) or not is_hub_id(base_id):
        raise UnusableState("has an unknown format")
    return base_id


def _encode(base_id: str) -> bytes:
    return encode_json({"schema": _SCHEMA, "base_id": base_id})
