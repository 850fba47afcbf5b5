"""What a run writes, checkpoints and its result, and what is free where it writes."""

import os
import shutil
from pathlib import Path

from engine.catalog.memory import Estimate
from engine.jobs.recipe import TrainRecipe

BESIDE = 8 << 20
"""Bytes beside weights and moments: tokenizer, random states, scheduler, the manifest."""
MARKED = 2
"""Checkpoints that are kept whatever `training.keep` says: the best, and the last in the budget."""


def checkpoint_bytes(estimate: Estimate) -> int:
    """One checkpoint: what is learned and AdamW's two moments of it, in float32."""
    return 3 * 4 * estimate.trained + BESIDE


def run_bytes(
    recipe: TrainRecipe,
    estimate: Estimate,
    vocabulary: int = 0,
    references: int = 1,
    merged: int = 0,
) -> int:
    """All that lies on disk at its most: checkpoints kept, one being written aside, and the result.

    `vocabulary` is for what the alarm keeps of the base while the run lasts, or of as many models
    as `references` says, `merged` the bytes of a base that a stage makes of an adapter.
    """
    training = recipe.training
    # One at the end, one where it is stopped or improves; it never keeps more than it makes.
    made = training.saves + training.evaluations + 1
    kept = min(training.keep + MARKED, made)
    result = 4 * estimate.trained + BESIDE
    probe = 2 * recipe.forgetting.tokens * vocabulary * references  # in float16
    return (kept + 1) * checkpoint_bytes(estimate) + result + probe + merged


def free(folder: Path) -> int | None:
    """Bytes that are free where a folder lies or will lie; None where that cannot be asked."""
    for place in (folder, *folder.parents):
        if os.path.isdir(place):
            try:
                return shutil.disk_usage(place).free
            except OSError:
                return None
    return None
