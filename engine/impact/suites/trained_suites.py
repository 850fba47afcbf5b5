"""Which suites a run was trained on, as its recipe and its rows tell.

It is so where the suite is what the run held out, where both name one data set, and where more than
half of the suite's questions stand among the rows. What is left are the skills that nobody trained,
whose change is the first number to look at.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.checkpoints.run_outputs import find_run
from engine.data import dataset_list
from engine.errors import EngineError
from engine.impact.suites.contamination import ItemContamination
from engine.impact.suites.suite_specs import SuiteSpec
from engine.jobs.directory import RUN, JobDirectory
from engine.recipes.recipe import TrainRecipe

TRAINED_SHARE = 0.5
"""Of a suite's questions that stand in training rows; above it the suite counts as trained."""


def trained_suites(
    run: Path,
    specs: Sequence[SuiteSpec],
    found: Mapping[str, Mapping[str, ItemContamination]],
    runs: Sequence[Path] = (),
) -> tuple[str, ...]:
    """The names of suites that the run was trained on.

    `found` is what of each suite's items stands in the run's own rows, by suite and item; suites
    whose rows were not read are not in it. `runs` are those that `run:ID` may mean.
    """
    own = _list_data(run, runs)
    names = []
    for spec in specs:
        items = found.get(spec.name, {})
        asked = sum(bool(item.question) for item in items.values())
        if _is_of(spec, run, own, runs) or asked > TRAINED_SHARE * len(items):
            names.append(spec.name)
    return tuple(names)


def _is_of(spec: SuiteSpec, run: Path, own: set[Path], runs: Sequence[Path]) -> bool:
    """Whether the suite is of the run's data: rows that it or a run like it held out, or either
    side of the data set."""
    if spec.is_import:
        return False
    if spec.ref.startswith(RUN):
        other = find_run(spec.ref, runs)
        return other is not None and (other == run or bool(own & _list_data(other, runs)))
    try:
        return dataset_list.resolve(spec.ref, runs).path in own
    except EngineError:  # items, and nothing to learn from
        return False


def _list_data(run: Path, runs: Sequence[Path]) -> set[Path]:
    """The files of a run's rows, those held out among them; none where they are gone."""
    try:
        recipe = JobDirectory(run).recipe()
        if not isinstance(recipe, TrainRecipe):
            return set()
        train = dataset_list.resolve(recipe.data.train, runs, recipe.data)
        ref = recipe.data.eval
        other = dataset_list.resolve_eval(ref, recipe.data).path if ref else train.eval_path
    except EngineError:
        return set()
    return {train.path, *([other] if other is not None else [])}
