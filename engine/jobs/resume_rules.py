"""Which settings may change when a job is resumed from a checkpoint.

The weights fit one base and one method, the optimiser brings its own rate and decay, and the rows
already seen are known by their order. Changing those would break the run, or be silently ignored. A
finished run is resumed only where the recipe gives it more to do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, list_checkpoints, read_json
from engine.recipes.recipe import (
    EvaluateRecipe,
    GenerateRecipe,
    JudgeRecipe,
    Recipe,
    SweepRecipe,
    SynthesizeRecipe,
    TrainRecipe,
    to_table,
)

MARKS = "marks.json"
"""Beside a run's checkpoints: which of them are best and within the budget, and why it ended."""

FREE = frozenset({
    "name", "device", "training.epochs", "training.max_steps", "training.lr_scheduler_type",
    "training.warmup_ratio", "training.gradient_checkpointing", "training.max_grad_norm",
    "training.dtype", "training.evaluations",
    "training.saves", "training.save_total_limit", "stopping.metric", "stopping.greater_is_better",
    "stopping.patience", "stopping.min_delta", "stopping.result", "stopping.keep_best",
    "samples.count",
    "samples.prompts", "samples.max_new_tokens", "forgetting.budget", "forgetting.stop",
})  # fmt: skip
"""Settings that take effect when training is resumed."""
_FREE_OF_SWEEPS = frozenset({"device", "suites", "limit"})
"""Those of a sweep: its runs are known by the names of their points."""
_FREE_OF_SYNTHESIS = frozenset({
    "name", "device", "asking.tries", "asking.in_flight", "asking.terms", "source.license",
    "gates.pause_after", "budget.rows", "budget.tokens", "budget.minutes", "budget.price",
    "budget.input_price", "budget.output_price", "out", "accept_all",
})  # fmt: skip
"""Those of a job that makes data: all its rows are asked for, and held back, in one way."""

_NAMES = {
    "sweep": ("sweep", "Start a new sweep with these settings."),
    "synthesize": ("job that makes data", "Start a new one with these settings."),
}
"""What a job of a kind is called, and what to do instead of changing it."""


@dataclass(frozen=True, slots=True)
class Extension:
    """The change with which a finished run can be resumed."""

    why: str
    """It ended early; empty where it came to its end."""
    setting: str
    """As `training.epochs`."""
    value: str

    @property
    def change(self) -> str:
        return f"{self.setting}={self.value}"


_REASONS = {
    "patience": Extension("ended early: its metric stopped improving", "stopping.patience", "0"),
    "budget": Extension("was ended by its forgetting budget", "forgetting.stop", "false"),
}


def check_not_pruned(job: JobDirectory) -> None:
    """Raise EngineError for a run whose optimiser states and checkpoints were dropped."""
    if not job.pruned_file.exists():
        return
    weights = _remaining_weights(job)
    again = "Start a new run with its settings: n in Runs."
    if weights:
        again = f"Start a new run from its weights: finetop train --model {weights}"
    raise EngineError(
        f"{job.path.name} was pruned: it cannot be resumed any more.",
        f"Its optimizer states were dropped: {job.path}",
        again,
    )


def _remaining_weights(job: JobDirectory) -> str:
    """What a new run can start from: the result, else the last checkpoint that was kept; empty
    where both are gone."""
    if job.adapter.is_dir() or job.model.is_dir():
        return f"run:{job.path.name}"
    kept = list_checkpoints(job.checkpoints)
    return str(kept[-1]) if kept else ""


def check(job: JobDirectory, changed: Recipe) -> None:
    """Raise EngineError where `changed` cannot resume from the job's checkpoints."""
    free = FREE
    if isinstance(changed, SweepRecipe):
        free = _FREE_OF_SWEEPS
    elif isinstance(changed, SynthesizeRecipe) and job.sources.exists():
        free = _FREE_OF_SYNTHESIS
    elif not any(job.checkpoints.glob("checkpoint-*")):
        return  # it starts again from the beginning
    before, after = (_settings(one) for one in (job.recipe(), changed))
    fixed = sorted(
        key
        for key in before.keys() | after.keys()
        if key not in free and before.get(key) != after.get(key)
    )
    if fixed:
        kind, again = _NAMES.get(
            changed.kind,
            (
                "run",
                "Start a new run; it can start from this one: "
                f"model.checkpoint=run:{job.path.name}",
            ),
        )
        raise EngineError(
            f"These settings cannot change when a {kind} is resumed.",
            "\n".join(f"{key}: {before.get(key)!r}, not {after.get(key)!r}" for key in fixed),
            again,
        )


def check_extension(job: JobDirectory, changed: Recipe | None) -> None:
    """Raise EngineError where `changed` (None: nothing new) leaves a done job nothing to do.

    A run that ended early needs other rules to resume; a finished one needs more steps.
    Answers that were left out, as an endpoint may have refused them, are asked for again, and the
    runs that a sweep left out are tried again.
    """
    before = job.recipe()
    asks_again = GenerateRecipe | EvaluateRecipe | JudgeRecipe | SweepRecipe
    if isinstance(before, asks_again) and job.rejects.exists():
        return
    if not isinstance(before, TrainRecipe) or not isinstance(changed, TrainRecipe | None):
        raise EngineError(f"{job.path.name} is done: nothing left to do.", _said(job))
    ended = ended_early(job)
    needed = how_to_extend(before, ended)
    command = f"finetop resume {job.path.name} --set {needed.change}"
    if ended and not (changed is not None and _lifts(ended, before, changed)):
        raise EngineError(
            f"{job.path.name} {needed.why}.",
            _said(job),
            f"To resume anyway: {command}",
        )
    if not ended and not (changed is not None and _asks_for_more(job, before, changed)):
        raise EngineError(
            f"{job.path.name} is done: nothing left to train.",
            _said(job),
            f"Extend it: {command}; the learning rate schedule then ends at the new last step.",
        )


def ended_early(job: JobDirectory) -> str:
    """Why a run would not continue by its own rules: "patience", "budget", or "" where it would."""
    marks = read_json(job.checkpoints / MARKS)
    why = str(marks.get("ended", "")) if marks is not None else ""
    return why if why in _REASONS else ""


def how_to_extend(recipe: TrainRecipe, ended: str) -> Extension:
    """The change with which a finished run can be resumed; `ended` is why it ended early, or "".

    A run that reached its end gets the same amount again.
    """
    if ended:
        return _REASONS[ended]
    if recipe.training.max_steps:
        return Extension("", "training.max_steps", str(2 * recipe.training.max_steps))
    return Extension("", "training.epochs", f"{2 * recipe.training.epochs:g}")


def schedule_note(before: Recipe, changed: Recipe | None) -> str:
    """A sentence on what another number of steps does to the learning rate; empty where nothing."""
    if not (isinstance(before, TrainRecipe) and isinstance(changed, TrainRecipe)):
        return ""
    old, new = before.training, changed.training
    constant = new.lr_scheduler_type.startswith("constant")
    if constant or (old.epochs, old.max_steps) == (new.epochs, new.max_steps):
        return ""
    return (
        f"The {new.lr_scheduler_type} schedule will end at the new last step: the learning rate "
        "will jump."
    )


def _lifts(why: str, before: TrainRecipe, changed: TrainRecipe) -> bool:
    """Whether the recipe changes the rule that ended the run; the worker uses the new one."""
    if why == "budget":
        return before.forgetting != changed.forgetting
    return before.stopping != changed.stopping


def _asks_for_more(job: JobDirectory, before: TrainRecipe, changed: TrainRecipe) -> bool:
    if changed.training.max_steps:
        now = read_json(job.status_file)
        step = now.get("step", 0) if now is not None else 0
        return changed.training.max_steps > (step if isinstance(step, int) else 0)
    return changed.training.epochs > before.training.epochs or bool(before.training.max_steps)


def _said(job: JobDirectory) -> str:
    """The worker's last message."""
    now = read_json(job.status_file)
    return str(now.get("message") or job.path) if now is not None else str(job.path)


def _settings(recipe: Recipe) -> dict[str, Any]:
    """Dotted settings. Rows of an optimiser step count, not the passes that they are cut into."""
    settings = dict(_flat(to_table(recipe)))
    if isinstance(recipe, TrainRecipe):
        passes = settings.pop("training.gradient_accumulation_steps")
        settings["training.batch_size"] *= passes
    return settings


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
