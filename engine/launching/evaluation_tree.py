"""The stages that led to a run, as arms of an evaluation: its first base, and every run since then.

Owns the order and the names of these arms. Whether their weights are there is looked up with those
of all other arms, when the job is started.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.checkpoints.run_outputs import find_producer
from engine.compare.arms import Arm, format_arm, format_nameless, parse_arms
from engine.errors import EngineError
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.store import Store
from engine.recipes.recipe import TrainRecipe
from engine.text import number_name

_BASE = "base"


def list_tree_arms(run: str, arms: Sequence[str], store: Store) -> list[str]:
    """In words of the grammar: the base of a run's first stage, then `arms`, then every stage, the
    run itself the last.

    One of `arms` that is the base or a stage gives it its name. Raises EngineError where the run is
    not there or no training run, and where an earlier stage is missing.
    """
    chosen = {format_nameless(arm): arm for arm in parse_arms(arms)}
    stages = _list_stages(run, store)
    keys = [format_nameless(arm) for arm in stages]
    others = [arm for key, arm in chosen.items() if key not in keys]
    taken = {arm.name for arm in chosen.values()}
    named = []
    for key, arm in zip(keys, stages, strict=True):
        named.append(chosen.get(key) or replace(arm, name=_name_apart(arm, taken)))
        taken.add(named[-1].name)
    return [format_arm(arm) for arm in (named[0], *others, *named[1:])]


def _list_stages(run: str, store: Store) -> list[Arm]:
    """The base and the stages, oldest first."""
    runs = [job.path for job in store.jobs()]
    job = store.find(run.removeprefix(RUN))
    ref = f"{RUN}{job.path.name}"
    arms: list[Arm] = []
    seen: set[Path] = set()
    while True:
        if job.path in seen:
            raise EngineError(
                "These runs begin with each other.", f"{job.path.name} is its own ancestor"
            )
        seen.add(job.path)
        recipe = job.recipe()
        if not isinstance(recipe, TrainRecipe):
            raise EngineError(
                "Only a training run has stages.",
                f"{job.path.name} is a job of kind {recipe.kind}",
                "Name a run that was trained: finetop runs.",
            )
        arms.append(Arm(_name_stage(job, ref), ref))
        ref = recipe.model.checkpoint
        before = find_producer(ref, runs)
        if before is None:
            if ref.startswith(RUN):
                raise EngineError(
                    "An earlier stage is missing.",
                    f"{job.path.name} began with {ref}, which is not among the runs",
                    "Restore that run, or name the arms one by one: --arm NAME=CHECKPOINT.",
                )
            return [Arm(_BASE, ref), *reversed(arms)]
        job = JobDirectory(before)


def _name_stage(job: JobDirectory, ref: str) -> str:
    record = job.record()
    name = record.name if record is not None else job.path.name
    return name if ref.startswith(RUN) else f"{name} {Path(ref).name}"


def _name_apart(arm: Arm, taken: set[str]) -> str:
    """The arm's name; with its ref's last part, or a number, where another arm has it."""
    if arm.name not in taken:
        return arm.name
    short = arm.checkpoint.removeprefix(RUN)
    return number_name(arm.name, taken) if short in taken else short
