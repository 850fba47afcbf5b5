"""Outputs of runs: the adapter or model in a job directory, its name, and its base."""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.bundled import BASE
from engine.checkpoints import hub_cache
from engine.checkpoints.adapters import add_base
from engine.checkpoints.config_json import read_json
from engine.checkpoints.describe import BUNDLED, inspect, inspect_base, inspect_bundled, locate
from engine.checkpoints.entry import Checkpoint
from engine.errors import EngineError
from engine.jobs.directory import RUN
from engine.safe_open import read_bounded

_OUTPUTS = ("adapter", "model")
"""The folders of a job directory that hold weights: a run makes one of them."""
MERGED = "base"
"""The folder of a run that merged an adapter first: the full model that its new adapter needs."""
_LARGEST_RECIPE = 1 << 20


def inspect_run(run: Path, runs: Sequence[Path]) -> Checkpoint | None:
    """The output of the run; None where there is none yet.

    An adapter's base is the run's own merged one; else it is sought by the name in its config
    and, where that leads nowhere because folders were moved, by the recipes of this run and of
    those that it builds on.
    """
    output = next((run / name for name in _OUTPUTS if os.path.isdir(run / name)), None)
    if output is None:
        return None
    identity, name = _name_run(run)
    entry = replace(inspect(output, ref=f"run:{identity}", source="run"), name=name)
    return _add_base_of_run(entry, run, runs)


def inspect_folder(path: Path, runs: Sequence[Path]) -> Checkpoint:
    """A folder by its path. An adapter that lies in a run, be it in one of its checkpoints, finds
    its base by that run, for its own config need not name it."""
    entry, run = inspect(path), find_run_around(path)
    return entry if run is None else _add_base_of_run(entry, run, runs)


def find_run_around(path: Path) -> Path | None:
    """The run whose output, merged base, or a checkpoint of which, a folder is."""
    above = Path(os.path.abspath(path)).parents[:2]
    return next((one for one in above if os.path.isfile(one / "job.json")), None)


def name_base(base: Path) -> tuple[str | None, str | None]:
    """How an adapter's config names its base, and which revision: None where only a path of this
    machine would tell, which nobody else has. Where it lies is then known by its run."""
    if base == BASE:
        return BUNDLED, None
    if hub_cache.find_repository(base) is None:
        return None, None
    name, _, revision = hub_cache.name_snapshot(base).partition("@")
    return name, base.name if revision else None


def _add_base_of_run(entry: Checkpoint, run: Path, runs: Sequence[Path]) -> Checkpoint:
    if entry.kind != "adapter" or entry.reason != entry.base_reason:
        return entry
    merged = run / MERGED
    if os.path.isdir(merged):  # wherever the folder of runs was moved or copied to
        base: Path | None = merged
    else:
        base = _trace_base(run, runs) if entry.base_path is None else None
    if base is not None:
        found = _describe_base(base)
        entry = add_base(replace(entry, reason=None, base=entry.base or found.name), found)
    return entry


def find_root(checkpoint: Checkpoint, runs: Sequence[Path]) -> Checkpoint:
    """The root model of a checkpoint, through every run that it was trained from.

    Where an earlier run is missing, it is the model at which the chain ends.
    """
    seen: set[Path] = set()
    while True:
        run = _run_of(checkpoint, runs)
        ref = read_checkpoint(run) if run is not None and run not in seen else None
        before = resolve_ref(ref, runs) if ref else None
        if before is not None and before.reason is None:
            assert run is not None, "a recipe was read from it"
            seen.add(run)
            checkpoint = before
        elif checkpoint.kind == "adapter" and checkpoint.base_path is not None:
            checkpoint = _describe_base(checkpoint.base_path)
        else:
            return checkpoint


def _describe_base(path: Path) -> Checkpoint:
    return inspect_bundled() if path == BASE else inspect_base(path)


def _run_of(checkpoint: Checkpoint, runs: Sequence[Path]) -> Path | None:
    """The run that made a checkpoint, which may be named by its path as well."""
    if checkpoint.ref.startswith(RUN):
        return find_run(checkpoint.ref, runs)
    path = checkpoint.path
    ours = path.name in (*_OUTPUTS, MERGED) and os.path.isfile(path.parent / "job.json")
    return path.parent if ours else None


def resolve_ref(ref: str, runs: Sequence[Path]) -> Checkpoint | None:
    """What a ref names, wherever it is; None where that is not there."""
    if ref.startswith(RUN):
        run = find_run(ref, runs)
        return inspect_run(run, runs) if run is not None else None
    if ref == BUNDLED:
        return inspect_bundled()
    path = locate(ref)
    return inspect_folder(path, runs) if path is not None else None


def find_run(ref: str, runs: Sequence[Path]) -> Path | None:
    """The job directory that `run:ID` names, by its record or by its folder's name."""
    wanted = ref.partition(":")[2]
    return next((run for run in runs if wanted in (run.name, _name_run(run)[0])), None)


def find_producer(ref: str, runs: Sequence[Path]) -> Path | None:
    """The job directory of the run that made what a ref names, be it one of its checkpoints; None
    where no run did, and where it is not there."""
    if ref.startswith(RUN):
        return find_run(ref, runs)
    path = None if ref == BUNDLED else locate(ref)
    return None if path is None else find_run_around(path)


def _trace_base(run: Path, runs: Sequence[Path]) -> Path | None:
    """The full model that an adapter was first trained on: a run may continue another run's
    adapter, or one that lies in a folder."""
    seen: set[Path] = set()
    while run not in seen:
        seen.add(run)
        ref = read_checkpoint(run)
        if ref is None:
            return None
        if ref.startswith(RUN):
            before = find_run(ref, runs)
        else:
            path = locate(ref)
            if path is None:
                return None
            entry = inspect(path)
            if entry.kind != "adapter":
                return path
            if entry.base_path is not None:
                return entry.base_path
            before = find_run_around(path)
        if before is None:
            return None
        for name in ("model", MERGED):
            if os.path.isdir(before / name):
                return before / name
        run = before
    return None


def read_checkpoint(run: Path) -> str | None:
    """The checkpoint that the run's recipe names."""
    try:
        recipe = tomllib.loads(read_bounded(run / "recipe.toml", _LARGEST_RECIPE).decode())
    except (EngineError, ValueError, RecursionError):
        return None
    model = recipe.get("model")
    ref = model.get("checkpoint") if isinstance(model, dict) else None
    return ref if isinstance(ref, str) and ref else None


def _name_run(run: Path) -> tuple[str, str]:
    """The run's id and the name that its owner gave it."""
    try:
        record = read_json(run / "job.json")
    except EngineError:
        record = {}
    identity, name = record.get("id"), record.get("name")
    identity = identity if isinstance(identity, str) and identity else run.name
    return identity, name if isinstance(name, str) and name else identity
