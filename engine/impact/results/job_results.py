"""The results of an evaluate job, read from its directory: what is not there yet is said."""

import json
from typing import Any

from engine.errors import EngineError
from engine.impact.results.evaluation_results import EvaluationResults, read_results
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import EvaluateRecipe, SweepRecipe
from engine.safe_open import read_bounded

MOST_BYTES = 1 << 28
"""Of `results.json`: 20,000 items under ten arms take some tens of megabytes."""


def read_job_results(job: JobDirectory) -> EvaluationResults:
    """Raises EngineError where the job is no evaluation, has no results yet, or these cannot be
    read."""
    recipe = job.recipe()
    if isinstance(recipe, SweepRecipe):
        raise EngineError(
            "This sweep has no evaluation yet.",
            str(job.path),
            f"finetop sweep show {job.path.name} says how far it is.",
        )
    if not isinstance(recipe, EvaluateRecipe):
        raise EngineError(
            "This job is no evaluation.", str(job.path), "Run finetop evaluate first."
        )
    if not job.results.exists():
        raise EngineError(
            "This evaluation has no results yet.",
            str(job.results),
            f"They are there once it is done: finetop runs; finetop resume {job.path.name}",
        )
    content = read_bounded(job.results, MOST_BYTES)
    try:
        table: Any = json.loads(content)
        if not isinstance(table, dict):
            raise ValueError("no object")
        return read_results(table)
    except (ValueError, RecursionError) as error:
        raise EngineError("The results cannot be read.", f"{job.results}: {error}") from error
