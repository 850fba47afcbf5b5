"""The model of a training run: the base in its number format, and the weights that are learned."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from engine.errors import EngineError
from engine.recipes.recipe import TrainRecipe
from engine.worker.model import loading
from engine.worker.model.attention import attention_for, check_packing
from engine.worker.model.dtypes import Formats
from engine.worker.model.lora_targets import adapter_targets, is_transposed
from engine.worker.model.quantize import is_quantized
from engine.worker.model.saving import merge, save_merged
from engine.worker.model.stages import Lineage, Stage, find_stage

__all__ = ["Lineage", "Stage", "build_model", "find_stage", "load_root"]

Say = Callable[[str], None]


def build_model(
    recipe: TrainRecipe,
    stage: Stage,
    formats: Formats,
    device: torch.device,
    merged: Path,
    tokenizer: Any,
    say: Say,
    *,
    spread: bool = False,
) -> Any:
    """The model to train, in training mode: all of it, or with an adapter that alone is learned.

    A stage that merges and begins a new adapter leaves the whole model it goes on at `merged`.
    `say` is told what the user should know. Raises EngineError.
    """
    method, training = recipe.method, recipe.training
    if method.kind == "full":
        if method.quantize != "none":
            raise EngineError(
                "Quantised weights cannot be learned.",
                f"method.kind is full, and method.quantize is {method.quantize}",
                "Choose method.kind = lora, or method.quantize = none.",
            )
        model = _load_whole(recipe, stage, formats, device, spread, merged, tokenizer)
    else:
        model = _load_with_adapter(recipe, stage, formats, device, spread, merged, tokenizer, say)
    if training.gradient_checkpointing and method.kind != "full":
        # What is frozen would else cut the graph before the first layer with an adapter.
        model.enable_input_require_grads()
    if training.packing:
        check_packing(model)
    return model.train()


def load_root(
    recipe: TrainRecipe, stage: Stage, formats: Formats, device: torch.device, spread: bool
) -> Any:
    """The model that all stages began with, in evaluation mode, as this run would load it."""
    path, quantized = stage.lineage.root_path, recipe.method.quantize
    return loading.load_base(path, device, formats.weights, quantized, spread=spread)


def _load_whole(
    recipe: TrainRecipe,
    stage: Stage,
    formats: Formats,
    device: torch.device,
    spread: bool,
    merged: Path,
    tokenizer: Any,
) -> Any:
    path = stage.base
    if stage.adapter is not None and spread:  # layers are laid over devices as they are read
        save_merged(stage.base, stage.adapter, tokenizer, merged)
        path = merged
    if stage.adapter is not None and not spread:
        model = merge(stage.base, stage.adapter).to(device, formats.weights)
    else:
        model = loading.load_base(
            path, device, formats.weights, attention=_attention(recipe, formats, device),
            spread=spread,
        )  # fmt: skip
    if is_quantized(model):
        raise EngineError(
            "Quantised weights cannot be learned.",
            f"{stage.base} is stored quantised",
            "Choose method.kind = lora, or the model as it was before.",
        )
    model.config.use_cache = False
    return model.requires_grad_(True)


def _load_with_adapter(
    recipe: TrainRecipe,
    stage: Stage,
    formats: Formats,
    device: torch.device,
    spread: bool,
    merged: Path,
    tokenizer: Any,
    say: Say,
) -> Any:
    path = stage.base
    if stage.merges:
        assert stage.adapter is not None, "only an adapter is merged"
        say(f"merging {stage.lineage.parent} into its base")
        save_merged(stage.base, stage.adapter, tokenizer, merged)
        path = merged
    base = loading.load_base(
        path, device, formats.weights, recipe.method.quantize,
        attention=_attention(recipe, formats, device), spread=spread,
    )  # fmt: skip
    base.config.use_cache = False
    base.requires_grad_(False)
    if stage.adapter is not None and not stage.merges:
        model = loading.attach_adapter(base, stage.adapter, "default", trainable=True)
        _tell_differences(model, recipe, say)
        return model
    return _new_adapter(base, recipe)


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
    variant = "dora" if own.use_dora else "rslora" if own.use_rslora else "plain"
    pairs = {
        "rank": (own.r, method.rank),
        "alpha": (own.lora_alpha, method.alpha),
        "dropout": (own.lora_dropout, method.dropout),
        "variant": (variant, method.variant),
    }
    if method.target_modules != ["all-linear"]:
        pairs["target_modules"] = (sorted(own.target_modules), sorted(method.target_modules))
    kept = [f"{name} {has} (not {wants})" for name, (has, wants) in pairs.items() if has != wants]
    if kept:
        say(f"the adapter that goes on keeps its own {', '.join(kept)}")


def _attention(recipe: TrainRecipe, formats: Formats, device: torch.device) -> str | None:
    return attention_for(device, formats.compute) if recipe.training.packing else None
