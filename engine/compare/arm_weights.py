"""Where an arm's weights lie, and whether they can answer as it says. Loads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints import checkpoint_list
from engine.checkpoints.adapter_config import (
    explain_no_null,
    explain_no_strength,
    read_adapter_config,
)
from engine.checkpoints.adapter_rows import explain_replaced
from engine.checkpoints.checkpoint_list import Checkpoint
from engine.checkpoints.gguf_file import check_adaptable, has_template
from engine.checkpoints.gguf_header import is_gguf
from engine.checkpoints.tokenizer_check import has_chat_template
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.safe_open import list_files


@dataclass(frozen=True, slots=True)
class ArmWeights:
    base: Path
    """The folder of a whole model, or a GGUF file."""
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
    check_adaptable(arm.name, checkpoint.path)
    return ArmWeights(checkpoint.path, adapter.path)


def check_answerable(arm: Arm, weights: ArmWeights) -> None:
    """Raise EngineError where the files tell that an arm cannot answer: it has a strength, or is to
    be a null adapter, without an adapter that can be so, or is asked by a chat template that does
    not exist."""
    check_strength(arm, weights)
    check_null(arm, weights)
    folder = weights.tokenizer
    if arm.form != "chat" or (folder / "additional_chat_templates").is_dir():
        return
    file = is_gguf(folder)
    if not (has_template(folder) if file else has_chat_template(folder, list_files(folder))):
        raise EngineError(
            "This checkpoint has no chat template.",
            f"{arm.name}: {folder}",
            "Use prompt=instruct, chatml or raw.",
        )


def check_strength(arm: Arm, weights: ArmWeights) -> None:
    """Raise EngineError where an arm has a strength that its weights cannot have."""
    if arm.strength == 1.0:
        return
    if weights.adapter is None:
        raise EngineError(
            "There is no adapter to set a strength for.",
            f"{arm.name}: {arm.checkpoint}",
            "Remove @STRENGTH, or add an adapter before it.",
        )
    if not arm.strength:
        return
    reason = explain_no_strength(read_adapter_config(weights.adapter))
    reason = reason or explain_replaced(weights.base, weights.adapter)
    if reason is not None:
        raise EngineError(
            "The strength of this adapter cannot be set.",
            f"{arm.name}: {weights.adapter}: {reason}",
            f"Remove @{arm.strength:g}.",
        )


def check_null(arm: Arm, weights: ArmWeights) -> None:
    """Raise EngineError where an arm asks for a random change in place of an adapter's, and its
    weights have none that could be replaced."""
    if arm.null is None:
        return
    if weights.adapter is None:
        raise EngineError(
            "There is no adapter to make a null adapter of.",
            f"{arm.name}: {arm.checkpoint} is a whole model",
            "Null adapters need an arm with a LoRA adapter; train one, or leave them out.",
        )
    reason = explain_no_null(read_adapter_config(weights.adapter))
    reason = reason or explain_replaced(weights.base, weights.adapter)
    if reason is not None:
        raise EngineError(
            "No null adapter can be made of this adapter.",
            f"{arm.name}: {weights.adapter}: {reason}",
            "Leave the null adapters out.",
        )


def _base_of(arm: Arm, adapter: Checkpoint) -> Path:
    if adapter.base_path is None or adapter.base_reason is not None:
        raise EngineError(
            "The adapter's base cannot be used.",
            f"{arm.checkpoint}: {adapter.base_reason or 'no base in adapter_config.json'}",
            f"Set the base explicitly: {arm.name}=BASE+{arm.checkpoint}.",
        )
    return adapter.base_path
