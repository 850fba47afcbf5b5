"""The checkpoints that can be picked: bundled, in folders, in the hub's cache, made by runs.

Reads configs and headers only, never tensors, never code. What cannot be used is listed with the
reason. `resolve` refuses to give something unusable.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.catalog import hub_cache
from engine.catalog.configs import read_json
from engine.catalog.entry import Checkpoint
from engine.catalog.inspection import (
    BUNDLED,
    inspect,
    inspect_bundled,
    inspect_repository,
    locate,
)
from engine.catalog.search import Search
from engine.errors import EngineError

__all__ = ["BUNDLED", "Checkpoint", "inspect", "resolve", "scan"]

_OUTPUTS = ("adapter", "model")
"""What a run leaves in its directory: one of them."""


def scan(folders: Sequence[Path], runs: Sequence[Path]) -> list[Checkpoint]:
    """All that can be picked and all that cannot, each once: bundled, of runs, in folders, cached.

    `folders` are searched a few levels deep, `runs` are job directories. Never raises.
    """
    found: dict[str, Checkpoint] = {}
    for entry in (inspect_bundled(), *_scan_runs(runs), *_scan_folders(folders), *_scan_cache()):
        found.setdefault(os.path.realpath(entry.path), entry)
    return list(found.values())


def resolve(ref: str, runs: Sequence[Path] = ()) -> Checkpoint:
    """The checkpoint that a recipe names; also a path, or a name that the hub's cache knows.

    Raises EngineError where there is none, or where it cannot be used.
    """
    if ref.startswith("run:"):
        found = _resolve_run(ref, runs)
    elif ref.startswith("bundled:"):
        if ref != BUNDLED:
            raise EngineError(f"nothing bundled is called {ref}", hint=f"There is {BUNDLED}.")
        found = inspect_bundled()
    else:
        path = locate(ref)
        if path is None:
            raise EngineError(
                f"no checkpoint at {ref}",
                hint="Give a model's folder, run:<id>, or a name in the hub's cache.",
            )
        found = inspect(path)
    if found.reason is not None:
        raise EngineError(f"{found.name} cannot be used: {found.reason}", str(found.path))
    return found


def _scan_folders(folders: Sequence[Path]) -> Iterator[Checkpoint]:
    search = Search()
    for path in search.find(folders):
        yield inspect_repository(path) if hub_cache.is_repository(path) else inspect(path)
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
        yield inspect_repository(repository)


def _scan_runs(runs: Sequence[Path]) -> Iterator[Checkpoint]:
    for run in runs:
        entry = _inspect_run(run)
        if entry is not None:
            yield entry


def _inspect_run(run: Path) -> Checkpoint | None:
    """What the run left; None where it has left nothing yet."""
    output = next((run / name for name in _OUTPUTS if (run / name).is_dir()), None)
    if output is None:
        return None
    number, name = _name_run(run)
    return replace(inspect(output, ref=f"run:{number}", source="run"), name=name)


def _name_run(run: Path) -> tuple[str, str]:
    """The run's id and the name that its owner gave it."""
    try:
        record = read_json(run / "job.json")
    except EngineError:
        record = {}
    number, name = record.get("id"), record.get("name")
    number = number if isinstance(number, str) and number else run.name
    return number, name if isinstance(name, str) and name else number


def _resolve_run(ref: str, runs: Sequence[Path]) -> Checkpoint:
    wanted = ref.partition(":")[2]
    for run in runs:
        if wanted in (run.name, _name_run(run)[0]):
            found = _inspect_run(run)
            if found is not None:
                return found
            raise EngineError(f"{ref} has left no weights", str(run), "It has not come to its end.")
    raise EngineError(f"no run is called {wanted}", hint="finetop runs lists them.")
