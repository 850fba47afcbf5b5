"""Arms that may have forgotten less than a run: its adapter at several strengths, its checkpoints.

Owns which of them are measured and what they are called; `finetop evaluate` and Impact ask for the
same ones. Refuses a run without an adapter, or without a checkpoint on the disk, and says why.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.compare.arms import Arm, format_arm, parse_arms
from engine.errors import EngineError
from engine.jobs.directory import RUN, JobDirectory, list_checkpoints, read_json, step_of
from engine.jobs.resume_rules import MARKS
from engine.jobs.store import Store
from engine.launching.evaluation_tree import list_tree_arms

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""0 is the base, and a control: its scores are the base's own. 1 is the adapter as trained."""
MOST_CHECKPOINTS = 5
"""Beside the best one."""


def list_strength_arms(run: str, arms: Sequence[str], store: Store) -> list[str]:
    """In words of the grammar: the base of a run's first stage, `arms`, and the run's adapter at
    each of STRENGTHS. Raises EngineError where it is not there or has no adapter."""
    job = store.find(run.removeprefix(RUN))
    base, *_ = list_tree_arms(run, arms, store)
    if reason := why_no_strengths(job):
        raise EngineError(
            f"{job.path.name} has no strengths.", reason, "Measure its checkpoints: --checkpoints."
        )
    scaled = strength_arms(Arm("", f"run:{job.path.name}"))
    return [base, *_list_others(arms, base), *map(format_arm, scaled)]


def list_checkpoint_arms(run: str, arms: Sequence[str], store: Store) -> list[str]:
    """The same with those checkpoints of the run that are on the disk, as `choose_steps`. Raises
    EngineError where there is none."""
    job = store.find(run.removeprefix(RUN))
    base, *_ = list_tree_arms(run, arms, store)
    if reason := why_no_checkpoints(job):
        raise EngineError(
            f"{job.path.name} has no checkpoint to measure.",
            reason,
            "Runs keep more with --set training.save_total_limit=N and training.saves=N.",
        )
    earlier = checkpoint_arms(Arm("", f"run:{job.path.name}"), find_steps(job))
    return [base, *_list_others(arms, base), *map(format_arm, earlier)]


def strength_arms(arm: Arm) -> list[Arm]:
    """An arm that is or has an adapter at each of STRENGTHS, else asked as it is."""
    return [replace(arm, name=f"strength {one:g}", strength=one) for one in STRENGTHS]


def checkpoint_arms(arm: Arm, steps: Sequence[tuple[int, str]]) -> list[Arm]:
    """Checkpoints by their steps and folders in an arm's place, asked as it is."""
    return [
        replace(arm, name=f"step {step}", checkpoint=folder, adapter=None, strength=1.0)
        for step, folder in steps
    ]


def find_steps(job: JobDirectory) -> tuple[tuple[int, str], ...]:
    """The steps and folders of a run's checkpoints that are measured."""
    folders = {step_of(one): one for one in list_checkpoints(job.checkpoints)}
    marks = read_json(job.checkpoints / MARKS) or {}
    best = marks.get("best")
    chosen = choose_steps(sorted(folders), best if isinstance(best, int) else None)
    return tuple((step, str(folders[step].absolute())) for step in chosen)


def choose_steps(
    steps: Sequence[int], best: int | None = None, most: int = MOST_CHECKPOINTS
) -> list[int]:
    """Of rising steps `most` at even distances in their order, the last one among them, and the
    best one."""
    if not steps:
        return []
    count = min(most, len(steps))
    places = {round((at + 1) * len(steps) / count) - 1 for at in range(count)}
    return [step for place, step in enumerate(steps) if place in places or step == best]


def why_no_strengths(job: JobDirectory) -> str:
    """Why a run cannot be measured at several strengths; empty where it can."""
    if job.adapter.is_dir():
        return ""
    return (
        "a full fine-tune has no strength: there is no adapter to scale"
        if job.model.is_dir()
        else "it has not saved an adapter"
    )


def why_no_checkpoints(job: JobDirectory) -> str:
    """Why no checkpoint of a run can be measured; empty where one can."""
    if list_checkpoints(job.checkpoints):
        return ""
    return "it was pruned" if job.pruned_file.exists() else "no checkpoint is kept"


def merges_its_parent(job: JobDirectory) -> bool:
    """Whether a run put its adapter on a parent that it merged: strength 0 is then that parent, and
    not the base of all stages."""
    return Path(job.base).is_dir()


def _list_others(arms: Sequence[str], base: str) -> list[str]:
    """The arms that were named beside the base, checked."""
    return [text for text in map(format_arm, parse_arms(arms)) if text != base]
