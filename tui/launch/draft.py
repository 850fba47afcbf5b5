"""A recipe while it is being written: text of fields to a checked recipe, and names for runs."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.checkpoints.context import explain_length
from engine.jobs.summary import short_ref
from engine.recipes import settings, validation
from engine.recipes.recipe import TrainRecipe, to_table, to_toml
from tui.screens import recipe_texts
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
    made = [Group("Basics", _fields(BASICS))]
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
        made.append(Group(title, _fields(rest)))
    return tuple(made)


def draft(start: TrainRecipe, texts: Mapping[str, str], checkpoint: str, data: str) -> Draft:
    """The recipe that `start` becomes with what was typed and picked."""
    table = to_table(start)
    table.pop("version")
    for key, text in texts.items():
        validation.assign(table, key, recipe_texts.read_value(TrainRecipe, key, text))
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
    keys = [field.key for group in groups() for field in group.fields]
    return recipe_texts.texts_of(to_table(recipe), keys)


def label_of(key: str) -> str:
    """A setting as a person calls it."""
    return recipe_texts.label_of(TrainRecipe, key)


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


def _fields(keys: Sequence[str]) -> tuple[FormField, ...]:
    return tuple(recipe_texts.form_field(TrainRecipe, key) for key in keys)
