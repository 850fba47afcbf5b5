"""The training job: recipe in; checkpoints, curves, and an adapter or a model out."""

import platform
import shutil
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments, set_seed

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine import atomic
from engine.checkpoints import config_json
from engine.jobs import devices
from engine.jobs.store import open_store
from engine.recipes.recipe import TrainRecipe
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.batching import EncodedRows, choose_collate, choose_sampler, lengths_of
from engine.worker.data.counts import describe
from engine.worker.data.encode import Template, choose_template
from engine.worker.data.preference_pairs import check_preferences
from engine.worker.data.prepare import PreparedDataset, prepare
from engine.worker.model import loading, malloc
from engine.worker.model.build import build_model, find_stage, load_root
from engine.worker.model.dtypes import pick_formats
from engine.worker.model.saving import save_template
from engine.worker.training import checkpoints, eval_samples
from engine.worker.training.callback import TrainingCallback
from engine.worker.training.eval_history import History
from engine.worker.training.evaluator import Evaluator, HeldOut
from engine.worker.training.event_writer import Curves
from engine.worker.training.forgetting import ForgettingMonitor, pin_probe, reference_logprobs
from engine.worker.training.hf_arguments import training_arguments
from engine.worker.training.trainer import MeasuredTrainer, TokenTrainer


def run(attempt: Attempt) -> str:
    """Train to the end of the recipe, or raise Stopped after saving. Raises EngineError."""
    recipe = attempt.recipe
    assert isinstance(recipe, TrainRecipe), "the launcher gives a training job its recipe"
    assert attempt.device is not None, "the queue gives the device"
    # By UUID only one GPU is visible, and torch calls it the first.
    device = loading.pick_device("cuda:0" if attempt.device.kind == "cuda" else attempt.device.kind)
    _note_versions(attempt, device)
    if recipe.training.objective == "dpo":
        check_preferences(recipe)
    formats = pick_formats(device, recipe.training.dtype, recipe.method.kind)
    attempt.log(f"{formats}{', by rule' if recipe.training.dtype == 'auto' else ''}")
    attempt.note(formats=str(formats))
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    stage = find_stage(recipe, runs)
    attempt.update(message="reading the rows")
    tokenizer = loading.load_tokenizer(stage.tokenizer)
    template = choose_template(tokenizer, recipe.data.template, recipe.data.system)
    attempt.log(f"template {template.name} ({template.hash[:12]})")
    for note in template.notes:
        attempt.log(f"template: {note}")
    data = prepare(
        recipe.data, tokenizer, template, recipe.training.seed,
        replay=recipe.replay, objective=recipe.training.objective, runs=runs,
    )  # fmt: skip
    _report_data(attempt, data, recipe)
    attempt.update(message="loading the model")
    malloc.give_back_large_blocks(stage.base)
    resumed, spread = checkpoints.newest(attempt.directory.checkpoints), len(attempt.devices) > 1
    context = config_json.find_context_length(config_json.read_json(stage.base / "config.json"))
    probe = pin_probe(attempt, tokenizer, data.train, context, stage.lineage, fresh=not resumed)
    arithmetic = partial(formats.arithmetic, device)
    if probe is not None:
        load = partial(load_root, recipe, stage, formats, device, spread)
        root = reference_logprobs(attempt, stage.lineage, probe, load, arithmetic)
    set_seed(recipe.training.seed)
    model = build_model(
        recipe, stage, formats, device, attempt.directory.base, tokenizer, attempt.log,
        spread=spread,
    )  # fmt: skip
    if attempt.stop_requested():
        raise Stopped
    monitor = None
    if probe is not None:
        monitor = ForgettingMonitor.start(attempt, model, stage.lineage, probe, root, arithmetic)
    if recipe.training.objective == "dpo":
        from engine.worker.training.dpo import preference_trainer

        def make(curves: Curves, callback: TrainingCallback) -> tuple[MeasuredTrainer, Evaluator]:
            return preference_trainer(
                attempt, curves, callback, recipe, stage, formats, device, model, tokenizer, data
            )
    else:

        def make(curves: Curves, callback: TrainingCallback) -> tuple[MeasuredTrainer, Evaluator]:
            folder = attempt.directory.checkpoints
            arguments = training_arguments(recipe.training, folder, device, formats)
            return token_trainer(
                attempt, curves, callback, recipe, arguments, model, tokenizer, data
            )

    return _train(attempt, recipe, model, tokenizer, template, data, make, monitor, resumed)


def token_trainer(
    attempt: Attempt,
    curves: Curves,
    callback: TrainingCallback,
    recipe: TrainRecipe,
    arguments: TrainingArguments,
    model: Any,
    tokenizer: Any,
    data: PreparedDataset,
) -> tuple[TokenTrainer, Evaluator]:
    """The trainer of a run that learns answers, and the evaluator of its held-out rows."""
    pad = tokenizer.pad_token_id or 0
    trainer = TokenTrainer(
        attempt,
        curves,
        callback,
        pad,
        model=model,
        args=arguments,
        train_dataset=EncodedRows(data.train),
        processing_class=tokenizer,
        sampler=choose_sampler(recipe.training, lengths_of(data.train), recipe.data.max_length),
        data_collator=choose_collate(recipe.training, model, pad),
    )
    size = trainer.args.per_device_eval_batch_size
    return trainer, HeldOut(attempt, model, data.eval, size, pad)


def _train(
    attempt: Attempt,
    recipe: TrainRecipe,
    model: Any,
    tokenizer: Any,
    template: Template,
    data: PreparedDataset,
    make: Callable[[Curves, TrainingCallback], tuple[MeasuredTrainer, Evaluator]],
    monitor: ForgettingMonitor | None,
    resumed: Path | None,
) -> str:
    """Train, or go on with it, and save what the recipe wants. Raises Stopped, EngineError."""
    history = History.read(resumed) if resumed else History()
    eval_samples.rewind(attempt.directory.samples, history.last)
    first = checkpoints.step_of(resumed) + 1 if resumed else 0
    curves = Curves(attempt.directory.events, attempt.number, first)
    callback = TrainingCallback(attempt, recipe, history)
    try:
        trainer, held_out = make(curves, callback)
        _quiet(trainer)
        said = eval_samples.sampler(attempt, recipe.samples, model, tokenizer, template, data)
        trainer.evaluators = [
            evaluator for evaluator in (held_out, monitor, said) if evaluator is not None
        ]
        if resumed:
            attempt.log(f"going on from {resumed.name}")
            trainer.load(resumed)
        if resumed is None or history.pending:
            trainer.measure()
        if not callback.ended:
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
        if callback.stopped:
            raise Stopped
        attempt.update(message="saving")
        sentences = [_choose(attempt, trainer, callback)]
        if callback.ended != "budget":  # that sentence says it already
            sentences.append(callback.alarm)
        _save_result(attempt, recipe, model, tokenizer, template)
        if monitor is not None:
            monitor.remove_reference()
    finally:
        curves.close()
    if data.rejects:
        sentences.append(f"{len(data.rejects)} rows were not used")
    return "; ".join(filter(None, sentences))


def _choose(attempt: Attempt, trainer: MeasuredTrainer, callback: TrainingCallback) -> str:
    """Take the weights that the recipe wants; returns a sentence on it, empty for the last ones."""
    step, sentence = callback.choose_result()
    if sentence:
        attempt.log(sentence)
    if step is None or step == trainer.state.global_step:
        return sentence
    chosen = attempt.directory.checkpoints / f"checkpoint-{step}"
    if not checkpoints.verifies(chosen):
        lost = f"{chosen.name} cannot be read any more: the last weights are kept"
        attempt.log(lost)
        return lost
    trainer.load(chosen)
    return sentence


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


def _report_data(attempt: Attempt, data: PreparedDataset, recipe: TrainRecipe) -> None:
    target_tokens = sum(row.target_tokens for row in data.train)
    attempt.log(
        f"{len(data.train)} rows to train on ({target_tokens:,} learned tokens an epoch), "
        f"{len(data.eval)} to measure on"
    )
    for fact in describe(data.counts, len(data.train), recipe.data.max_length):
        attempt.log(fact)
    if data.rejects:
        attempt.reject(data.rejects)


def _note_versions(attempt: Attempt, device: torch.device) -> None:
    packages = {name: version(name) for name in ("torch", "transformers", "peft")}
    line = ", ".join(f"{name} {number}" for name, number in packages.items())
    where = devices.label(attempt.device) if attempt.device else str(device)
    attempt.log(f"{line}, Python {platform.python_version()}, on {where} ({device})")


def _quiet(trainer: MeasuredTrainer) -> None:
    """The Trainer prints its logs to the screen that a worker does not have."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
