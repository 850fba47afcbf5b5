"""Where a run begins: the checkpoint of its recipe, and the bases that it is measured against.

A stage may go on with an adapter, or merge it first and begin anew. Loads no weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.checkpoints import checkpoint_list
from engine.checkpoints.adapter_rows import shares_base
from engine.checkpoints.gguf_file import check_trainable
from engine.checkpoints.run_outputs import find_root
from engine.errors import EngineError
from engine.recipes.recipe import TrainRecipe

Switched = Literal["root", "parent", "neither"]


@dataclass(frozen=True, slots=True)
class Lineage:
    """The models that a run comes from, by name."""

    root: str
    """The whole model that all began with."""
    root_path: Path
    """Where it lies; never an adapter."""
    parent: str | None
    """What this stage starts from, where that is not the root itself. Before the first step the
    model that is trained *is* the parent, or without one the root."""
    off: Switched
    """What the model says while its adapter is switched off."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A recipe's checkpoint, found."""

    base: Path
    """A whole model."""
    adapter: Path | None
    """What is on it before this run."""
    merges: bool
    """Whether that adapter becomes a part of the base first; else it is trained further."""
    lineage: Lineage

    @property
    def tokenizer(self) -> Path:
        """The adapter's own tokenizer and template, where it was saved with them."""
        own = self.adapter
        return own if own is not None and (own / "tokenizer_config.json").exists() else self.base


def find_stage(recipe: TrainRecipe, runs: Sequence[Path]) -> Stage:
    """Where the run of a recipe begins; `runs` are the directories that `run:ID` may mean.

    Raises EngineError where the checkpoint, or its base, is missing or cannot be used.
    """
    checkpoint = checkpoint_list.resolve(recipe.model.checkpoint, runs)
    check_trainable(checkpoint)
    root = find_root(checkpoint, runs)
    if checkpoint.kind != "adapter":
        same = root.path == checkpoint.path
        parent = None if same else checkpoint.name
        off: Switched = "neither" if recipe.method.kind == "full" else "root" if same else "parent"
        return Stage(checkpoint.path, None, False, Lineage(root.name, root.path, parent, off))
    if checkpoint.base_path is None or checkpoint.base_reason is not None:
        raise EngineError(
            "The base of this adapter cannot be used.",
            f"{checkpoint.path}: {checkpoint.base_reason or 'no base in adapter_config.json'}",
            "Restore the base at the path in adapter_config.json, or use a full model.",
        )
    full = recipe.method.kind == "full"
    merges = full or recipe.model.adapter == "merge"
    if full:
        off = "neither"
    elif merges:
        off = "parent"
    else:
        alone = root.path == checkpoint.base_path and shares_base(
            checkpoint.base_path, checkpoint.path
        )
        off = "root" if alone else "neither"
    lineage = Lineage(root.name, root.path, checkpoint.name, off)
    return Stage(checkpoint.base_path, checkpoint.path, merges, lineage)
