"""A recipe while it is being written: text of fields to a checked recipe, and names for runs."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from engine.jobs import fields
from engine.jobs.recipe import TrainRecipe, to_table, to_toml
from engine.jobs.views import short_ref
from tui.widgets.form import Field

FORM = (
    Field("name", "Name"),
    Field("method.kind", "Method", ("lora", "full")),
    Field("method.rank", "Rank"),
    Field("method.alpha", "Alpha"),
    Field("training.learning_rate", "Learning rate"),
    Field("training.epochs", "Epochs"),
    Field("training.batch_size", "Batch size"),
    Field("data.max_length", "Max length"),
    Field("training.seed", "Seed"),
    Field("device", "Device", ("auto",)),
)
"""What one sets most; the rest of a recipe stays as it was."""

SMALL = 20_000_000
"""Parameters; below that a model is small."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A recipe, or why there is none yet."""

    recipe: TrainRecipe | None
    problems: Mapping[str, str]
    """Dotted key to reason."""

    @property
    def toml(self) -> str:
        return to_toml(self.recipe) if self.recipe else ""


def draft(start: TrainRecipe, texts: Mapping[str, str], checkpoint: str, data: str) -> Draft:
    """The recipe that `start` becomes with what was typed and picked."""
    table = to_table(start)
    table.pop("version")
    if data != start.data.train:
        fields.assign(table, "data.eval", "")  # those held-out rows belonged to another set
    for key, text in texts.items():
        fields.assign(table, key, fields.coerce(TrainRecipe, key, text))
    fields.assign(table, "model.checkpoint", checkpoint)
    fields.assign(table, "data.train", data)
    problems = fields.problems(TrainRecipe, table)
    if not texts.get("name", "").strip():
        problems["name"] = "must not be empty"
    return Draft(None if problems else fields.build(TrainRecipe, table), problems)


def texts_of(recipe: TrainRecipe) -> dict[str, str]:
    """The text of each field of FORM."""
    table = to_table(recipe)
    return {field.key: _text(_at(table, field.key)) for field in FORM}


def suggest(data: str, method: str, rank: str, taken: Collection[str]) -> str:
    """A name: data set, method, rank; with a number where it is taken."""
    stem = short_ref(data).partition(".")[0] or "run"
    name = f"{stem}-{method}" + (f"-r{rank}" if method == "lora" else "")
    number = 2
    while (found := name if number == 2 else f"{name}-{number - 1}") in taken:
        number += 1
    return found


def suggest_rate(parameters: int | None, method: str) -> str:
    """A learning rate to begin with, as text: small models bear, and need, larger steps.

    The large ones' are what LoRA's and full fine-tuning's papers commonly use (2e-4, 2e-5); the
    small one's were measured on the bundled model.
    """
    small = parameters is not None and parameters < SMALL
    rates = {"lora": "0.0005", "full": "0.0003"} if small else {"lora": "0.0002", "full": "2e-05"}
    return rates.get(method, rates["lora"])


def _at(table: Mapping[str, Any], dotted: str) -> Any:
    value: Any = table
    for part in dotted.split("."):
        value = value[part]
    return value


def _text(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)
