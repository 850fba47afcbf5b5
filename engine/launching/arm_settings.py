"""What tells the arms of an evaluation apart, beside their names: strength, checkpoint, decoding,
and the settings in which the runs that made them differ. Reads recipes; loads nothing.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.checkpoints.run_outputs import find_producer
from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.recipes.diff import Settings, flatten, varying, write_setting
from engine.recipes.recipe import TrainRecipe

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_SILENT = ("device", "model.checkpoint")
"""Settings that say nothing of how an arm was made, or that its stages say already."""


def describe_arms(specs: Mapping[str, str], runs: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """By the name of each arm what it differs in from the others, not cleaned: `strength 0.5`,
    `replay.share 0.3`; what its name says is not said twice. `specs` are arms in words; what cannot
    be read is left out."""
    arms = {name: arm for name, text in specs.items() if (arm := _parse(text)) is not None}
    recipes = {name: table for name, arm in arms.items() if (table := _read_recipe(arm, runs))}
    keys = [key for key in varying([*recipes.values()]) if key not in _SILENT]
    described = {}
    for name, arm in arms.items():
        settings = recipes.get(name, {})
        facts = [f"{key} {write_setting(settings[key])}" for key in keys if key in settings]
        described[name] = tuple(fact for fact in (*_list_own(arm), *facts) if fact != name)
    return described


def _list_own(arm: Arm) -> list[str]:
    """Of the arm itself."""
    ref = arm.adapter or arm.checkpoint
    facts = [f"strength {arm.strength:g}"] if arm.strength != 1 else []
    if match := _CHECKPOINT.fullmatch(Path(ref).name):
        facts.append(f"step {int(match[1]):,}")
    if arm.form is not None:
        facts.append(f"prompt {arm.form}")
    return facts + [f"{name} {value:g}" for name, value in arm.decode]


def _read_recipe(arm: Arm, runs: Sequence[Path]) -> Settings:
    """The settings of the run that made an arm; none where no run did."""
    try:
        run = find_producer(arm.adapter or arm.checkpoint, runs)
        recipe = JobDirectory(run).recipe() if run is not None else None
    except EngineError:
        return {}
    if not isinstance(recipe, TrainRecipe):
        return {}
    is_full = recipe.method.kind == "full"  # then the other settings of the method say nothing
    return {
        key: value
        for key, value in flatten(recipe).items()
        if not (is_full and key.startswith("method.") and key != "method.kind")
    }


def _parse(text: str) -> Arm | None:
    try:
        return parse_arm(text)
    except EngineError:  # a file may hold any text
        return None
