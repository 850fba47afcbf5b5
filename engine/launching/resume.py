"""Resuming a job that ended early: with its own recipe, or with allowed changes."""

from engine.compare.arms import needs_device
from engine.errors import EngineError
from engine.jobs import devices, inputs, launch, lock, queue, resume_rules, status
from engine.jobs.directory import JobDirectory, JobRecord
from engine.jobs.status import State
from engine.jobs.store import open_store
from engine.launching import synthesis
from engine.launching.locate import locate
from engine.launching.training import check_beginning
from engine.recipes.recipe import (
    EvaluateRecipe,
    ExportRecipe,
    GenerateRecipe,
    JudgeRecipe,
    Recipe,
    SweepRecipe,
    SynthesizeRecipe,
    TrainRecipe,
)


def resume_job(
    job: JobDirectory, recipe: Recipe | None = None, *, adopt: bool = False, force: bool = False
) -> None:
    """Resume a job that ended early; `recipe` is given where this attempt changes it.

    A lost job (its host is gone) is resumed only with `adopt`, one whose data has changed only
    with `force`. Raises EngineError where the job cannot be resumed, KeyNotAllowed among them.
    """
    record = check_resumable(job, recipe, adopt=adopt)
    resumed = recipe or job.recipe()
    _check(resumed, job)
    on_device = needs_device(resumed)
    if on_device:
        devices.options(resumed.device)
    queue.check_locks()
    if any(job.checkpoints.glob("checkpoint-*")):
        inputs.check(record.inputs, force=force)
    else:  # it starts from the beginning: with the current data
        recipe = _renew(job, recipe)
    # Its end is written a moment before the lock is free, longer on a slow disk.
    launch.wait(lambda: lock.holder(job.lock_file) is None, launch.END_SECONDS)
    launch.start(job, record.kind, recipe, needs_device=on_device)


def check_resumable(
    job: JobDirectory, recipe: Recipe | None = None, *, adopt: bool = False
) -> JobRecord:
    """The record of a job that may go on; asks for its state and its recipe alone, and changes
    nothing. Raises EngineError as `resume_job` does."""
    record = job.record()
    if record is None:
        raise EngineError("This is not a run directory.", str(job.path), "See finetop runs.")
    now = status.read(job)
    state = status.derive(job, now)
    if state.alive:
        raise EngineError(f"{record.name} is already {state}.", str(job.path))
    if state is State.LOST and not adopt:
        host = now.host if now else "another host"
        raise EngineError(
            f"{record.name} ran on {host} and may still be running there.",
            str(job.path),
            "If that host no longer exists, resume it with --adopt.",
        )
    resume_rules.check_not_pruned(job)
    if state is State.DONE and isinstance(job.recipe(), SynthesizeRecipe):
        synthesis.check_more(job)
    elif state is State.DONE:
        resume_rules.check_extension(job, recipe)
    if recipe is not None:
        resume_rules.check(job, recipe)
    return record


def _check(recipe: Recipe, job: JobDirectory) -> None:
    """Raise EngineError for what is missing by now: not after the queue."""
    root = job.path.parent
    if isinstance(recipe, GenerateRecipe):
        from engine.launching import generation

        generation.check_generation(recipe, root, job.path.name)
    elif isinstance(recipe, EvaluateRecipe):
        from engine.launching import evaluation

        evaluation.check_evaluation(recipe, root, job.path.name)
    elif isinstance(recipe, SweepRecipe):
        from engine.launching import sweep
        from engine.sweeps.grid import list_points

        list_points(recipe)
        sweep.check_worker()
    elif isinstance(recipe, JudgeRecipe):
        from engine.launching import judging

        judging.check_judge(recipe, root, job.path.name)
    elif isinstance(recipe, ExportRecipe):
        from engine.launching import export

        export.check_export(recipe, root, job.path.name)
    elif isinstance(recipe, SynthesizeRecipe):
        synthesis.check_synthesis(recipe, job)
    elif isinstance(recipe, TrainRecipe):
        from engine.launching import preflight

        preflight.check_resumed(recipe, [one.path for one in open_store(root).jobs()])


def _renew(job: JobDirectory, recipe: Recipe | None) -> Recipe | None:
    """Note the inputs that the next attempt will find; the recipe with its names made absolute."""
    changed = recipe or job.recipe()
    if not isinstance(changed, TrainRecipe):
        return recipe
    root = job.path.parent
    located = locate(changed, root)
    check_beginning(located, root)
    try:
        inputs.renew(job, located.files)
    except OSError as error:
        raise launch.not_started(job, error) from error
    return located.recipe if recipe is not None else None
