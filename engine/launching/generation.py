"""Starting a job that answers a file of prompts; its names are resolved first.

What can be wrong is found here and not after the queue: arms, their models and the bases of their
adapters, prompts, tools, and keys of endpoints whose use the user has not agreed to.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.compare import arm_weights, endpoint_keys
from engine.compare import prompts as prompt_files
from engine.compare.arm_tools import read_tools_file
from engine.compare.arms import Arm, format_arm, needs_device, parse_arms
from engine.errors import EngineError
from engine.jobs import launch
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store, open_store
from engine.recipes.recipe import GenerateRecipe


def launch_generation(original: GenerateRecipe, root: Path) -> JobDirectory:
    """Start answering. Relative paths are written into the recipe as absolute ones.

    Raises EngineError before anything is made where an arm, a checkpoint or the prompts are wrong,
    KeyNotAllowed among them.
    """
    if not original.arms:
        raise EngineError("No arms.", hint="Use at least one arm.")
    recipe, arms, files = _located(original, open_store(root))
    built_on = dict.fromkeys(arm.adapter or arm.checkpoint for arm in arms if not arm.is_endpoint)
    return launch.launch(
        recipe, root, parents=list(built_on), inputs=files, needs_device=needs_device(recipe)
    )


def check_generation(recipe: GenerateRecipe, root: Path, run: str) -> None:
    """Raise EngineError where a job of answers cannot be resumed as its recipe has it."""
    _located(recipe, open_store(root), run)


def _located(
    original: GenerateRecipe, store: Store, run: str = ""
) -> tuple[GenerateRecipe, list[Arm], list[Path]]:
    """The recipe with what it names found and checked, its arms, and the files that it reads."""
    arms = parse_arms(original.arms)
    endpoint_keys.check(arms, run)
    check_keys_are_set(arms)
    runs = [job.path for job in store.jobs()]
    prompts, files = original.prompts, []
    if not prompts.startswith("bundled:"):
        path = prompt_files.find(prompts, runs).absolute()
        prompts, files = str(path), [path]
    prompt_files.load(prompts)
    arms, tools_files = _anchored_tools([find_weights(arm, runs) for arm in arms])
    files += tools_files
    recipe = replace(original, arms=[format_arm(arm) for arm in arms], prompts=prompts)
    return recipe, arms, files


def check_keys_are_set(arms: Sequence[Arm]) -> None:
    """Raise EngineError where a key is missing here: a worker has the same environment."""
    missing = [arm for arm in arms if arm.key and not os.environ.get(arm.key, "").strip()]
    if missing:
        names = ", ".join(dict.fromkeys(str(arm.key) for arm in missing))
        raise EngineError(
            "The endpoint's API key is missing.",
            "\n".join(
                f"{arm.name}: the environment variable {arm.key} is not set or empty"
                for arm in missing
            ),
            f"Set {names} before starting finetop.",
        )


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


def find_weights(arm: Arm, runs: Sequence[Path]) -> Arm:
    """The arm with its weights found, its base too: a relative path is anchored."""
    from engine.checkpoints import checkpoint_list

    if arm.is_endpoint:
        return arm
    arm_weights.check_answerable(arm, arm_weights.locate(arm, runs))
    return replace(
        arm,
        checkpoint=checkpoint_list.resolve(arm.checkpoint, runs).ref,
        adapter=arm.adapter and checkpoint_list.resolve(arm.adapter, runs).ref,
    )
