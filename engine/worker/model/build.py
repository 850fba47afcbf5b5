"""The model of a training run: the base in its number format, and the weights that are learned."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from engine.checkpoints.adapter_rows import explain_replaced
from engine.checkpoints.stages import Lineage, Stage, find_stage
from engine.errors import EngineError
from engine.recipes.combinations import check_method
from engine.recipes.recipe import TrainRecipe
from engine.worker.model import loading
from engine.worker.model.attention import attention_for, check_packing
from engine.worker.model.dtypes import Formats
from engine.worker.model.lora_targets import adapter_targets, is_transposed
from engine.worker.model.merging import merge
from engine.worker.model.quantize import is_quantized
from engine.worker.model.saving import make_portable, save_merged

__all__ = ["Lineage", "ModelSpec", "Stage", "build_model", "find_stage", "load_root"]

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model is built, and how it is held."""

    recipe: TrainRecipe
    stage: Stage
    formats: Formats
    device: torch.device
    tokenizer: Any
    """Saved beside a merged model."""
    merged: Path
    """Where a stage that merges an adapter leaves the whole model that it goes on from."""
    spread: bool = False
    """Whether layers are laid over all devices that are visible."""

    @property
    def attention(self) -> str | None:
        """The attention that packed rows need; None leaves it to the model."""
        packing = self.recipe.training.packing
        return attention_for(self.device, self.formats.compute) if packing else None


def build_model(spec: ModelSpec, say: Say) -> Any:
    """The model to train, in training mode: all of it, or with an adapter that alone is learned.

    `say` is told what the user should know. Raises EngineError.
    """
    method, training = spec.recipe.method, spec.recipe.training
    model = _load_whole(spec) if method.kind == "full" else _load_with_adapter(spec, say)
    if training.gradient_checkpointing and method.kind != "full":
        # What is frozen would else cut the graph before the first layer with an adapter.
        model.enable_input_require_grads()
    if training.packing:
        check_packing(model)
    return model.train()


def load_root(spec: ModelSpec) -> Any:
    """The model that all stages began with, in evaluation mode, as this run would load it."""
    path, quantize = spec.stage.lineage.root_path, spec.recipe.method.quantize
    return loading.load_base(path, spec.device, spec.formats.weights, quantize, spread=spec.spread)


def _load_whole(spec: ModelSpec) -> Any:
    """The model with all its weights learned. Raises EngineError where they are quantised."""
    stage = spec.stage
    check_method(spec.recipe.method)
    if stage.adapter is None:
        model = _load_base(spec, stage.base)
    elif spec.spread:  # layers are laid over devices as they are read
        model = _load_base(spec, _save_merged(spec))
    else:
        model = merge(stage.base, stage.adapter).to(spec.device, spec.formats.weights)
    if is_quantized(model):
        raise EngineError(
            "Quantised weights cannot be trained.",
            f"{stage.base} is stored quantised",
            "Set method.kind = lora, or use the unquantised model.",
        )
    model.config.use_cache = False
    return model.requires_grad_(True)


def _load_with_adapter(spec: ModelSpec, say: Say) -> Any:
    """The base, frozen, with a new adapter, or with the one that goes on."""
    stage, path = spec.stage, spec.stage.base
    if stage.merges:
        say(f"merging {stage.lineage.parent} into its base")
        path = _save_merged(spec)
    base = _load_base(spec, path)
    base.config.use_cache = False
    base.requires_grad_(False)
    brings_rows = False
    if stage.adapter is not None and not stage.merges:
        brings_rows = explain_replaced(stage.base, stage.adapter) is not None
        model = loading.attach_adapter(base, stage.adapter, "default", trainable=True)
        _tell_differences(model, spec.recipe, say)
    else:
        model = _new_adapter(base, spec.recipe)
    make_portable(model, path, brings_rows=brings_rows)
    return model


def _load_base(spec: ModelSpec, path: Path) -> Any:
    return loading.load_base(
        path, spec.device, spec.formats.weights, spec.recipe.method.quantize,
        attention=spec.attention, spread=spec.spread,
    )  # fmt: skip


def _save_merged(spec: ModelSpec) -> Path:
    """The folder of the stage's base with its adapter merged into it, written here."""
    assert spec.stage.adapter is not None, "only an adapter is merged"
    save_merged(spec.stage.base, spec.stage.adapter, spec.tokenizer, spec.merged)
    return spec.merged


def _new_adapter(base: Any, recipe: TrainRecipe) -> Any:
    from peft import LoraConfig, get_peft_model

    method = recipe.method
    config = LoraConfig(
        r=method.rank,
        lora_alpha=method.alpha,  # type: ignore[arg-type]
        lora_dropout=method.dropout,
        target_modules=adapter_targets(base, method.target_modules),
        fan_in_fan_out=is_transposed(base),
        use_rslora=method.variant == "rslora",
        use_dora=method.variant == "dora",
        task_type="CAUSAL_LM",
    )
    # A run that is begun again draws the same first weights, whatever was done before this.
    set_seed(recipe.training.seed)
    try:
        return get_peft_model(base, config)
    except ValueError as error:
        raise EngineError(
            "The adapter cannot be attached.", str(error), "Check method.target_modules."
        ) from error


def _tell_differences(model: Any, recipe: TrainRecipe, say: Say) -> None:
    """An adapter that goes on keeps its own shape: say so where the recipe has another."""
    own, method = model.peft_config["default"], recipe.method
    if own.peft_type != "LORA":
        say(f"the continued adapter keeps its own method {own.peft_type.value}")
        return
    variant = "dora" if own.use_dora else "rslora" if own.use_rslora else "plain"
    pairs = {
        "rank": (own.r, method.rank),
        "alpha": (own.lora_alpha, method.alpha),
        "dropout": (own.lora_dropout, method.dropout),
        "variant": (variant, method.variant),
    }
    if method.target_modules != ["all-linear"]:
        pairs["target_modules"] = (sorted(own.target_modules), sorted(method.target_modules))
    differences = [
        f"{name} {has} (not {wants})" for name, (has, wants) in pairs.items() if has != wants
    ]
    if differences:
        say(f"the continued adapter keeps its own {', '.join(differences)}")
