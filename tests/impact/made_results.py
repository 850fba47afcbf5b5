"""Results of an evaluation as version 2 has them, written for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.impact.results.evaluation_results import EvaluationResults, read_results
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import EvaluateRecipe, to_toml
from tests.tui.building import write_run


def scores_of(right: int, items: int) -> dict[str, float]:
    """So many of the items are right, the first ones."""
    return {f"i{at}": float(at < right) for at in range(items)}


def suite_of(
    items: int | Sequence[str], measure: str = "strict", digest: str = "d", **facts: Any
) -> dict[str, Any]:
    """A suite; `facts` are those of every item."""
    names = [f"i{at}" for at in range(items)] if isinstance(items, int) else items
    return {
        "measure": measure,
        "digest": digest,
        "items": {name: {"prompt": f"Question {name}?", **facts} for name in names},
    }


def measured(scores: Mapping[str, float | None], measure: str = "strict", **more: Any) -> Any:
    """What an arm has of a suite."""
    return {"measures": {measure: dict(scores)}, **more}


def table_of(suites: Mapping[str, Any], arms: Mapping[str, Any]) -> dict[str, Any]:
    """`results.json`: by arm, its suites, or a table with `parent` and `trained` as well."""
    return {
        "schema": 2,
        "suites": dict(suites),
        "arms": {
            name: {"arm": f"{name}=run:{name}", **(one if "suites" in one else {"suites": one})}
            for name, one in arms.items()
        },
    }


def results_of(suites: Mapping[str, Any], arms: Mapping[str, Any]) -> EvaluationResults:
    return read_results(table_of(suites, arms))


def write_evaluation(root: Path, name: str, table: Mapping[str, Any] | None) -> JobDirectory:
    """An evaluate job that is done; without a table it has no results."""
    job = write_run(root, name)
    job.recipe_file.write_text(to_toml(EvaluateRecipe(name=name)))
    if table is not None:
        job.results.write_text(json.dumps(table))
    return job
