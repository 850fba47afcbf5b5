"""A recipe's settings as the arguments of transformers' Trainer."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from engine.jobs.settings import Training


def training_arguments(training: Training, folder: Path, device: torch.device) -> TrainingArguments:
    cuda = device.type == "cuda"
    native = cuda and torch.cuda.get_device_capability(device)[0] >= 8
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=max(training.batch_size, 16),
        gradient_accumulation_steps=training.accumulation,
        learning_rate=training.learning_rate,
        num_train_epochs=training.epochs,
        max_steps=training.max_steps or -1,
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(
            training.schedule, training.schedule
        ),
        warmup_steps=training.warmup_share if training.warmup_share < 1 else 0.999,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=cuda and (training.dtype == "bfloat16" or (training.dtype == "auto" and native)),
        fp16=cuda and (training.dtype == "float16" or (training.dtype == "auto" and not native)),
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
        dataloader_pin_memory=cuda,
        include_num_input_tokens_seen="non_padding",
    )
