"""Where an arm's weights lie: refs to directories, the adapter's base found. Loads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.catalog import checkpoints
from engine.catalog.checkpoints import Checkpoint
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.jobs.recipe import TrainRecipe


@dataclass(frozen=True, slots=True)
class Place:
    base: Path
    adapter: Path | None = None

    @property
    def tokenizer(self) -> Path:
        """The adapter's own tokenizer and template, where it was saved with them."""
        own = self.adapter
        return own if own is not None and (own / "tokenizer_config.json").exists() else self.base


def locate(arm: Arm, runs: Sequence[Path]) -> Place:
    """The directories of an arm; `runs` are the job directories that `run:ID` may mean.

    An adapter alone brings the base that it names. Raises EngineError where anything is missing or
    cannot be used.
    """
    checkpoint = checkpoints.resolve(arm.checkpoint, runs)
    if arm.adapter is None:
        if checkpoint.kind != "adapter":
            return Place(checkpoint.path)
        return Place(_base_of(arm.checkpoint, checkpoint, runs), checkpoint.path)
    adapter = checkpoints.resolve(arm.adapter, runs)
    if adapter.kind != "adapter":
        raise EngineError(
            "This is a whole model, not an adapter.",
            f"{arm.name}: {arm.adapter}",
            f"Use it as the checkpoint: {arm.name}={arm.adapter}.",
        )
    if checkpoint.kind == "adapter":
        raise EngineError(
            "An adapter cannot be put on an adapter.",
            f"{arm.name}: {arm.checkpoint}",
            "Name the base model before the +.",
        )
    return Place(checkpoint.path, adapter.path)


def _base_of(ref: str, adapter: Checkpoint, runs: Sequence[Path]) -> Path:
    """The base that the run was trained on, or that the adapter's own file names."""
    named = _recipe_checkpoint(adapter.path) or adapter.base
    hint = f"Name the base yourself: NAME=BASE+{ref}."
    if not named:
        raise EngineError("The adapter names no base.", str(adapter.path), hint)
    try:
        base = checkpoints.resolve(named, runs)
    except EngineError as error:
        detail = f"{adapter.path} was trained on {named}. {error.title} {error.detail}"
        raise EngineError("The adapter's base is not here.", detail.strip(), hint) from error
    if base.kind == "adapter":
        raise EngineError("The adapter's base is an adapter itself.", named, hint)
    return base.path


def _recipe_checkpoint(adapter: Path) -> str | None:
    """What the run that made this adapter was told to start from: true wherever the run lies."""
    job = JobDirectory(adapter.parent)
    if job.adapter != adapter or not job.recipe_file.exists():
        return None
    try:
        recipe = job.recipe()
    except EngineError:
        return None
    return recipe.model.checkpoint if isinstance(recipe, TrainRecipe) else None
