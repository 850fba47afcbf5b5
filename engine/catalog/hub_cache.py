"""The Hugging Face cache: where it is, and which snapshot of each model to show.

Layout: `models--OWNER--NAME/` with `refs/<branch>` (a commit), `snapshots/<commit>/` (links into
`blobs/`), and `blobs/*.incomplete` while something is fetched. Config-only snapshots are normal.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from engine.catalog.files import read_bounded
from engine.errors import EngineError

_MOST_SNAPSHOTS = 50


def find_cache() -> Path:
    """The folder of repositories, by the hub's own variables and in its order."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    hub = Path(os.environ.get("HF_HOME") or home, "hub")
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or hub
    return Path(os.path.expandvars(named)).expanduser().absolute()


def is_repository(folder: Path) -> bool:
    """By its name: a model in the cache, be it only begun, or one of a cache that was moved."""
    return folder.name.startswith("models--") and os.path.isdir(folder)


def list_repositories(cache: Path) -> list[Path]:
    """The models in the cache, by name; none where there is no cache. Raises EngineError."""
    try:
        return sorted(path for path in cache.iterdir() if is_repository(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise EngineError(f"the folder cannot be read: {error.strerror}", str(cache)) from error


def name_repository(repository: Path) -> str:
    """`OWNER/NAME`."""
    return repository.name.removeprefix("models--").replace("--", "/", 1)


def list_snapshots(repository: Path) -> Iterator[Path]:
    """The snapshot of `main` first, then the others, newest first."""
    try:
        commit = read_bounded(repository / "refs" / "main", 200).decode("ascii", "replace").strip()
    except EngineError:
        commit = ""
    try:
        found = [path for path in (repository / "snapshots").iterdir() if path.is_dir()]
        found.sort(key=lambda path: (path.name != commit, -path.stat().st_mtime_ns, path.name))
    except OSError:
        return
    yield from found[:_MOST_SNAPSHOTS]


def is_unfinished(repository: Path) -> bool:
    """Whether a download was begun and has not ended."""
    try:
        return any(p.name.endswith(".incomplete") for p in (repository / "blobs").iterdir())
    except OSError:
        return False


def find_repository(snapshot: Path) -> Path | None:
    """The repository that a snapshot belongs to; None for a folder that is no snapshot."""
    repository = snapshot.parent.parent
    inside = snapshot.parent.name == "snapshots" and repository.name.startswith("models--")
    return repository if inside else None
