"""The model of a training run: the base in its number format, and the weights that are learned."""

from pathlib import Path
from typing import Any

import torch

from engine.errors import EngineError
from engine.jobs.recipe import TrainRecipe
from engine.worker import models


def build_model(recipe: TrainRecipe, checkpoint: Any, base_path: Path, device: torch.device) -> Any:
    """The model to train: all of it, or with an adapter whose weights alone are learned."""
    from peft import LoraConfig, PeftModel, get_peft_model

    lora = recipe.method.kind == "lora"
    wanted = recipe.training.dtype
    dtype = (
        models.pick_dtype(device, "lora" if lora else "full")
        if wanted == "auto"
        else getattr(torch, wanted if lora else "float32")
    )
    base = models.load_base(base_path, device, dtype)
    base.config.use_cache = False
    if checkpoint.kind == "adapter":
        if not lora:
            raise EngineError(
                "Full fine-tuning cannot start from an adapter.",
                str(checkpoint.path),
                "Choose method.kind = lora to go on with it, or a whole model as checkpoint.",
            )
        return PeftModel.from_pretrained(base, str(checkpoint.path), is_trainable=True)
    if not lora:
        for parameter in base.parameters():
            parameter.requires_grad_(True)
        return base.train()
    method = recipe.method
    targets: Any = method.targets[0] if method.targets == ["all-linear"] else method.targets
    config = LoraConfig(
        r=method.rank,
        lora_alpha=method.alpha,  # type: ignore[arg-type]
        lora_dropout=method.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(base, config)
    except ValueError as error:
        raise EngineError(
            "The adapter cannot be attached.", str(error), "Check method.targets."
        ) from error
