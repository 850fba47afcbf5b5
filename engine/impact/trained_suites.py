"""Which suites a stage was trained on: those whose items come from the data of its run.

Owns that question, by the names in recipes. Whether a single item stands in the training rows, by
its own text, is `engine.impact.contamination`.
"""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from engine.checkpoints.run_outputs import find_producer, find_run
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.impact.suite_specs import SuiteSpec
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import TrainRecipe

_RUN = "run:"


def find_trained(
    arms: Sequence[Arm], suites: Sequence[SuiteSpec], runs: Sequence[Path]
) -> dict[str, tuple[str, ...]]:
    """By arm, the names of the suites that it was trained on since the arm that it comes from: by
    the run that made it, and by runs before that one which are no arms themselves.

    A suite is: what such a run held out (`run:ID`), what another run of the same data held out, or
    its training, evaluation or replay data. An arm that no run made, or whose recipe cannot be
    read, has none: nothing is known of it.
    """
    refs = {arm.adapter or arm.checkpoint for arm in arms}
    trained = {}
    for arm in arms:
        lineage = _list_runs(arm.adapter or arm.checkpoint, refs, runs)
        data = [(run, _list_data(run)) for run in lineage]
        trained[arm.name] = tuple(
            suite.name
            for suite in suites
            if any(_is_of(suite, run, names, runs) for run, names in data)
        )
    return trained


def _list_runs(ref: str, arms: Collection[str], runs: Sequence[Path]) -> list[Path]:
    """The run that made a checkpoint, and those before it down to the next arm."""
    lineage: list[Path] = []
    while True:
        run = find_producer(ref, runs)
        if run is None or run in lineage:
            return lineage
        lineage.append(run)
        recipe = _read_recipe(run)
        if recipe is None or recipe.model.checkpoint in arms:
            return lineage
        ref = recipe.model.checkpoint


def _is_of(suite: SuiteSpec, run: Path, data: Sequence[str], runs: Sequence[Path]) -> bool:
    if suite.is_import:
        return False
    if not suite.ref.startswith(_RUN):
        return any(_is_same(suite.ref, one) for one in data)
    other = find_run(suite.ref, runs)
    if other is None:
        return False
    held_out = _list_data(other)[:1]
    return other == run or any(_is_same(one, held) for held in held_out for one in data)


def _list_data(run: Path) -> list[str]:
    """The data that a run was trained on, the training data first."""
    recipe = _read_recipe(run)
    if recipe is None:
        return []
    return [ref for ref in (recipe.data.train, recipe.data.eval, recipe.replay.data) if ref]


def _read_recipe(run: Path) -> TrainRecipe | None:
    try:
        recipe = JobDirectory(run).recipe()
    except EngineError:
        return None
    return recipe if isinstance(recipe, TrainRecipe) else None


def _is_same(suite: str, data: str) -> bool:
    """Whether both name one data set; a file of a data set's folder is a part of it."""
    if suite == data:
        return True
    if any(one.startswith(("bundled:", _RUN)) for one in (suite, data)):
        return False
    one, other = (Path(os.path.realpath(os.path.expanduser(ref))) for ref in (suite, data))
    return one == other or other in one.parents or one in other.parents
