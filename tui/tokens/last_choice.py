"""Which tokenizers were compared last, in the user's state folder."""

import os
from collections.abc import Sequence
from pathlib import Path

from engine import atomic
from engine.state_files import StateFile, UnusableState, decode_table, state_folder

_SCHEMES = ("bundled:", "run:")


def load() -> tuple[str, ...]:
    """Their refs; without those that are gone, and none where the file says nothing to us."""
    refs = _file().load()[0] or ()
    return tuple(ref for ref in refs if ref.startswith(_SCHEMES) or os.path.exists(ref))


def save(refs: Sequence[str]) -> None:
    """Keep the choice, paths as absolute ones: the next start may be elsewhere. Raises OSError."""
    _file().save(
        [
            ref if ref.startswith(_SCHEMES) else os.path.abspath(os.path.expanduser(ref))
            for ref in refs
        ]
    )


def kept_file() -> Path:
    return state_folder() / "tokenizers.json"


def _file() -> StateFile[list[str]]:
    return StateFile(
        kept_file(),
        "choice",
        _decode,
        lambda refs: atomic.encode_json({"tokenizers": refs}),
    )


def _decode(content: bytes) -> list[str]:
    refs = decode_table(content).get("tokenizers")
    if not isinstance(refs, list) or not all(isinstance(ref, str) for ref in refs):
        raise UnusableState("holds something else")
    return refs
