"""Search for checkpoints in folders: a few levels deep, safe with links, cycles and huge
folders."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from engine.checkpoints.config_json import read_json
from engine.checkpoints.gguf_file import is_later_part
from engine.checkpoints.gguf_header import is_gguf
from engine.checkpoints.hub_cache import is_repository
from engine.checkpoints.weights import is_weights
from engine.errors import EngineError
from engine.safe_open import is_folder

DEEPEST = 3
"""Levels below a configured folder."""
MOST_FOLDERS = 2000
"""Folders opened in one search, under all configured ones."""
MOST_ENTRIES = 10_000
"""Of one folder."""
_SKIPPED = ("node_modules", "__pycache__", "site-packages")


class Search:
    """One walk through several folders; `skipped` holds what could not be read, and why."""

    def __init__(self) -> None:
        self.skipped: list[tuple[Path, str]] = []
        self._seen: set[tuple[int, int]] = set()

    def find(self, folders: Iterable[Path]) -> Iterator[Path]:
        """GGUF files, and folders that look like a checkpoint, an adapter, or a repository of the
        hub's cache.

        Level by level, so that a folder is found under its own path before a link to it.
        """
        waiting = deque((folder, 0) for folder in folders)
        while waiting:
            folder, depth = waiting.popleft()
            if not self._is_new(folder):
                continue
            if len(self._seen) > MOST_FOLDERS:
                why = f"not searched: more than {MOST_FOLDERS:,} folders; configure a narrower path"
                self.skipped.append((folder, why))
                return
            names, below = self._list(folder)
            if is_repository(folder):
                yield folder
                continue
            files = [name for name in names if is_gguf(Path(name)) and not is_later_part(name)]
            if looks_like_checkpoint(folder, names) and (not files or _has_more(names)):
                yield folder
            yield from (folder / name for name in files)
            if depth < DEEPEST and "job.json" not in names:  # runs are listed as runs
                waiting.extend((path, depth + 1) for path in below)

    def _is_new(self, folder: Path) -> bool:
        """Whether it is there, and was not seen under this or another name."""
        try:
            status = folder.stat()
        except (OSError, ValueError) as error:
            if not isinstance(error, FileNotFoundError):  # a configured folder need not exist
                self._skip(folder, error)
            return False
        identity = (status.st_dev, status.st_ino)
        known = identity in self._seen
        self._seen.add(identity)
        return not known

    def _list(self, folder: Path) -> tuple[list[str], list[Path]]:
        """The names in a folder, and the folders below that are worth a look."""
        try:
            with os.scandir(folder) as entries:
                found = sorted(islice(entries, MOST_ENTRIES), key=lambda entry: entry.name)
        except OSError as error:
            self._skip(folder, error)
            return [], []
        if len(found) == MOST_ENTRIES:
            self.skipped.append((folder, f"only the first {MOST_ENTRIES:,} entries were searched"))
        hidden = (".", *_SKIPPED)
        below = [Path(e.path) for e in found if not e.name.startswith(hidden) and is_folder(e)]
        return [entry.name for entry in found], below

    def _skip(self, folder: Path, error: OSError | ValueError) -> None:
        why = error.strerror if isinstance(error, OSError) else str(error)
        self.skipped.append((folder, f"the folder cannot be read: {why}"))


def _has_more(names: Iterable[str]) -> bool:
    """Whether a folder with GGUF files holds other weights, or an adapter, as well."""
    return any(is_weights(name) or name == "adapter_config.json" for name in names)


def looks_like_checkpoint(folder: Path, names: Iterable[str]) -> bool:
    """Weights under a known name, an adapter's config, or a config that names a model."""
    known = set(names)
    if "adapter_config.json" in known or any(is_weights(name) for name in known):
        return True
    if "config.json" not in known:
        return False
    try:
        config = read_json(folder / "config.json")
    except EngineError:
        return bool(known & {"tokenizer.json", "tokenizer_config.json", "generation_config.json"})
    return "model_type" in config or "architectures" in config
