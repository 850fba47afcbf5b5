"""Describes one folder, or GGUF file, without loading, importing or running anything in it.

Reads a folder again only where a file was added, removed or changed. Finds an adapter's base.
"""

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from engine.bundled import BASE
from engine.checkpoints import hub_cache
from engine.checkpoints.adapters import add_base, describe_adapter, is_adapter
from engine.checkpoints.entry import NOT_DOWNLOADED, Checkpoint
from engine.checkpoints.gguf_file import describe_gguf, is_later_part
from engine.checkpoints.gguf_header import is_gguf
from engine.checkpoints.model_folder import describe_model
from engine.checkpoints.weights import is_weights
from engine.errors import EngineError
from engine.safe_open import list_files

BUNDLED = "bundled:demo-base"
Stamp = tuple[tuple[str, int, int], ...]
"""Name, time of change in ns, and size in bytes of each file."""


def inspect(path: Path, *, ref: str | None = None, source: str = "folder") -> Checkpoint:
    """Describe one folder or GGUF file, whatever is in it. Never raises: what is wrong stands in
    `reason`.

    An adapter whose base is not on this machine has a reason, its base's name, and no `base_path`.
    """
    entry, stamp = _open(path, ref, source)
    if is_gguf(path):
        return entry if entry.reason else _describe(entry, stamp)
    if entry.reason is None and is_adapter([name for name, _, _ in stamp]):
        entry = _describe(replace(entry, kind="adapter"), stamp)
        path_of_base = locate(entry.base) if entry.base else None
        base = inspect_base(path_of_base) if path_of_base else None
        entry = add_base(entry, base)
    elif entry.reason is None:
        entry = _describe(entry, stamp)
    return _explain_download(entry)


def inspect_repository(repository: Path) -> list[Checkpoint]:
    """A model of the cache: its snapshot of main, be it usable or not, and all others that are.

    Where main's cannot be used and another can, that one comes first.
    """
    first = _pick_snapshot(repository)
    others = [path for path in hub_cache.list_snapshots(repository) if path != first]
    files = [file for path in (first, *others) for file in list_gguf(path)]
    if files and not any(has_weights(path) for path in (first, *others)):
        return [inspect(file, source="cache") for file in files]
    entries = [inspect(first, source="cache"), *(inspect(path, source="cache") for path in others)]
    whole = [entries[0], *(entry for entry in entries[1:] if entry.reason is None)]
    return [*whole, *(inspect(file, source="cache") for file in files)]


def list_gguf(folder: Path) -> list[Path]:
    """The GGUF files directly in a folder; of one that is split, its first part. Never raises."""
    try:
        names = sorted(list_files(folder))
    except EngineError:
        return []
    return [folder / name for name in names if is_gguf(Path(name)) and not is_later_part(name)]


def has_weights(folder: Path) -> bool:
    """Whether there are weights of another kind than GGUF, or an adapter."""
    try:
        names = list_files(folder)
    except EngineError:
        return False
    return "adapter_config.json" in names or any(is_weights(name) for name in names)


def _open(path: Path, ref: str | None, source: str) -> tuple[Checkpoint, Stamp]:
    """The entry before anything is read, and the folder's files."""
    path = Path(os.path.abspath(path))
    folder = path.parent if is_gguf(path) else path
    repository = hub_cache.find_repository(folder)
    source = "cache" if repository else source
    entry = Checkpoint(ref or str(path), hub_cache.name_folder(path), path, source, "model")
    try:
        files = list_files(folder)
        if is_gguf(path):
            files = {path.name: files[path.name]} if path.name in files else {}
            if not files:
                return replace(entry, reason="the file is missing"), ()
    except EngineError as error:
        absent = isinstance(error.__cause__, FileNotFoundError)
        return replace(entry, reason=NOT_DOWNLOADED if repository and absent else error.title), ()
    entry = replace(entry, size_bytes=sum(status.st_size for status in files.values()))
    stamp = sorted((name, status.st_mtime_ns, status.st_size) for name, status in files.items())
    return entry, tuple(stamp)


@lru_cache(maxsize=2048)
def _describe(entry: Checkpoint, stamp: Stamp) -> Checkpoint:
    """Read the folder or file; again only where a file was added, removed or changed."""
    if is_gguf(entry.path):
        return describe_gguf(entry)
    names = frozenset(name for name, _, _ in stamp)
    describe = describe_adapter if entry.kind == "adapter" else describe_model
    return describe(entry, names)


def inspect_base(path: Path) -> Checkpoint:
    """`inspect` for a base: read as a model even where it is an adapter, so no circle forms."""
    entry, stamp = _open(path, None, "folder")
    return _explain_download(entry if entry.reason else _describe(entry, stamp))


def inspect_bundled() -> Checkpoint:
    return replace(inspect(BASE, ref=BUNDLED, source="bundled"), name=BUNDLED.partition(":")[2])


def _explain_download(entry: Checkpoint) -> Checkpoint:
    """Why files of the cache are missing: an incomplete download, or a removed blob."""
    repository, reason = hub_cache.find_repository(entry.path), entry.reason
    if reason is None or not repository:
        return entry
    if hub_cache.is_unfinished(repository):
        return replace(entry, reason=f"{reason}: the download is incomplete")
    if not reason.startswith(NOT_DOWNLOADED):
        return entry
    dangling = hub_cache.find_dangling(entry.path)
    if dangling:
        return replace(entry, reason=f"{reason}: {dangling} is a broken symlink")
    return entry


def locate(named: str) -> Path | None:
    """Where a checkpoint lies that is named by a path, the hub's name, or as bundled elsewhere."""
    try:
        path = Path(named).expanduser()
    except RuntimeError:  # the home of a user who does not exist
        return None
    if is_gguf(path) and os.path.isfile(path):
        return path
    if named and os.path.isdir(path):
        return _pick_snapshot(path) if hub_cache.is_repository(path) else path
    if path.parts[-3:] == BASE.parts[-3:] or named == BUNDLED:
        return BASE  # the bundled model, as an installation on another machine names it
    match = hub_cache.HUB_ID.fullmatch(named)
    if hub_cache.find_repository(path):  # of another cache: the same commit may be in this one
        return _find_in_cache(hub_cache.name_repository(path.parent.parent), path.name)
    return _find_in_cache(match[1], match[2]) if match else None


def _find_in_cache(name: str, revision: str | None) -> Path | None:
    repository = hub_cache.find_cache() / f"models--{name.replace('/', '--')}"
    if not hub_cache.is_repository(repository):
        return None
    if revision:
        return hub_cache.find_snapshot(repository, revision)
    return _pick_snapshot(repository)


def suggest_get(named: str) -> str:
    """How a model of the Hub is fetched, where `named` may be one; empty where it cannot be."""
    match = hub_cache.HUB_ID.fullmatch(named)
    is_path = named.startswith((".", "/", "~"))
    if match is None or "/" not in match[1] or is_path or os.path.exists(named):
        return ""
    revision = f" --revision {match[2]}" if match[2] else ""
    return f"With a network, finetop get {match[1]}{revision} downloads it from the Hub."


def _pick_snapshot(repository: Path) -> Path:
    """The snapshot of main; where it cannot be used, the newest that can."""
    snapshots = list(hub_cache.list_snapshots(repository))
    usable = (path for path in snapshots if inspect_base(path).reason is None)
    return next(usable, snapshots[0] if snapshots else repository / "snapshots" / "main")
