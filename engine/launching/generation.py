"""Starting a job that answers a file of prompts; its names are resolved first."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.compare import prompts as prompt_files
from engine.compare.arm_tools import read_tools_file
from engine.compare.arms import Arm, format_arm, parse_arms
from engine.errors import EngineError
from engine.jobs import launch
from engine.jobs.directory import JobDirectory
from engine.jobs.store import open_store
from engine.recipes.recipe import GenerateRecipe


def launch_generation(original: GenerateRecipe, root: Path) -> JobDirectory:
    """Start answering. Relative paths are written into the recipe as absolute ones.

    Raises EngineError before anything is made where an arm, a checkpoint or the prompts are wrong.
    """
    if not original.arms:
        raise EngineError("No arms.", hint="Use at least one arm.")
    arms = parse_arms(original.arms)
    runs = [job.path for job in open_store(root).jobs()]
    prompts, files = original.prompts, []
    if not prompts.startswith("bundled:"):
        path = prompt_files.find(prompts, runs).absolute()
        prompts, files = str(path), [path]
    prompt_files.load(prompts)
    arms, tools_files = _anchored_tools(_located(arms, runs))
    files += tools_files
    recipe = replace(original, arms=[format_arm(arm) for arm in arms], prompts=prompts)
    built_on = dict.fromkeys(arm.adapter or arm.checkpoint for arm in arms if not arm.is_endpoint)
    return launch.launch(recipe, root, parents=list(built_on), inputs=files)


def _anchored_tools(arms: list[Arm]) -> tuple[list[Arm], list[Path]]:
    """The arms with absolute paths of their tools, which can be read; and these paths."""
    anchored, files = [], []
    for arm in arms:
        if arm.tools is not None:
            path = Path(os.path.abspath(os.path.expanduser(arm.tools)))
            read_tools_file(path)
            arm = replace(arm, tools=str(path))
            files.append(path)
        anchored.append(arm)
    return anchored, files


def _located(arms: list[Arm], runs: Sequence[Path]) -> list[Arm]:
    """The arms with their weights found: a wrong name fails here, a relative path is anchored."""
    from engine.checkpoints import checkpoint_list

    return [
        arm
        if arm.is_endpoint
        else replace(
            arm,
            checkpoint=checkpoint_list.resolve(arm.checkpoint, runs).ref,
            adapter=arm.adapter and checkpoint_list.resolve(arm.adapter, runs).ref,
        )
        for arm in arms
    ]
