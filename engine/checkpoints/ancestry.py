"""Which runs of ours trained a model or adapter, one after the other, and what is not known of it.

A run names the checkpoint that it began with, so that the chain is followed back to a model that no
run made. What that one was pre-trained on nobody here knows. Loads no weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.bundled import BASE
from engine.checkpoints.describe import BUNDLED, inspect, locate
from engine.checkpoints.exports import find_exported
from engine.checkpoints.run_outputs import MERGED, find_run, find_run_around, read_checkpoint
from engine.jobs.directory import RUN


@dataclass(slots=True)
class Ancestry:
    """The training behind one model, with or without an adapter."""

    runs: list[Path] = field(default_factory=list)
    """Job directories, the latest first, each once."""
    roots: list[str] = field(default_factory=list)
    """Refs of the whole models at which the chain ends."""
    gaps: list[str] = field(default_factory=list)
    """What was trained by somebody else or by a run that is gone, a phrase each."""


def trace_runs(refs: Sequence[str], runs: Sequence[Path]) -> Ancestry:
    """The runs behind checkpoints that are used together; `runs` are those that `run:ID` may mean.

    Refs are those of recipes and arms. Raises nothing for what is missing: that is a gap.
    """
    ancestry = Ancestry()
    for ref in refs:
        _follow(ref, runs, ancestry)
    return ancestry


def _follow(ref: str | None, runs: Sequence[Path], ancestry: Ancestry) -> None:
    """Follow one chain to its end, or to where another one came along."""
    seen: set[str] = set()
    while ref is not None and ref not in seen:
        seen.add(ref)
        if (source := find_exported(ref, runs)) is not None:
            ref = source
            continue
        run, trained = _find(ref, runs)
        if run is None:
            ref = _end(ref, ancestry)
            continue
        if trained and run in ancestry.runs:
            return
        if trained:
            ancestry.runs.append(run)
        before = read_checkpoint(run)
        if before is None:
            ancestry.gaps.append(f"the recipe of {run.name} cannot be read")
        ref = before


def _find(ref: str, runs: Sequence[Path]) -> tuple[Path | None, bool]:
    """The run that a ref leads to, and whether it trained these weights itself: the base that it
    merged was made by those before it."""
    if ref.startswith(RUN):
        return find_run(ref, runs), True
    path = None if ref.startswith("bundled:") else locate(ref)
    if path is None:
        return None, False
    return find_run_around(path), path.name != MERGED


def _end(ref: str, ancestry: Ancestry) -> str | None:
    """Note where a chain ends; of a foreign adapter its base goes on."""
    if ref.startswith(RUN):
        ancestry.gaps.append(f"the run {ref.removeprefix('run:')} is gone")
        return None
    path = None if ref == BUNDLED else locate(ref)
    if path is None and ref != BUNDLED:
        ancestry.gaps.append(f"{ref} is gone")
        return None
    entry = inspect(path) if path is not None else None
    if entry is None or entry.kind != "adapter":
        is_bundled = path is not None and path.resolve() == BASE.resolve()
        ancestry.roots.append(BUNDLED if is_bundled else ref)
        return None
    ancestry.gaps.append(f"the adapter {ref} was not trained here")
    return str(entry.base_path) if entry.base_path is not None else None
