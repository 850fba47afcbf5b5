"""What a training run would find wrong only after the queue, and can be seen at launch.

Reads names, configs and the beginning of files, as the light engine does: an adapter's base, pairs
for DPO, eval rows, template, probe text, packages, what a device cannot do. Whether every row and
every weight is right is for the worker.
"""

import codecs
from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from pathlib import Path

from engine.checkpoints.entry import Checkpoint
from engine.checkpoints.stages import find_stage
from engine.compare import prompts
from engine.compare.arms import FORMS
from engine.data import dataset_list, rows
from engine.data.dataset_list import DataSet
from engine.data.formats import holds_columns
from engine.data.preferences import refuse_without_pairs
from engine.data.rows import Reject
from engine.data.schemas import is_pair
from engine.errors import EngineError
from engine.events.event_tags import SKILL_TAGS, list_tags
from engine.impact.watched.watched_suites import list_watched
from engine.jobs import devices, process
from engine.launching.locate import TEMPLATES, Located
from engine.launching.watched_skills import check_rule, measure_skills
from engine.recipes import combinations
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Stopping
from engine.safe_open import open_regular

_MOST_ROWS = 20_000
"""Rows that are looked through for a pair; a longer file is left to the worker."""
_MOST_BYTES = 1 << 20
"""Of a template, which can have no more, and of the beginning of a probe text."""
_PACKAGES = {
    "trl": ("DPO needs TRL.", 'pip install "finetop[dpo]"'),
    "bitsandbytes": ("Quantisation needs bitsandbytes.", 'pip install "finetop[quantize]"'),
}


def check_model(recipe: TrainRecipe, runs: list[Path]) -> None:
    """Raise EngineError where the weights that a run begins with, or that its adapter needs, are
    missing, or its packages are, or settings exclude each other."""
    combinations.check_combinations(recipe)
    kinds = {option[0].kind for option in devices.options(recipe.device)}
    for kind in kinds if len(kinds) == 1 else ():
        combinations.check_number_format(kind, recipe.training.dtype)
        combinations.check_quantize(kind, recipe.method.quantize)
    if recipe.training.objective == "dpo":
        _check_package("trl")
    if recipe.method.quantize != "none":
        _check_package("bitsandbytes")
    find_stage(recipe, runs)


def check_resumed(recipe: TrainRecipe, runs: list[Path]) -> None:
    """Raise EngineError where a run that has a checkpoint cannot go on. Its input files are looked
    after by `jobs.inputs`."""
    check_model(recipe, runs)
    if recipe.samples.prompts and recipe.samples.count:
        prompts.read(prompts.find(recipe.samples.prompts, runs))
    # Its items are those that it began with.
    check_rule(recipe, {spec.name: None for spec in list_watched(recipe.evaluation)})


def check_training(located: Located, checkpoint: Checkpoint, runs: list[Path]) -> None:
    """Raise EngineError where a run that begins anew cannot come to its first step."""
    recipe = located.recipe
    check_model(recipe, runs)
    _check_template(recipe.data.template, checkpoint)
    if recipe.forgetting.probe and recipe.forgetting.tokens:
        _check_probe(Path(recipe.forgetting.probe))
    if located.train.eval_path is not None and not recipe.data.eval:
        objective = recipe.training.objective
        dataset_list.resolve(str(located.train.eval_path), (), recipe.data, objective)
    if recipe.training.objective == "dpo":
        _check_pairs(recipe, located.train)
    has_rows = bool(recipe.data.eval or recipe.data.eval_fraction or located.train.eval_path)
    skills = measure_skills(recipe, runs, has_rows=has_rows)
    check_rule(recipe, skills)
    _check_metric(recipe, has_rows, skills)


def _check_package(name: str) -> None:
    if process.lacks_package(name):
        title, hint = _PACKAGES[name]
        raise EngineError(title, f"No module named {name!r}", hint)


def _check_template(template: str, checkpoint: Checkpoint) -> None:
    if template == "chat" and not checkpoint.chat_template:
        raise EngineError(
            "This checkpoint has no chat template.",
            str(checkpoint.path),
            "Use the template instruct, chatml or raw, or a Jinja file.",
        )
    if template.endswith(TEMPLATES):
        text = _read_text(Path(template), "template", "Check data.template.")
        if not text.strip():
            raise EngineError("The file contains no chat template.", template)
    elif template and template not in FORMS:
        raise EngineError(
            f"Unknown template {template!r}.",
            hint=f"Use one of {', '.join(FORMS)}, or a file ending in {', '.join(TEMPLATES)}.",
        )


def _check_probe(path: Path) -> None:
    text = _read_text(path, "probe text", "Check forgetting.probe.")
    if not text.strip() and path.stat().st_size <= _MOST_BYTES:
        raise EngineError("The probe text is empty.", str(path), "Check forgetting.probe.")


def _read_text(path: Path, what: str, hint: str) -> str:
    """The beginning of a text file. Raises EngineError."""
    with open_regular(path) as file:
        data = file.read(_MOST_BYTES)
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EngineError(f"The {what} is not UTF-8 text.", f"{path}:{line}", hint) from error


def _check_pairs(recipe: TrainRecipe, train: DataSet) -> None:
    """Of Parquet and Arrow only the names of the columns are known here, and not always."""
    if train.schema is not None and not is_pair(train.schema):
        raise refuse_without_pairs(recipe.data.train)
    if holds_columns(train.path):
        return
    data = replace(recipe.data, answers="chosen")
    opened = rows.open_rows(train.path, data, labels=(), objective="dpo")
    count = 0
    for count, row in enumerate(islice(opened.rows, _MOST_ROWS), 1):  # noqa: B007
        if not isinstance(row, Reject) and any(example.rejected for example in row):
            return
    if count < _MOST_ROWS:
        raise refuse_without_pairs(recipe.data.train)


def _check_metric(recipe: TrainRecipe, has_rows: bool, skills: Collection[str]) -> None:
    """A metric that decides something, and that no run of this recipe logs."""
    stopping = recipe.stopping
    decides = stopping.patience > 0 or (stopping.result == "best" and not stopping.keep_best)
    is_chosen = decides or stopping.metric != Stopping().metric
    title = f"The stopping metric {stopping.metric!r} is not logged."
    tags = {*list_tags(recipe), *(f"{head}{name}" for name in skills for head in SKILL_TAGS)}
    of_rows = stopping.metric.startswith("eval/") and not stopping.metric.startswith(SKILL_TAGS)
    if of_rows and is_chosen and not has_rows:
        raise EngineError(
            title,
            "stopping.metric; data.eval_fraction = 0",
            "There are no eval rows: set data.eval, or data.eval_fraction above 0.",
        )
    if is_chosen and stopping.metric not in tags:
        raise EngineError(
            title,
            f"stopping.metric; logged: {', '.join(sorted(tags))}",
            "Set stopping.metric to one of these tags.",
        )
