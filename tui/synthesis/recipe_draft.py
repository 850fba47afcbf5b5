"""A recipe that makes data while it is being written: texts of fields to a checked recipe.

Pure. Says of each setting what is wrong with it, so that nothing wrong reaches the launcher.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.recipes import synthesis_settings, validation
from engine.recipes.recipe import SynthesizeRecipe, to_table, to_toml
from engine.recipes.settings import Decode
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.row_schema import RowSchema, make_schema
from engine.synthesis.templates import check_names, split_template
from tui.screens import recipe_texts
from tui.widgets.form import FormField, Group

BASICS = (
    "mode", "asking.generator", "source.text", "source.id", "source.limit", "out", "accept_all",
    "name", "device",
)  # fmt: skip
"""What one sets most."""
TEMPLATES = ("asking.system", "asking.instructions")
PAIR_TEMPLATES = ("pairs.prompt", "pairs.chosen_instructions", "pairs.rejected_instructions")
"""Texts of several lines, each written in a window of its own."""
ARM_SETTINGS = ("asking.generator", "pairs.rejected_generator", "gates.judge")
"""Settings that hold an arm, which can be picked."""
_TABLES = {
    "source": synthesis_settings.Source,
    "asking": synthesis_settings.Asking,
    "decode": Decode,
    "pairs": synthesis_settings.Pairs,
    "gates": synthesis_settings.Gates,
    "budget": synthesis_settings.Budget,
}
_GROUPS = (
    ("Source", ("source",)),
    ("Questions", ("asking", "decode")),
    ("Pairs", ("pairs",)),
    ("Gates", ("gates",)),
    ("Budget", ("budget",)),
)
_ROW_FILES = (".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class SynthesisDraft:
    """A recipe, or why there is none yet."""

    recipe: SynthesizeRecipe | None
    problems: Mapping[str, str]
    """Setting to reason; `fields` for the fields of the rows."""
    schema: RowSchema | None = None
    """Of the fields; None where they make none, or the mode has none."""

    @property
    def toml(self) -> str:
        return to_toml(self.recipe) if self.recipe else ""


@dataclass(frozen=True, slots=True)
class WrittenTexts:
    """What was written for a source and is not started yet."""

    texts: Mapping[str, str]
    """Setting to text, templates among them."""
    fields: Mapping[str, RowField]


def groups() -> tuple[Group, ...]:
    """Every setting that is no template and no field of the rows: basic ones, then by table."""
    made = [Group("Basics", _fields(BASICS))]
    apart = {*BASICS, *TEMPLATES, *PAIR_TEMPLATES, "source.data"}
    for title, tables in _GROUPS:
        keys = [
            f"{one}.{field.name}" for one in tables for field in dataclasses.fields(_TABLES[one])
        ]
        made.append(Group(title, _fields([key for key in keys if key not in apart])))
    return tuple(made)


def texts_of(recipe: SynthesizeRecipe) -> dict[str, str]:
    """The text of each field of the form, and of each template."""
    keys = [field.key for group in groups() for field in group.fields]
    return recipe_texts.texts_of(to_table(recipe), [*keys, *TEMPLATES, *PAIR_TEMPLATES])


def label_of(key: str) -> str:
    """A setting as a person calls it."""
    return "Fields of the rows" if key == "fields" else recipe_texts.label_of(SynthesizeRecipe, key)


def draft_recipe(
    start: SynthesizeRecipe,
    texts: Mapping[str, str],
    fields: Mapping[str, RowField],
    columns: Collection[str] | None = None,
) -> SynthesisDraft:
    """The recipe that `start` becomes with what was typed, and the fields of its rows.

    `columns` of the source, where they are known: templates may name no others.
    """
    table = to_table(start)
    table.pop("version")
    for key, text in texts.items():
        value: object = text
        if key not in (*TEMPLATES, *PAIR_TEMPLATES):
            value = recipe_texts.read_value(SynthesizeRecipe, key, text)
        validation.assign(table, key, value)
    table["fields"] = {name: dataclasses.asdict(field) for name, field in fields.items()}
    problems = validation.errors(SynthesizeRecipe, table)
    if not str(table["name"]).strip():
        problems["name"] = "must not be empty"
    if problems:
        return SynthesisDraft(None, problems)
    recipe = validation.build(SynthesizeRecipe, table)
    problems = {**_check_settings(recipe), **_check_templates(recipe, columns)}
    schema = None
    if recipe.mode in ("fields", "json"):
        try:
            schema = make_schema(recipe.fields, columns, one_object=recipe.mode == "json")
        except EngineError as error:
            problems["fields"] = _reason(error)
    return SynthesisDraft(None if problems else recipe, problems, schema)


def with_source(recipe: SynthesizeRecipe, data: str) -> SynthesizeRecipe:
    """The recipe on another source: what was said of the columns of the old one is taken back."""
    plain = synthesis_settings.Source()
    source = dataclasses.replace(recipe.source, data=data, text=plain.text, id=plain.id,
                                 separator=plain.separator, license=plain.license)  # fmt: skip
    return dataclasses.replace(recipe, source=source)


def suggest_field(columns: Sequence[str], text: str) -> dict[str, RowField]:
    """Fields to begin with: the text of the source, taken as it is, as training names it."""
    column = text or next(iter(columns), "")
    return {"prompt": RowField(take=f"{{{column}}}")} if column else {}


def _check_settings(recipe: SynthesizeRecipe) -> dict[str, str]:
    """What is wrong of single settings, that no bound says."""
    problems = {}
    if not recipe.source.data:
        problems["source.data"] = "choose a source in Launch's data list"
    if recipe.mode == "votes":
        if not recipe.pairs.job:
            problems["pairs.job"] = "mode votes needs run:ID of the job that was voted on"
    elif not recipe.asking.generator:
        problems["asking.generator"] = "ctrl+l picks a model; or type an arm or endpoint"
    if recipe.mode == "pairs" and not recipe.pairs.prompt.strip():
        problems["pairs.prompt"] = "mode pairs needs the prompt of its rows"
    for key, arm in zip(
        ARM_SETTINGS,
        (recipe.asking.generator, recipe.pairs.rejected_generator, recipe.gates.judge),
        strict=True,
    ):
        if arm:
            try:
                parse_arm(arm)
            except EngineError as error:
                problems[key] = error.title
    if recipe.gates.judge and not recipe.gates.judge_question.strip():
        problems["gates.judge_question"] = "a judge needs a question that is answered by yes or no"
    if recipe.out and not recipe.out.casefold().endswith(_ROW_FILES):
        problems["out"] = f"must end in {' or '.join(_ROW_FILES)}"
    if recipe.accept_all and not recipe.out:
        problems["out"] = "accept all writes a file: name it"
    return problems


def _check_templates(recipe: SynthesizeRecipe, columns: Collection[str] | None) -> dict[str, str]:
    table, problems = to_table(recipe), {}
    used = TEMPLATES + (PAIR_TEMPLATES if recipe.mode == "pairs" else ())
    for key, template in recipe_texts.texts_of(table, used).items():
        try:
            split_template(template)
            if columns is not None:
                check_names(template, columns, label_of(key).lower())
        except EngineError as error:
            problems[key] = _reason(error)
    return problems


def _reason(error: EngineError) -> str:
    return " ".join(filter(None, (error.title, error.detail)))


def _fields(keys: Sequence[str]) -> tuple[FormField, ...]:
    return tuple(recipe_texts.form_field(SynthesizeRecipe, key) for key in keys)
