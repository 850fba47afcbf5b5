"""Published exports as checkpoints: known by the jobs that made them, at the folder they wrote.

An export that was moved, or never came to be, is not there. Reads the jobs' own files, and of the
folders names alone: whether they are still what was exported `finetop export --verify` says.
"""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.checkpoints.adapters import add_base
from engine.checkpoints.config_json import read_json
from engine.checkpoints.describe import inspect, inspect_base, list_gguf
from engine.checkpoints.entry import Checkpoint
from engine.checkpoints.run_outputs import find_run, resolve_ref
from engine.errors import EngineError
from engine.jobs.directory import RUN
from engine.safe_open import read_bounded

_SUMS = "SHA256SUMS"
"""In each folder of an export that is whole."""
_LARGEST_RECIPE = 1 << 20


def inspect_exports(run: Path, runs: Sequence[Path]) -> list[Checkpoint]:
    """What the export of a job published: the merged model, GGUF files, the adapter; none of
    another job. `runs` are the job directories that its source may mean."""
    out = _published(run)
    if out is None:
        return []
    places = [out / "merged", *list_gguf(out / "gguf"), out / "adapter"]
    found = [_inspect(place, run, runs) for place in places if os.path.exists(place)]
    return [
        replace(entry, source="export", name=f"{out.name}/{entry.path.name}") for entry in found
    ]


def find_exported(ref: str, runs: Sequence[Path]) -> str | None:
    """The ref of what was exported, where `ref` is an export's job or lies in what it published;
    else None."""
    if ref.startswith(RUN):
        run = find_run(ref, runs)
        return _source_of(run) if run is not None else None
    if "/" not in ref and os.sep not in ref:
        return None
    place = Path(os.path.realpath(ref))
    for run in runs:
        out = _published(run)
        if out is not None and Path(os.path.realpath(out)) in place.parents:
            return _source_of(run)
    return None


def _inspect(place: Path, run: Path, runs: Sequence[Path]) -> Checkpoint:
    """An adapter that names a base which is not here finds that of the run that was exported."""
    entry = inspect(place)
    if entry.kind != "adapter" or entry.base_path is not None or entry.reason != entry.base_reason:
        return entry
    source = _source_of(run)
    found = resolve_ref(source, runs) if source else None
    if found is None or found.base_path is None:
        return entry
    return add_base(replace(entry, reason=None), inspect_base(found.base_path))


def _published(run: Path) -> Path | None:
    """The folder that an export made, where it is there."""
    if _read_record(run).get("kind") != "export":
        return None
    try:
        recipe = tomllib.loads(read_bounded(run / "recipe.toml", _LARGEST_RECIPE).decode())
    except (EngineError, ValueError, RecursionError):
        return None
    out = recipe.get("out")
    if not isinstance(out, str) or not os.path.isabs(out):
        return None
    parts = ("adapter", "merged", "gguf")
    return Path(out) if any(os.path.isfile(Path(out) / part / _SUMS) for part in parts) else None


def _source_of(run: Path) -> str | None:
    """What an export was made of: the first that its job builds on."""
    record = _read_record(run)
    parents = record.get("parents")
    if record.get("kind") != "export" or not isinstance(parents, list) or not parents:
        return None
    return parents[0] if isinstance(parents[0], str) else None


def _read_record(run: Path) -> dict[str, object]:
    try:
        return read_json(run / "job.json")
    except EngineError:
        return {}
