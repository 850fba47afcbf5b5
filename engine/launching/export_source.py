"""What an export begins with: an arm in words, found on this machine with the run behind it.

Owns what may be exported: weights that training changed, so that there is something to prove.
Refuses what has no weights here, what nothing here trained, and an arm that is more than its
weights: a strength, a null adapter, or a way of asking would not be in the exported files. Loads no
weights.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints import checkpoint_list
from engine.checkpoints.ancestry import trace_runs
from engine.checkpoints.run_outputs import find_producer, find_root
from engine.checkpoints.stages import Stage, find_stage
from engine.compare.arm_weights import ArmWeights, locate
from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import TrainRecipe
from engine.release.source import ExportSource


@dataclass(frozen=True, slots=True)
class _Training:
    """Where the last training began, and what all began with."""

    root: Path
    before: Path
    before_adapter: Path | None
    quantized: str


def find_source(text: str, runs: Sequence[Path]) -> ExportSource:
    """The trained model that an arm in words names; `runs` are the job directories that `run:ID`
    may mean.

    Raises EngineError where it is missing, cannot be used, or where nothing could be proven of it.
    """
    arm = parse_arm(text)
    _check_arm(arm)
    run = find_producer(arm.adapter or arm.checkpoint, runs)
    recipe = None if run is None else _read_recipe(run)
    weights = locate(arm, runs)
    if run is None or recipe is None:
        training = _find_foreign(arm, weights, runs)
    else:
        training = _find_training(weights, run, recipe, runs)
    refs = [arm.adapter, arm.checkpoint] if arm.adapter else [arm.checkpoint]
    held_out = run / "held_out.jsonl" if run is not None else None
    return ExportSource(
        arm=arm,
        base=weights.base,
        adapter=weights.adapter,
        root=training.root,
        before=training.before,
        before_adapter=training.before_adapter,
        tokenizer=weights.tokenizer,
        run=run,
        stages=tuple(reversed(trace_runs(refs, runs).runs)),
        held_out=held_out if held_out is not None and held_out.is_file() else None,
        quantized=training.quantized,
    )


def _check_arm(arm: Arm) -> None:
    """Raise EngineError for an arm that is not weights alone."""
    if arm.is_endpoint:
        raise EngineError(
            "An endpoint cannot be exported.",
            f"{arm.name}: {arm.checkpoint} answers there; its weights are not on this machine",
            "Name a run, an adapter folder, or BASE+ADAPTER.",
        )
    if arm.null is not None:
        raise EngineError(
            "A null adapter cannot be exported.",
            f"{arm.name}: its change is random",
            "Remove null=.",
        )
    if arm.strength != 1.0:
        # Its evaluations, its curves and what it held out are all of the adapter as trained.
        raise EngineError(
            "An adapter is exported as it was trained.",
            f"{arm.name}: nothing of the run was measured at strength {arm.strength:g}",
            f"Remove @{arm.strength:g}.",
        )
    asks = {
        "prompt": arm.form,
        "system": arm.system,
        "prefix": arm.prefix,
        "tools": arm.tools,
        "a decode setting": arm.decode or None,
    }
    changed = [name for name, value in asks.items() if value is not None]
    if changed:
        raise EngineError(
            "An export has weights and a chat template, and no way of asking of its own.",
            f"{arm.name}: {', '.join(changed)} would not be in it",
            "Remove what follows the ?.",
        )


def _read_recipe(run: Path) -> TrainRecipe:
    recipe = JobDirectory(run).recipe()
    if not isinstance(recipe, TrainRecipe):
        raise EngineError(
            "This job did not tune a model.",
            f"{run}: {recipe.kind}",
            "Name a run that starts from a model; finetop runs lists all.",
        )
    return recipe


def _find_training(
    weights: ArmWeights, run: Path, recipe: TrainRecipe, runs: Sequence[Path]
) -> _Training:
    try:
        stage = find_stage(recipe, runs)
    except EngineError:
        if weights.adapter is None:
            raise
        # Its base is here, wherever its run had it.
        return _Training(weights.base, weights.base, None, recipe.method.quantize)
    before, before_adapter = _find_beginning(run, weights, stage)
    return _Training(stage.lineage.root_path, before, before_adapter, recipe.method.quantize)


def _find_beginning(run: Path, weights: ArmWeights, stage: Stage) -> tuple[Path, Path | None]:
    """The whole model that a run began with, and the adapter on it."""
    if weights.adapter is None:
        return stage.base, stage.adapter
    merged = JobDirectory(run).base
    before = merged if stage.merges else stage.base
    if not _is_same(before, weights.base):
        raise EngineError(
            "This adapter was trained on another base.",
            f"{weights.adapter} on {before}, not on {weights.base}",
            f"Export the adapter alone, with its own base: {weights.adapter}.",
        )
    return before, None if stage.merges else stage.adapter


def _find_foreign(arm: Arm, weights: ArmWeights, runs: Sequence[Path]) -> _Training:
    """An adapter that nothing here trained still has a base to be compared with."""
    if weights.adapter is None:
        raise EngineError(
            "Nothing here trained this model: there is nothing to prove.",
            f"{arm.name}: {weights.base}",
            "Name a run, an adapter folder, or BASE+ADAPTER.",
        )
    root = find_root(checkpoint_list.resolve(str(weights.base), runs), runs)
    return _Training(root.path, weights.base, None, "none")


def _is_same(first: Path, second: Path) -> bool:
    return os.path.realpath(first) == os.path.realpath(second)
