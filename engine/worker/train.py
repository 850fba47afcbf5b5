"""The training job: recipe in; checkpoints, curves, and an adapter or a model out."""

import platform
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import set_seed

from engine import atomic
from engine.catalog import checkpoints as catalog
from engine.errors import EngineError
from engine.jobs import devices
from engine.jobs.recipe import TrainRecipe
from engine.jobs.store import open_store
from engine.worker import checkpoints, models
from engine.worker.arguments import training_arguments
from engine.worker.attempt import Attempt, Stopped
from engine.worker.build import build_model
from engine.worker.curves import Curves
from engine.worker.encode import Encoded, Template, choose_template
from engine.worker.examples import Prepared, prepare
from engine.worker.saving import save_template
from engine.worker.trainer import Conductor, TokenTrainer


class EncodedRows(Dataset[Encoded]):
    """A list as the Trainer takes it."""

    def __init__(self, rows: Sequence[Encoded]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Encoded:
        return self._rows[index]


def run(attempt: Attempt) -> str:
    """Train to the end of the recipe, or raise Stopped after saving. Raises EngineError."""
    recipe = attempt.recipe
    assert isinstance(recipe, TrainRecipe), "the launcher gives a training job its recipe"
    assert attempt.device is not None, "the queue gives the device"
    # By UUID only one GPU is visible, and torch calls it the first.
    device = models.pick_device("cuda:0" if attempt.device.kind == "cuda" else attempt.device.kind)
    _note_versions(attempt, device)
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    checkpoint = catalog.resolve(recipe.model.checkpoint, runs)
    if checkpoint.kind == "adapter" and checkpoint.base_path is None:
        raise EngineError(
            "The base of this adapter is not on this machine.",
            f"{checkpoint.path}: {checkpoint.base_reason}",
            "Put the base where the adapter names it, or choose a whole model.",
        )
    attempt.update(message="reading the rows")
    base_path = checkpoint.base_path or checkpoint.path
    # An adapter that is trained further brings the template that it was trained with.
    own = checkpoint.path if (checkpoint.path / "tokenizer_config.json").exists() else base_path
    tokenizer = models.load_tokenizer(own)
    template = choose_template(tokenizer, recipe.data.template, recipe.data.system)
    attempt.log(f"template {template.name} ({template.hash[:12]})")
    for note in template.notes:
        attempt.log(f"template: {note}")
    data = prepare(recipe.data, tokenizer, template, recipe.training.seed)
    _report_data(attempt, data, recipe)
    attempt.update(message="loading the model")
    set_seed(recipe.training.seed)
    model = build_model(recipe, checkpoint, base_path, device)
    if attempt.stop_requested():
        raise Stopped
    return _train(attempt, recipe, model, tokenizer, template, data, device)


def _train(
    attempt: Attempt,
    recipe: TrainRecipe,
    model: Any,
    tokenizer: Any,
    template: Template,
    data: Prepared,
    device: torch.device,
) -> str:
    folder = attempt.directory.checkpoints
    resumed = checkpoints.newest(folder)
    first = checkpoints.step_of(resumed) + 1 if resumed else 1
    if resumed:
        attempt.log(f"going on from {resumed.name}")
    curves = Curves(attempt.directory.events, attempt.number, first)
    training = recipe.training
    conductor = Conductor(attempt, training.evaluations, training.saves, training.keep)
    trainer = TokenTrainer(
        attempt,
        curves,
        data.eval,
        tokenizer.pad_token_id or 0,
        model=model,
        args=training_arguments(training, folder, device),
        train_dataset=EncodedRows(data.train),
        processing_class=tokenizer,
        callbacks=[conductor],
    )
    _quiet(trainer)
    try:
        if resumed is None:
            trainer.evaluate()
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
        if conductor.stopped:
            raise Stopped
        attempt.update(message="saving")
        _save_result(attempt, recipe, trainer.model, tokenizer, template)
    finally:
        curves.close()
    return f"{len(data.rejects)} rows were not used" if data.rejects else ""


def _save_result(
    attempt: Attempt, recipe: TrainRecipe, model: Any, tokenizer: Any, template: Template
) -> None:
    """Save what was learned, in Hugging Face's layout, whole or not at all."""
    lora = recipe.method.kind == "lora"
    final = attempt.directory.adapter if lora else attempt.directory.model
    aside = final.with_name(f".{final.name}")
    shutil.rmtree(aside, ignore_errors=True)
    if lora:
        # PEFT would else ask the hub whether the vocabulary was resized.
        model.save_pretrained(str(aside), save_embedding_layers=False)
    else:
        model.config.use_cache = True
        model.save_pretrained(str(aside))
    save_template(aside, template, tokenizer, model)
    shutil.rmtree(final, ignore_errors=True)  # of an earlier attempt that went less far
    atomic.publish_directory(aside, final)
    attempt.log(f"saved {final.name}/")


def _report_data(attempt: Attempt, data: Prepared, recipe: TrainRecipe) -> None:
    learned = sum(row.learned for row in data.train)
    attempt.log(
        f"{len(data.train)} rows to train on ({learned:,} learned tokens an epoch), "
        f"{len(data.eval)} to measure on"
    )
    if data.cut:
        attempt.log(f"{data.cut} rows were cut at {recipe.data.max_length} tokens")
    if data.rejects:
        attempt.reject(data.rejects)


def _note_versions(attempt: Attempt, device: torch.device) -> None:
    packages = {name: version(name) for name in ("torch", "transformers", "peft")}
    line = ", ".join(f"{name} {number}" for name, number in packages.items())
    where = devices.label(attempt.device) if attempt.device else str(device)
    attempt.log(f"{line}, Python {platform.python_version()}, on {where} ({device})")


def _quiet(trainer: TokenTrainer) -> None:
    """The Trainer prints its logs to the screen that a worker does not have."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
