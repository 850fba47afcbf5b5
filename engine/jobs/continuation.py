"""What may change in a recipe when a job goes on from a checkpoint, and what may not.

The weights fit one base and one method, the optimiser brings its own rate and decay, and the rows
already seen are known by their order. Changing those would break the run, or be ignored in silence.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.jobs.recipe import Recipe, TrainRecipe, to_table

MARKS = "marks.json"
"""Beside a run's checkpoints: which of them are best and within the budget, and why it ended."""

FREE = frozenset({
    "name", "device", "training.epochs", "training.max_steps", "training.schedule",
    "training.warmup_share", "training.max_grad_norm", "training.dtype", "training.evaluations",
    "training.saves", "training.keep", "stopping.metric", "stopping.higher_is_better",
    "stopping.patience", "stopping.min_improvement", "stopping.result", "samples.count",
    "samples.prompts", "samples.max_new_tokens", "forgetting.budget", "forgetting.stop",
})  # fmt: skip
"""Settings that take effect when training goes on."""


def check(job: JobDirectory, wanted: Recipe) -> None:
    """Raise EngineError where `wanted` cannot go on from what the job has saved."""
    if not any(job.checkpoints.glob("checkpoint-*")):
        return  # it starts again from the beginning
    before, after = (_settings(one) for one in (job.recipe(), wanted))
    fixed = sorted(
        key
        for key in before.keys() | after.keys()
        if key not in FREE and before.get(key) != after.get(key)
    )
    if fixed:
        raise EngineError(
            "This cannot change in a run that has begun.",
            "\n".join(f"{key}: it is {before.get(key)!r}, not {after.get(key)!r}" for key in fixed),
            f"Start a new run; it may build on this one: model.checkpoint=run:{job.path.name}",
        )


def goes_further(job: JobDirectory, wanted: Recipe) -> bool:
    """Whether `wanted` asks for more training than the job's recipe did."""
    before = job.recipe()
    if not (isinstance(before, TrainRecipe) and isinstance(wanted, TrainRecipe)):
        return True
    return (
        wanted.training.epochs > before.training.epochs
        or wanted.training.max_steps > before.training.max_steps
    )


def _settings(recipe: Recipe) -> dict[str, Any]:
    """Dotted settings. Rows of an optimiser step count, not the passes that they are cut into."""
    settings = dict(_flat(to_table(recipe)))
    if isinstance(recipe, TrainRecipe):
        passes = settings.pop("training.accumulation")
        settings["training.batch_size"] *= passes
    return settings


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
