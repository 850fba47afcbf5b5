"""A recipe while it is being written: text of fields to a checked recipe, and names for runs."""

import dataclasses
import math
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.checkpoints.context import explain_length
from engine.jobs.summary import short_ref
from engine.recipes import settings, validation
from engine.recipes.recipe import TrainRecipe, to_table, to_toml
from tui.widgets.form import FormField, Group

if TYPE_CHECKING:
    from engine.checkpoints.entry import Checkpoint

BASICS = (
    "name", "method.kind", "method.rank", "method.alpha", "training.learning_rate",
    "training.epochs", "training.batch_size", "data.max_length", "training.seed", "device",
)  # fmt: skip
"""What one sets most."""
PICKED = ("model.checkpoint", "data.train")
"""Chosen in the lists."""
TABLES: Mapping[str, type] = {
    "data": settings.Data,
    "model": settings.Model,
    "method": settings.Method,
    "training": settings.Training,
    "stopping": settings.Stopping,
    "replay": settings.Replay,
    "samples": settings.Samples,
    "forgetting": settings.Forgetting,
    "evaluation": settings.SkillEvaluation,
}
OF_ONE_SET = ("eval", "group", "schema", "columns", "separator", "label_prompt")
"""Settings of data that say nothing of another data set."""
NO, YES = "no", "yes"

SMALL = 20_000_000
"""Parameters; below that a model is small."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A recipe, or why there is none yet."""

    recipe: TrainRecipe | None
    problems: Mapping[str, str]
    """Dotted key to reason."""
    note: str = ""
    """What should be known of a recipe that can be run."""

    @property
    def toml(self) -> str:
        return to_toml(self.recipe) if self.recipe else ""


def groups() -> tuple[Group, ...]:
    """Every setting of a recipe, with its label and choices: the basic ones, then by table."""
    made = [Group("Basics", tuple(_field(key) for key in BASICS))]
    for title, tables in (
        ("Data", ("data",)),
        ("Method", ("model", "method")),
        ("Training", ("training",)),
        ("Stopping", ("stopping",)),
        ("Replay", ("replay",)),
        ("Answers", ("samples",)),
        ("Forgetting", ("forgetting",)),
        ("Skills", ("evaluation",)),
    ):
        keys = [
            f"{one}.{field.name}" for one in tables for field in dataclasses.fields(TABLES[one])
        ]
        rest = [key for key in keys if key not in BASICS and key not in PICKED]
        made.append(Group(title, tuple(_field(key) for key in rest)))
    return tuple(made)


def draft(start: TrainRecipe, texts: Mapping[str, str], checkpoint: str, data: str) -> Draft:
    """The recipe that `start` becomes with what was typed and picked."""
    table = to_table(start)
    table.pop("version")
    for key, text in texts.items():
        validation.assign(table, key, _value(key, text))
    validation.assign(table, "model.checkpoint", checkpoint)
    validation.assign(table, "data.train", data)
    problems = validation.errors(TrainRecipe, table)
    if not texts.get("name", "").strip():
        problems["name"] = "must not be empty"
    return Draft(None if problems else validation.build(TrainRecipe, table), problems)


def check_model(written: Draft, model: "Checkpoint | None") -> Draft:
    """The draft, with what there is to say of its rows' length for this model."""
    if written.recipe is None or model is None:
        return written
    length, tabled = written.recipe.data.max_length, model.position_table
    text = explain_length(length, model.context_length, tabled)
    if text and tabled:
        return Draft(None, {"data.max_length": text})
    return dataclasses.replace(written, note=text)


def with_set(recipe: TrainRecipe, data: str) -> TrainRecipe:
    """The recipe on another data set: what was said of the old one alone is taken back."""
    plain = settings.Data()
    kept = {name: getattr(plain, name) for name in OF_ONE_SET}
    return dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, train=data, **kept))


def texts_of(recipe: TrainRecipe) -> dict[str, str]:
    """The text of each field, of all groups."""
    table = to_table(recipe)
    keys = [field.key for group in groups() for field in group.fields]
    return {key: _text(_at(table, key)) for key in keys}


def label_of(key: str) -> str:
    """A setting as a person calls it."""
    table, _, name = key.rpartition(".")
    owner = TABLES.get(table, TrainRecipe)
    field = next((field for field in dataclasses.fields(owner) if field.name == name), None)
    return str(field.metadata.get("label") or name) if field else key


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


def _field(key: str) -> FormField:
    table, _, name = key.rpartition(".")
    owner = TABLES.get(table, TrainRecipe)
    (found,) = (one for one in dataclasses.fields(owner) if one.name == name)
    choices = tuple(found.metadata.get("choices") or ())
    if validation.kind_of(TrainRecipe, key) is bool:
        choices = (NO, YES)
    if key == "device":
        choices = ("auto",)  # the others are found out
    zero = found.metadata.get("zero")
    return FormField(key, label_of(key) + (f" (0: {zero})" if zero else ""), choices)


def _value(key: str, text: str) -> Any:
    """What a person's text means for a setting; where it means nothing, the text itself."""
    if typing.get_origin(validation.kind_of(TrainRecipe, key)) is not dict:
        return validation.coerce(TrainRecipe, key, text)
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and equals and value.strip() for name, equals, value in pairs):
        return text
    return {name.strip(): value.strip() for name, _, value in pairs}


def _at(table: Mapping[str, Any], dotted: str) -> Any:
    value: Any = table
    for part in dotted.split("."):
        value = value[part]
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={one}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
