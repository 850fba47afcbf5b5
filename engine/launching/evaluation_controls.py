"""The controls of an evaluation that is done, as a job of their own, and what controls cost.

Such a job takes what the finished one measured of its arms, and measures the controls anew: its
results are those of both. Owns what is said of the time before it starts.
"""

from dataclasses import replace
from pathlib import Path

from engine.errors import EngineError
from engine.impact.results.job_results import read_job_results
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import EvaluateRecipe

_SUFFIX = "-controls"
"""What such a job is called after the evaluation."""


def make_control_recipe(job: JobDirectory) -> EvaluateRecipe:
    """The recipe of a finished evaluation, with a second pass of its first arm. Raises EngineError
    where it is none, or is not done."""
    recipe = job.recipe()
    if not isinstance(recipe, EvaluateRecipe):
        raise EngineError(
            "Only an evaluation has controls.",
            f"{job.path.name} is a job of kind {recipe.kind}",
            "Name an evaluate job: finetop runs.",
        )
    if not job.results.exists():
        raise EngineError(
            "This evaluation has no results yet.",
            str(job.results),
            f"They are there once it is done: finetop runs; finetop resume {job.path.name}",
        )
    name = recipe.name.removesuffix(_SUFFIX) + _SUFFIX
    return replace(recipe, name=name, controls=True, controls_of=str(job.path.absolute()))


def describe_cost(recipe: EvaluateRecipe) -> str:
    """How much more is measured for the controls of a recipe; empty where it has none."""
    if not (recipe.controls or recipe.null_adapters):
        return ""
    passes = 1 + recipe.null_adapters
    words = [f"{passes:,} control pass{'es' * (passes > 1)} beside {len(recipe.arms):,} arms"]
    if recipe.null_adapters and recipe.null_items:
        words.append(f"null adapters on {recipe.null_items:,} items of each suite at most")
    if recipe.controls_of:
        seconds = _reckon_seconds(recipe, JobDirectory(Path(recipe.controls_of)))
        if seconds is not None:
            minutes = max(1, round(seconds / 60))
            words.append(f"about {minutes:,} min by the time that the arms took")
    else:
        factor = 1 + passes / max(1, len(recipe.arms))
        words.append(f"up to {factor:.1f} times as long as without")
    return "controls: " + "; ".join(words)


def _reckon_seconds(recipe: EvaluateRecipe, job: JobDirectory) -> float | None:
    """By what a finished evaluation took for each of its arms, and by the share of its items that
    null adapters are measured on. None where it does not say how long it took."""
    done = status.read(job)
    if done is None or done.running_seconds <= 0 or not recipe.arms:
        return None
    counts = [
        max((len(values) for values in suite.measures.values()), default=0)
        for arm in list(read_job_results(job).arms.values())[:1]
        for suite in arm.suites.values()
    ]
    taken = sum(min(count, recipe.null_items or count) for count in counts)
    share = taken / sum(counts) if sum(counts) else 1.0
    return done.running_seconds / len(recipe.arms) * (1 + recipe.null_adapters * share)
