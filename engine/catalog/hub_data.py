"""Data sets in the caches: those that the hub's cache keeps as files, by name as on the hub.

Layout: `datasets--OWNER--NAME/` with `refs/main` and `snapshots/<commit>/`, as for models.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from engine.catalog import hub_cache, saved

_PREFIX = "datasets--"


def list_snapshots() -> Iterator[tuple[str, Path]]:
    """`OWNER/NAME` and the folder of its newest snapshot, by name; none where there is no cache."""
    try:
        found = sorted(hub_cache.find_cache().iterdir())
    except OSError:
        return
    for repository in found:
        if not repository.name.startswith(_PREFIX) or not os.path.isdir(repository):
            continue
        snapshot = next(hub_cache.list_snapshots(repository), None)
        if snapshot is not None:
            yield repository.name.removeprefix(_PREFIX).replace("--", "/", 1), snapshot


def find(name: str) -> Path | None:
    """The folder of a data set that a cache knows by this name; None where none does."""
    for folder in saved.list_cached(saved.find_cache()):
        if saved.name_cached(folder) == name:
            return folder
    return next((folder for known, folder in list_snapshots() if known == name), None)
