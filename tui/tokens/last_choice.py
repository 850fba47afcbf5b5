"""Which tokenizers were compared last, in the user's state folder."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from engine import atomic
from engine.jobs.store import state_folder

_SCHEMES = ("bundled:", "run:")
_LARGEST = 1 << 16
"""Bytes of the file."""


def kept_file() -> Path:
    return state_folder() / "tokenizers.json"


def load() -> tuple[str, ...]:
    """Their refs; without those that are gone, and none where the file says nothing to us."""
    try:
        with kept_file().open("rb") as file:
            table = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return ()
    refs = table.get("tokenizers") if isinstance(table, dict) else None
    if not isinstance(refs, list) or not all(isinstance(ref, str) for ref in refs):
        return ()
    return tuple(ref for ref in refs if ref.startswith(_SCHEMES) or os.path.exists(ref))


def save(refs: Sequence[str]) -> None:
    """Keep the choice, paths as absolute ones: the next start may be elsewhere. Raises OSError."""
    whole = [
        ref if ref.startswith(_SCHEMES) else os.path.abspath(os.path.expanduser(ref))
        for ref in refs
    ]
    kept_file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    atomic.write_json(kept_file(), {"tokenizers": whole}, durable=False)
