"""Where an arm's weights lie: refs to directories, the adapter's base found. Loads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints import checkpoint_list
from engine.checkpoints.checkpoint_list import Checkpoint
from engine.compare.arms import Arm
from engine.errors import EngineError


@dataclass(frozen=True, slots=True)
class ArmWeights:
    base: Path
    adapter: Path | None = None

    @property
    def tokenizer(self) -> Path:
        """The adapter's own tokenizer and template, where it was saved with them."""
        own = self.adapter
        return own if own is not None and (own / "tokenizer_config.json").exists() else self.base


def locate(arm: Arm, runs: Sequence[Path]) -> ArmWeights:
    """The directories of an arm; `runs` are the job directories that `run:ID` may mean.

    An adapter alone brings the base that it names. Raises EngineError where anything is missing or
    cannot be used.
    """
    checkpoint = checkpoint_list.resolve(arm.checkpoint, runs)
    if arm.adapter is None:
        if checkpoint.kind != "adapter":
            return ArmWeights(checkpoint.path)
        return ArmWeights(_base_of(arm, checkpoint), checkpoint.path)
    adapter = checkpoint_list.resolve(arm.adapter, runs)
    if adapter.kind != "adapter":
        raise EngineError(
            "This is a full model, not an adapter.",
            f"{arm.name}: {arm.adapter}",
            f"Use it as the checkpoint: {arm.name}={arm.adapter}.",
        )
    if checkpoint.kind == "adapter":
        raise EngineError(
            "An adapter cannot be applied to an adapter.",
            f"{arm.name}: {arm.checkpoint}",
            "Use the base model before the +.",
        )
    return ArmWeights(checkpoint.path, adapter.path)


def _base_of(arm: Arm, adapter: Checkpoint) -> Path:
    if adapter.base_path is None or adapter.base_reason is not None:
        raise EngineError(
            "The adapter's base cannot be used.",
            f"{arm.checkpoint}: {adapter.base_reason or 'no base in adapter_config.json'}",
            f"Set the base explicitly: {arm.name}=BASE+{arm.checkpoint}.",
        )
    return adapter.base_path
