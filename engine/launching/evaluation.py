"""Starting a job that measures arms on suites, labels and prompts, which are looked up first."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.compare import arm_weights
from engine.compare import prompts as prompt_files
from engine.compare.arms import format_arm, parse_arms
from engine.errors import EngineError
from engine.impact.suites import load_suites
from engine.jobs import launch
from engine.jobs.directory import JobDirectory
from engine.jobs.store import open_store
from engine.launching.generation import find_weights
from engine.recipes.recipe import EvaluateRecipe

_BUNDLED = "bundled:"


def launch_evaluation(
    recipe: EvaluateRecipe, root: Path, *, parents: Sequence[str] = ()
) -> JobDirectory:
    """Start measuring. Relative paths are written into the recipe as absolute ones.

    Raises EngineError as `check_evaluation`.
    """
    check_evaluation(recipe, root)
    return launch.launch(_located(recipe, root), root, parents=parents)


def _located(recipe: EvaluateRecipe, root: Path) -> EvaluateRecipe:
    """The recipe with paths that are valid from any folder."""
    from engine.data import dataset_list

    runs = [job.path for job in open_store(root).jobs()]
    arms = [format_arm(find_weights(arm, runs)) for arm in parse_arms(recipe.arms)]
    suites = [name if name.startswith(_BUNDLED) else _absolute(name) for name in recipe.suites]
    prompts, choices = recipe.prompts, recipe.choices
    if prompts and not prompts.startswith((_BUNDLED, prompt_files.RUN)):
        prompts = _absolute(prompts)
    if choices and not choices.startswith(prompt_files.RUN):
        choices = dataset_list.resolve(choices).ref
    return replace(recipe, arms=arms, suites=suites, prompts=prompts, choices=choices)


def _absolute(name: str) -> str:
    return str(Path(name).expanduser().absolute())


def check_evaluation(recipe: EvaluateRecipe, root: Path) -> None:
    """Raise EngineError where an arm, its base, a suite, labels or prompts are missing."""
    from engine.data import dataset_list

    if not recipe.arms:
        raise EngineError("No arms to evaluate.", hint="Use at least one arm.")
    runs = [job.path for job in open_store(root).jobs()]
    for arm in parse_arms(recipe.arms):
        if arm.is_endpoint:
            raise EngineError(
                "An endpoint cannot be evaluated.",
                f"{arm.name} at {arm.checkpoint}: likelihoods need the weights",
                "Generate its answers instead: finetop generate.",
            )
        arm_weights.check_answerable(arm, arm_weights.locate(arm, runs))
    load_suites(recipe.suites, recipe.limit)
    if recipe.prompts:
        prompt_files.load(recipe.prompts, runs)
    if recipe.choices.startswith(prompt_files.RUN):
        prompt_files.find(recipe.choices, runs)
    elif recipe.choices:
        dataset_list.resolve(recipe.choices)
