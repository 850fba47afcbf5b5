"""Tokenizers that lie about as files by themselves: GGUF, SentencePiece, tokenizer.json.

Looks at names only; what is in a file is found out when it is read.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from engine.checkpoints.search import MOST_ENTRIES, looks_like_checkpoint

DEEPEST = 2
"""Levels below a folder that is searched."""
MOST = 200
_ENDINGS = (".model", "tokenizer.json")


def find(folders: Sequence[Path]) -> list[Path]:
    """Files that may be tokenizers, in `folders` and a little below; at most MOST. Never raises."""
    seen: dict[str, Path] = {}
    for folder in folders:
        for path in _walk(folder, DEEPEST):
            seen.setdefault(os.path.realpath(path), path)
            if len(seen) == MOST:
                return list(seen.values())
    return list(seen.values())


def _walk(folder: Path, deep: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(islice(entries, MOST_ENTRIES), key=lambda entry: entry.name)
    except (OSError, ValueError):
        return
    names = [entry.name for entry in found]
    # A model's own tokenizer is named by its folder.
    alone = not looks_like_checkpoint(folder, names)
    for entry in found:
        try:
            if entry.is_dir():
                if deep and not entry.name.startswith("."):
                    yield from _walk(folder / entry.name, deep - 1)
            elif entry.name.endswith(".gguf") or (alone and entry.name.endswith(_ENDINGS)):
                yield folder / entry.name
        except OSError:
            continue
