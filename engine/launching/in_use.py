"""What others build on: runs that start from a checkpoint, arms of jobs and of stored sets.

Pruning asks for paths: a run's result, `run:ID`, is never dropped. Deleting asks for all of a run.
What lies outside finetop's own folders (a script, another program's settings) is not known here.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from engine.compare import arm_sets
from engine.compare.arms import Arm, answering_arms, parse_arm
from engine.errors import EngineError
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.store import Store
from engine.recipes.recipe import (
    EvaluateRecipe,
    ExportRecipe,
    GenerateRecipe,
    JudgeRecipe,
    SweepRecipe,
    SynthesizeRecipe,
    TrainRecipe,
)
from engine.sweeps.points_file import read_points


def find_users(store: Store) -> dict[Path, str]:
    """Who builds on a path, with links resolved; a run does not count for itself.

    Raises EngineError where the stored sets of arms cannot be read: what they use is then unknown.
    """
    users: dict[Path, str] = {}
    for ref, user, own in _uses(store):
        path = _path(ref)
        if path is not None and (own is None or own not in path.parents):
            users.setdefault(path, user)
    return users


def find_users_of_run(job: JobDirectory, store: Store) -> tuple[str, ...]:
    """Who builds on a run: its result, what it held out, or a file in its directory.

    Raises EngineError as `find_users` does.
    """
    record = store.record(job)
    names = {f"run:{job.path.name}", *([f"run:{record.id}"] if record is not None else [])}
    folder = Path(os.path.realpath(job.path))

    def is_of_run(ref: str) -> bool:
        path = _path(ref)
        return ref in names or (path is not None and folder in (path, *path.parents))

    users = (user for ref, user, own in _uses(store) if own != folder and is_of_run(ref))
    return tuple(dict.fromkeys(users))


def _uses(store: Store) -> Iterator[tuple[str, str, Path | None]]:
    """What is used, by whom, and the user's own directory where that is a run."""
    for job in store.jobs():
        own = Path(os.path.realpath(job.path))
        for ref in _refs(job, store):
            yield ref, f"run {job.path.name}", own
    for name, arms in arm_sets.read().items():
        for arm in arms:
            for ref in _refs_of_arm(arm):
                yield ref, f"the set of arms {name!r}", None


def _refs(job: JobDirectory, store: Store) -> Iterator[str]:
    record = store.record(job)
    if record is not None:
        yield from (*record.parents, *record.inputs)
        yield from [f"run:{record.sweep}"] if record.sweep else []
    try:
        recipe = job.recipe()
    except EngineError:
        return
    if isinstance(recipe, TrainRecipe):
        yield recipe.model.checkpoint
    if isinstance(recipe, SweepRecipe):
        yield from _refs_of_sweep(job, recipe)
    if isinstance(recipe, JudgeRecipe):
        yield recipe.job
        arms = [recipe.judge]
    elif isinstance(recipe, SynthesizeRecipe):
        yield from (recipe.source.data, recipe.source.held_out, recipe.pairs.job)
        arms = answering_arms(recipe)
    elif isinstance(recipe, ExportRecipe):
        arms = [recipe.source]
        yield recipe.report
    elif isinstance(recipe, GenerateRecipe | EvaluateRecipe):
        yield recipe.prompts
        arms = recipe.arms
    else:
        return
    for text in arms:
        try:
            yield from _refs_of_arm(parse_arm(text))
        except EngineError:
            continue


def _refs_of_sweep(job: JobDirectory, recipe: SweepRecipe) -> Iterator[str]:
    """What its runs begin with or mix in, also those that are still to come, and these runs."""
    yield from (recipe.base.model.checkpoint, recipe.base.data.train, recipe.base.replay.data)
    for key in ("model.checkpoint", "data.train", "replay.data"):
        yield from (str(value) for value in recipe.over.get(key, ()))
    yield from (f"run:{one.run}" for one in read_points(job).points if one.run)


def _refs_of_arm(arm: Arm) -> tuple[str, ...]:
    return () if arm.is_endpoint else (arm.checkpoint, arm.adapter or "")


def _path(ref: str) -> Path | None:
    """The path that a ref may be; None for a run or a bundled model."""
    if not ref or ref.startswith((RUN, "bundled:")):
        return None
    return Path(os.path.realpath(os.path.expanduser(ref)))
