"""The Hugging Face cache: where it is, and which snapshots of each model there are.

Layout: `models--OWNER--NAME/` with `refs/<branch>` (a commit), `snapshots/<commit>/` (links into
`blobs/`), and `blobs/*.incomplete` while something is fetched. Config-only snapshots are normal,
and so are several, links whose blob was removed, and caches that were moved or copied.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from engine.errors import EngineError
from engine.safe_open import read_bounded

HUB_ID = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(?:@([\w./-]+))?", re.ASCII)
"""`OWNER/NAME`, and after an `@` a revision."""
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
    commit = read_ref(repository, "main")
    try:
        found = [path for path in (repository / "snapshots").iterdir() if path.is_dir()]
        found.sort(key=lambda path: (path.name != commit, -path.stat().st_mtime_ns, path.name))
    except OSError:
        return
    yield from found[:_MOST_SNAPSHOTS]


def read_ref(repository: Path, name: str) -> str:
    """The commit that a branch or tag means here; empty where it is not known."""
    try:
        return read_bounded(repository / "refs" / name, 200).decode("ascii", "replace").strip()
    except EngineError:
        return ""


def find_snapshot(repository: Path, revision: str) -> Path | None:
    """The snapshot of a branch, a tag, a commit or the start of one; None where none is here."""
    commit = read_ref(repository, revision) if ".." not in revision else ""
    for snapshot in list_snapshots(repository):
        if snapshot.name == commit or (len(revision) >= 4 and snapshot.name.startswith(revision)):
            return snapshot
    return None


def name_snapshot(snapshot: Path) -> str:
    """`OWNER/NAME` for the snapshot of main, else with `@` and a branch, a tag or the commit."""
    repository = snapshot.parent.parent
    name, main = name_repository(repository), read_ref(repository, "main")
    if snapshot.name == main or not _has_snapshot(repository, main):
        return name
    refs = repository / "refs"
    try:
        names = sorted(
            str(path.relative_to(refs)) for path in refs.rglob("*") if os.path.isfile(path)
        )
    except OSError:
        names = []
    known = [one for one in names if one != "main" and read_ref(repository, one) == snapshot.name]
    return f"{name}@{known[0] if known else snapshot.name[:8]}"


def _has_snapshot(repository: Path, commit: str) -> bool:
    return bool(commit) and os.path.isdir(repository / "snapshots" / commit)


def name_folder(folder: Path) -> str:
    """What a model's folder is called, or a file in it: by the hub's name where it lies in a cache
    of it."""
    if find_repository(folder.parent) and not os.path.isdir(folder):
        return f"{name_snapshot(folder.parent)}/{folder.name}"
    return name_snapshot(folder) if find_repository(folder) else folder.name


def find_dangling(snapshot: Path) -> str | None:
    """The first file of a snapshot that leads to a blob that is not there."""
    try:
        paths = sorted(snapshot.iterdir())
    except OSError:
        return None
    return next(
        (path.name for path in paths if path.is_symlink() and not os.path.exists(path)), None
    )


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
