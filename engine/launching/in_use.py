"""Which checkpoints others build on: runs that start from one, arms of jobs and of stored sets.

A run's result is never dropped, so only paths count: `run:ID` means the result. What lies outside
finetop's own folders (a script, another program's settings) is not known here.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from engine.compare import arm_sets
from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.recipes.recipe import EvaluateRecipe, GenerateRecipe, TrainRecipe


def find_users(store: Store) -> dict[Path, str]:
    """Who builds on a path, with links resolved; a run does not count for itself.

    Raises EngineError where the stored sets of arms cannot be read: what they use is then unknown.
    """
    users: dict[Path, str] = {}
    for job in store.jobs():
        own = Path(os.path.realpath(job.path))
        for ref in _refs(job, store):
            if (path := _path(ref)) is not None and own not in path.parents:
                users.setdefault(path, f"run {job.path.name}")
    for name, arms in arm_sets.read().items():
        for arm in arms:
            for ref in _refs_of_arm(arm):
                if (path := _path(ref)) is not None:
                    users.setdefault(path, f"the set of arms {name!r}")
    return users


def _refs(job: JobDirectory, store: Store) -> Iterator[str]:
    record = store.record(job)
    yield from record.parents if record is not None else ()
    try:
        recipe = job.recipe()
    except EngineError:
        return
    if isinstance(recipe, TrainRecipe):
        yield recipe.model.checkpoint
    arms = recipe.arms if isinstance(recipe, GenerateRecipe | EvaluateRecipe) else []
    for text in arms:
        try:
            yield from _refs_of_arm(parse_arm(text))
        except EngineError:
            continue


def _refs_of_arm(arm: Arm) -> tuple[str, ...]:
    return () if arm.is_endpoint else (arm.checkpoint, arm.adapter or "")


def _path(ref: str) -> Path | None:
    """The path that a ref may be; None for a run or a bundled model."""
    if not ref or ref.startswith(("run:", "bundled:")):
        return None
    return Path(os.path.realpath(os.path.expanduser(ref)))
