"""Which arms of an evaluation come one from another: stages, or checkpoints of one run.

Pure: knows the names of arms and not their scores.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.impact.results.evaluation_results import EvaluationResults

Against = Literal["base", "parent"]
"""What an arm is compared with: the first arm, or the one that it was trained from."""
_CHECKPOINT = re.compile(r"(.+)/checkpoint-(\d+)/?")


def steps_of(results: EvaluationResults) -> dict[str, int]:
    """The arms that are checkpoints of one run, with their steps in order; of several runs those
    of the one with most. Empty where fewer than two are."""
    folders: dict[str, dict[str, int]] = {}
    for name, arm in results.arms.items():
        parsed = _parse(arm.spec)
        if parsed is None:
            continue
        if match := _CHECKPOINT.fullmatch(parsed.adapter or parsed.checkpoint):
            folders.setdefault(match[1], {})[name] = int(match[2])
    most = max(folders.values(), key=len, default={})
    if len(most) < 2:
        return {}
    return dict(sorted(most.items(), key=lambda pair: pair[1]))


def path_to(results: EvaluationResults, arm: str) -> tuple[str, ...]:
    """The arms that `arm` comes from, the base first and itself last."""
    base = next(iter(results.arms))
    if arm == base:
        return (base,)
    steps = steps_of(results)
    if arm in steps or _is_output(results, arm, steps):
        last = steps.get(arm, max(steps.values(), default=0) + 1)
        return (base, *(name for name in steps if steps[name] < last and name != base), arm)
    path = [arm]
    while (parent := results.arms[path[-1]].parent) in results.arms and parent not in path:
        path.append(parent)
    if path[-1] != base:
        path.append(base)
    return tuple(reversed(path))


def _is_output(results: EvaluationResults, arm: str, steps: Mapping[str, int]) -> bool:
    """Whether an arm is the run whose checkpoints these are."""
    parsed, checkpoint = _parse(results.arms[arm].spec), None
    for name in steps:
        checkpoint = _parse(results.arms[name].spec)
    if parsed is None or checkpoint is None:
        return False
    match = _CHECKPOINT.fullmatch(checkpoint.adapter or checkpoint.checkpoint)
    run = Path(match[1]).parent.name if match else ""
    return (parsed.adapter or parsed.checkpoint) == f"run:{run}" and parsed.strength == 1


def _parse(spec: str) -> Arm | None:
    try:
        return parse_arm(spec)
    except EngineError:  # a file may hold any text
        return None


def find_reference(results: EvaluationResults, arm: str, against: Against) -> str | None:
    """The arm that `arm` is compared with; None for the base itself."""
    base = next(iter(results.arms))
    if arm == base:
        return None
    parent = results.arms[arm].parent
    return parent if against == "parent" and parent in results.arms else base


def has_stages(results: EvaluationResults) -> bool:
    """Whether some arm has a parent that is not the base."""
    base = next(iter(results.arms))
    return any(arm.parent in results.arms and arm.parent != base for arm in results.arms.values())
