"""Looking for checkpoints in folders: a few levels deep, through links, loops and crowds."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.catalog.configs import read_json
from engine.catalog.hub_cache import is_repository
from engine.catalog.weights import is_weights
from engine.errors import EngineError

DEEPEST = 3
"""Levels below a configured folder."""
MOST_FOLDERS = 2000
"""Folders opened in one search, under all configured ones."""
_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages", "blobs"})


class Search:
    """One walk through several folders; `skipped` holds what could not be read, and why."""

    def __init__(self) -> None:
        self.skipped: list[tuple[Path, str]] = []
        self._seen: set[tuple[int, int]] = set()

    def find(self, folders: Iterable[Path]) -> Iterator[Path]:
        """Folders that look like a checkpoint, an adapter, or a repository of the hub's cache."""
        for folder in folders:
            yield from self._enter(folder, 0, configured=True)

    def _enter(self, folder: Path, depth: int, *, configured: bool = False) -> Iterator[Path]:
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in self._seen:
                return
            if len(self._seen) >= MOST_FOLDERS:
                self._stop(folder)
                return
            self._seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
            below = [Path(entry.path) for entry in found if entry.is_dir()]
        except FileNotFoundError:
            return  # a configured folder need not exist
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self.skipped.append((folder, f"the folder cannot be read: {why}"))
            return
        if is_repository(folder):
            yield folder
            return
        if looks_like_checkpoint(folder, [entry.name for entry in found]):
            yield folder
        if "job.json" in {entry.name for entry in found} or depth == DEEPEST:
            return  # a run's own folders are listed as runs
        for path in below:
            if path.name not in _SKIPPED and (configured or not path.name.startswith(".")):
                yield from self._enter(path, depth + 1)

    def _stop(self, folder: Path) -> None:
        if not any("searched" in why for _, why in self.skipped):
            why = f"not searched: more than {MOST_FOLDERS:,} folders, configure narrower ones"
            self.skipped.append((folder, why))


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
