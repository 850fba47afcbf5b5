"""What a training run works with, from its recipe to its model, put together step by step.

Owns the order of these steps: device, number formats, stage, tokenizer, template, rows and the
checkpoint to resume from; then the weights, and the forgetting monitor, which measures them before
they change. Trains nothing and saves nothing.
"""

import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from engine.checkpoints import config_json
from engine.checkpoints.adapter_rows import count_rows
from engine.checkpoints.context import check_length, find_context_length, has_position_table
from engine.checkpoints.stages import Stage
from engine.errors import EngineError
from engine.jobs import devices
from engine.jobs.store import open_store
from engine.recipes.recipe import TrainRecipe
from engine.worker.attempt import Attempt, Stopped
from engine.worker.data.counts import describe
from engine.worker.data.encode import Template, choose_template
from engine.worker.data.preference_pairs import check_preferences
from engine.worker.data.prepare import PreparedDataset, prepare
from engine.worker.data.token_ids import explain_unknown, readable_pad_id
from engine.worker.model import loading, malloc
from engine.worker.model.build import ModelSpec, build_model, find_stage, load_root
from engine.worker.model.dtypes import Formats, pick_formats
from engine.worker.model.label_head import LabelHead
from engine.worker.model.label_head_trial import try_label_head
from engine.worker.training import checkpoints
from engine.worker.training.evaluator import preserve_rng_and_mode
from engine.worker.training.forgetting import ForgettingMonitor, pin_probe, reference_logprobs
from engine.worker.training.held_out import write_held_out
from engine.worker.training.probe_text import Probe


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """Everything that is decided before the first step."""

    attempt: Attempt
    recipe: TrainRecipe
    device: torch.device
    """The first of the attempt's devices, as torch calls it."""
    formats: Formats
    stage: Stage
    config: config_json.Config
    """The `config.json` of the stage's base."""
    tokenizer: Any
    template: Template
    data: PreparedDataset
    resumed: Path | None
    """The checkpoint to resume from; None for a run that begins."""
    model: Any = None
    """What is trained, in training mode; None until `load_model`."""
    head: LabelHead = field(default_factory=LabelHead)
    """How its logits are had where there is a label; all of them until `load_model`."""
    monitor: ForgettingMonitor | None = None
    """None until `load_model`, and where the recipe wants no forgetting alarm."""

    @property
    def embeddings(self) -> int | None:
        """How many tokens the model knows; its tokenizer may have more."""
        return count_rows(self.config, self.stage.adapter)

    @property
    def pad_id(self) -> int:
        """The token that fills short rows; nothing is learned from it."""
        return readable_pad_id(self.tokenizer, self.embeddings)

    def arithmetic(self) -> AbstractContextManager[Any]:
        """A context in which products are made as in training."""
        return self.formats.arithmetic(self.device)


def prepare_setup(attempt: Attempt) -> TrainingSetup:
    """The setup of an attempt that has its device, all but the weights. Raises EngineError."""
    recipe = attempt.recipe
    assert isinstance(recipe, TrainRecipe), "the launcher gives a training job its recipe"
    device = _pick_device(attempt)
    if recipe.training.objective == "dpo":
        check_preferences(recipe)
    formats = _pick_formats(attempt, recipe, device)
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    stage = find_stage(recipe, runs)
    attempt.update(message="loading data")
    config = config_json.read_json(stage.base / "config.json")
    resumed = checkpoints.newest(attempt.directory.checkpoints)
    if resumed is None:  # one that began before this was checked has no longer row, or failed
        _check_length(attempt, recipe, config)
    tokenizer = loading.load_tokenizer(stage.tokenizer)
    template = _choose_template(attempt, recipe, tokenizer)
    data = prepare(
        recipe.data, tokenizer, template, recipe.training.seed,
        replay=recipe.replay, objective=recipe.training.objective, runs=runs,
        embeddings=count_rows(config, stage.adapter),
    )  # fmt: skip
    _report_data(attempt, recipe, data)
    write_held_out(attempt, data, recipe.data.system, resumed=resumed is not None)
    return TrainingSetup(
        attempt, recipe, device, formats, stage, config, tokenizer, template, data, resumed
    )


def load_model(setup: TrainingSetup) -> TrainingSetup:
    """The setup with its model and the monitor of it. Raises Stopped, EngineError."""
    attempt, recipe, stage = setup.attempt, setup.recipe, setup.stage
    attempt.update(message="loading model")
    malloc.give_back_large_blocks(stage.base)
    spec = ModelSpec(
        recipe, stage, setup.formats, setup.device, setup.tokenizer, attempt.directory.base,
        spread=len(attempt.devices) > 1,
    )  # fmt: skip
    root, probe = None, _pin_probe(setup)
    if probe is not None:
        load = partial(load_root, spec)
        root = reference_logprobs(attempt, stage.lineage, probe, load, setup.arithmetic)
    set_seed(recipe.training.seed)
    model = build_model(spec, attempt.log)
    if attempt.stop_requested():
        raise Stopped
    monitor = None
    if probe is not None:
        monitor = ForgettingMonitor.start(
            attempt, model, stage.lineage, probe, root, setup.arithmetic
        )
    return replace(setup, model=model, head=try_head(setup, model), monitor=monitor)


def try_head(setup: TrainingSetup, model: Any) -> LabelHead:
    """How this model's logits are had where there is a label, in the run's arithmetic."""
    scaled = setup.formats.compute is torch.float16
    with preserve_rng_and_mode(model), torch.enable_grad(), setup.arithmetic():
        return try_label_head(model, setup.attempt.log, scaled=scaled)


def _pick_device(attempt: Attempt) -> torch.device:
    """The attempt's device; the log says which it is, and by which versions it is used."""
    assert attempt.device is not None, "the queue gives the device"
    # By UUID only one GPU is visible, and torch calls it the first.
    device = loading.pick_device("cuda:0" if attempt.device.kind == "cuda" else attempt.device.kind)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft"))
    label = devices.label(attempt.device)
    attempt.log(f"{packages}, Python {platform.python_version()}, on {label} ({device})")
    return device


def _pick_formats(attempt: Attempt, recipe: TrainRecipe, device: torch.device) -> Formats:
    formats = pick_formats(device, recipe.training.dtype, recipe.method.kind)
    attempt.log(f"{formats}{' (auto)' if recipe.training.dtype == 'auto' else ''}")
    attempt.note(formats=str(formats))
    return formats


def _check_length(attempt: Attempt, recipe: TrainRecipe, config: config_json.Config) -> None:
    """Log where rows are longer than the model knows. Raises EngineError where it cannot."""
    length, tabled = find_context_length(config), has_position_table(config)
    if note := check_length(recipe.data.max_length, length, tabled):
        attempt.log(note)


def _choose_template(attempt: Attempt, recipe: TrainRecipe, tokenizer: Any) -> Template:
    template = choose_template(tokenizer, recipe.data.template, recipe.data.system)
    attempt.log(f"template {template.name} ({template.hash[:12]})")
    for note in template.notes:
        attempt.log(f"template: {note}")
    return template


def _report_data(attempt: Attempt, recipe: TrainRecipe, data: PreparedDataset) -> None:
    attempt.log(
        f"{len(data.train)} training rows ({data.target_tokens:,} trained tokens per epoch), "
        f"{len(data.eval)} eval rows"
    )
    for line in describe(data.counts, len(data.train), recipe.data.max_length):
        attempt.log(line)
    if data.rejects:
        attempt.reject(data.rejects)


def _pin_probe(setup: TrainingSetup) -> Probe | None:
    """What the forgetting alarm reads; None where the recipe wants none."""
    probe = pin_probe(
        setup.attempt, setup.tokenizer, setup.data.train,
        find_context_length(setup.config), setup.stage.lineage,
        fresh=not setup.resumed,
    )  # fmt: skip
    for row in probe.rows if probe else ():
        if unknown := explain_unknown(row, setup.tokenizer, setup.embeddings):
            raise EngineError(
                "The model cannot read the probe text of the forgetting alarm.",
                unknown,
                "Set forgetting.tokens = 0, or use another text (forgetting.probe).",
            )
    return probe
