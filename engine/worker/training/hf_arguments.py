"""A recipe's settings as the arguments of transformers' Trainer."""

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from engine.recipes.settings import Training
from engine.worker.model.dtypes import Formats


def training_arguments(
    training: Training,
    folder: Path,
    device: torch.device,
    formats: Formats,
    kind: type[TrainingArguments] = TrainingArguments,
    **extra: Any,
) -> Any:
    """The arguments, of the given kind, with what only that kind takes as `extra`."""
    return kind(
        output_dir=str(folder),
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=training.learning_rate,
        num_train_epochs=training.epochs,
        max_steps=training.max_steps or -1,
        **_schedule(training),
        warmup_steps=training.warmup_ratio if training.warmup_ratio < 1 else 0.999,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=formats.compute is torch.bfloat16,
        fp16=formats.compute is torch.float16,
        gradient_checkpointing=training.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        use_cpu=device.type == "cpu",
        seed=training.seed,
        data_seed=training.seed,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        include_num_input_tokens_seen="non_padding",
        **extra,
    )


def _schedule(training: Training) -> dict[str, Any]:
    """The polynomial one falls with the square of what is left, to zero; the others as named."""
    if training.lr_scheduler_type != "polynomial":
        return {"lr_scheduler_type": training.lr_scheduler_type}
    if training.learning_rate == 0:  # the library wants a rate above the one it ends with
        return {"lr_scheduler_type": "constant"}
    return {
        "lr_scheduler_type": "polynomial",
        "lr_scheduler_kwargs": {"lr_end": 0.0, "power": 2.0},
    }
