"""Starting a job that measures arms on suites, labels and prompts, which are looked up first."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.compare import prompts as prompt_files
from engine.compare.arms import Arm, format_arm, parse_arms
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

    Raises EngineError as `check_evaluation`, before anything is made.
    """
    return launch.launch(_located(recipe, root), root, parents=parents)


def check_evaluation(recipe: EvaluateRecipe, root: Path) -> None:
    """Raise EngineError where an arm, its base, a suite, labels or prompts are missing."""
    _located(recipe, root)


def _located(recipe: EvaluateRecipe, root: Path) -> EvaluateRecipe:
    """The recipe with what it names found and checked, by paths that are valid from any folder."""
    from engine.data import dataset_list

    if not recipe.arms:
        raise EngineError("No arms to evaluate.", hint="Use at least one arm.")
    runs = [job.path for job in open_store(root).jobs()]
    arms = [find_weights(_not_endpoint(arm), runs) for arm in parse_arms(recipe.arms)]
    load_suites(recipe.suites, recipe.limit)
    suites = [name if name.startswith(_BUNDLED) else _absolute(name) for name in recipe.suites]
    prompts, choices = recipe.prompts, recipe.choices
    if prompts:
        prompt_files.load(prompts, runs)
        if not prompts.startswith((_BUNDLED, prompt_files.RUN)):
            prompts = _absolute(prompts)
    if choices.startswith(prompt_files.RUN):
        prompt_files.find(choices, runs)
    elif choices:
        choices = dataset_list.resolve(choices).ref
    written = list(map(format_arm, arms))
    return replace(recipe, arms=written, suites=suites, prompts=prompts, choices=choices)


def _not_endpoint(arm: Arm) -> Arm:
    if arm.is_endpoint:
        raise EngineError(
            "An endpoint cannot be evaluated.",
            f"{arm.name} at {arm.checkpoint}: likelihoods need the weights",
            "Generate its answers instead: finetop generate.",
        )
    return arm


def _absolute(name: str) -> str:
    return str(Path(name).expanduser().absolute())
