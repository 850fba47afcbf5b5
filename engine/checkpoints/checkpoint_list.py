"""The checkpoints that can be picked: bundled, in folders, in the hub's cache, made by runs.

Reads configs and headers only, never tensors, never code. What cannot be used is listed with the
reason. `resolve` refuses to give something unusable.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.checkpoints import hub_cache
from engine.checkpoints.describe import (
    BUNDLED,
    has_weights,
    inspect,
    inspect_bundled,
    inspect_repository,
    list_gguf,
    locate,
    suggest_get,
)
from engine.checkpoints.entry import NOT_DOWNLOADED, Checkpoint
from engine.checkpoints.exports import inspect_exports
from engine.checkpoints.gguf_header import is_gguf
from engine.checkpoints.run_outputs import find_run, inspect_folder, inspect_run
from engine.checkpoints.search import Search
from engine.errors import EngineError
from engine.jobs.directory import RUN

__all__ = ["BUNDLED", "Checkpoint", "inspect", "resolve", "scan"]


def scan(folders: Sequence[Path], runs: Sequence[Path]) -> list[Checkpoint]:
    """All that can be picked and all that cannot, each once: bundled, of runs, in folders, cached.

    `folders` are searched a few levels deep, `runs` are job directories. Never raises.
    """
    found: dict[str, Checkpoint] = {}
    for entry in (inspect_bundled(), *_scan_runs(runs), *_scan_folders(folders), *_scan_cache()):
        found.setdefault(os.path.realpath(entry.path), entry)
    return list(found.values())


def resolve(ref: str, runs: Sequence[Path] = ()) -> Checkpoint:
    """The checkpoint that a recipe names; also a path, or a name in the Hub cache.

    Raises EngineError where there is none, or where it cannot be used. An adapter that is whole and
    only lacks its base is given, with its `base_reason`: whoever asks may have another base for it.
    """
    if ref.startswith(RUN):
        found = _resolve_run(ref, runs)
    elif ref.startswith("bundled:"):
        if ref != BUNDLED:
            raise EngineError(f"no bundled checkpoint {ref}", hint=f"Bundled: {BUNDLED}.")
        found = inspect_bundled()
    else:
        path = locate(ref)
        if path is None:
            raise EngineError(
                f"checkpoint not found: {ref}",
                hint=suggest_get(ref)
                or "Use a model folder, a .gguf file, run:<id>, or a name in the Hub cache.",
            )
        found = inspect_folder(_choose_file(path), runs)
    if found.reason != found.base_reason:
        absent = found.reason is not None and found.reason.startswith(NOT_DOWNLOADED)
        raise EngineError(
            f"{found.name} cannot be used: {found.reason}",
            str(found.path),
            suggest_get(found.name) if absent else "",
        )
    return found


def _choose_file(path: Path) -> Path:
    """The path itself; of a folder that holds GGUF and no other weights, its file. Raises
    EngineError where there are several."""
    files = [] if is_gguf(path) or has_weights(path) else list_gguf(path)
    if len(files) > 1:
        raise EngineError(
            f"{path.name} holds {len(files)} GGUF files",
            ", ".join(file.name for file in files),
            "Name one of them.",
        )
    return files[0] if files else path


def _scan_runs(runs: Sequence[Path]) -> Iterator[Checkpoint]:
    for run in runs:
        entry = inspect_run(run, runs)
        if entry is not None:
            yield entry
        else:
            yield from inspect_exports(run, runs)


def _resolve_run(ref: str, runs: Sequence[Path]) -> Checkpoint:
    run = find_run(ref, runs)
    if run is None:
        wanted = ref.partition(":")[2]
        raise EngineError(
            f"run not found: {wanted}",
            hint="See finetop runs; for models, finetop checkpoints. A folder has a slash: ./NAME.",
        )
    found = inspect_run(run, runs) or next(iter(inspect_exports(run, runs)), None)
    if found is None:
        raise EngineError(f"{ref} has no weights", str(run), "It did not finish.")
    return found


def _scan_folders(folders: Sequence[Path]) -> Iterator[Checkpoint]:
    search = Search()
    for path in search.find(folders):
        yield from inspect_repository(path) if hub_cache.is_repository(path) else [inspect(path)]
    for path, reason in search.skipped:
        yield Checkpoint(str(path), path.name or str(path), path, "folder", "model", reason=reason)


def _scan_cache() -> Iterator[Checkpoint]:
    cache = hub_cache.find_cache()
    try:
        repositories = hub_cache.list_repositories(cache)
    except EngineError as error:
        yield Checkpoint(str(cache), cache.name, cache, "cache", "model", reason=error.title)
        return
    for repository in repositories:
        yield from inspect_repository(repository)
