"""The modes of making rows: in which steps a row comes together, and how an answer is read.

A mode is a plan of steps, each a field that is taken or a question that is asked, and what an
answer to such a question says. Owns no order among sources and asks nobody.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.answer_object import MOST_CHARS, read_field, read_object
from engine.synthesis.field_values import Value
from engine.synthesis.outcomes import BadAnswer, Repair
from engine.synthesis.questions import CHOSEN, PROMPT, REJECTED
from engine.synthesis.repairs import ProposeRepair
from engine.synthesis.row_schema import RowSchema, make_schema
from engine.synthesis.templates import check_names, names_in

Values = dict[str, Value]


@dataclass(frozen=True, slots=True)
class RowStep:
    """A field that is taken, or a question."""

    field: str
    """What is asked for or taken; empty: one object with all fields that are asked for."""
    is_asked: bool


class RowMode(Protocol):
    """One way of making a row."""

    one_object: bool
    """Whether a question asks for all fields at once, so that none of them may name another."""

    def make_schema(
        self, recipe: SynthesizeRecipe, columns: Collection[str] | None = None
    ) -> RowSchema:
        """The rows that a recipe wants; `columns` of the source, where they are known. Raises
        EngineError, naming the setting that is wrong."""
        ...

    def plan(self, schema: RowSchema) -> tuple[RowStep, ...]:
        """The steps in order."""
        ...

    def read(
        self, schema: RowSchema, field: str, sample: Sample, propose: ProposeRepair | None
    ) -> tuple[Values, tuple[Repair, ...]]:
        """The values that the answer to a step's question gives. Raises BadAnswer."""
        ...


class FieldsMode:
    """A question a field; a later one may show the fields before it."""

    one_object = False

    def make_schema(
        self, recipe: SynthesizeRecipe, columns: Collection[str] | None = None
    ) -> RowSchema:
        return make_schema(recipe.fields, columns)

    def plan(self, schema: RowSchema) -> tuple[RowStep, ...]:
        return tuple(RowStep(name, bool(field.ask)) for name, field in schema.fields.items())

    def read(
        self, schema: RowSchema, field: str, sample: Sample, propose: ProposeRepair | None
    ) -> tuple[Values, tuple[Repair, ...]]:
        value, repairs = read_field(sample.spoken, sample.finish, schema, field)
        return {field: value}, repairs


class ObjectMode:
    """One question for a JSON object with all fields that are asked for."""

    one_object = True

    def make_schema(
        self, recipe: SynthesizeRecipe, columns: Collection[str] | None = None
    ) -> RowSchema:
        return make_schema(recipe.fields, columns, one_object=True)

    def plan(self, schema: RowSchema) -> tuple[RowStep, ...]:
        return (RowStep("", True), *(RowStep(name, False) for name in schema.taken))

    def read(
        self, schema: RowSchema, field: str, sample: Sample, propose: ProposeRepair | None
    ) -> tuple[Values, tuple[Repair, ...]]:
        return read_object(sample.spoken, sample.finish, schema, propose)


class PairsMode:
    """Two answers to one prompt: of two arms, or asked for in two ways. Neither question shows the
    other's answer, so that it does not matter which is asked first."""

    one_object = False

    def make_schema(
        self, recipe: SynthesizeRecipe, columns: Collection[str] | None = None
    ) -> RowSchema:
        pairs = recipe.pairs
        templates = {
            "pairs.prompt": pairs.prompt,
            "pairs.chosen_instructions": pairs.chosen_instructions,
            "pairs.rejected_instructions": pairs.rejected_instructions,
        }
        for name, template in templates.items():
            check_names(template, names_in(template) if columns is None else columns, name)
        if not names_in(pairs.prompt):
            raise EngineError(
                "The prompt of the pairs shows nothing of the source.",
                f"pairs.prompt: {pairs.prompt[:80]!r}",
                "Name a column of the source in it, as in {text}.",
            )
        other = pairs.rejected_generator or recipe.asking.generator
        same_arm = other == recipe.asking.generator
        if same_arm and pairs.chosen_instructions == pairs.rejected_instructions:
            raise EngineError(
                "Both answers of a pair are asked for alike.",
                "pairs: one generator, and chosen_instructions as rejected_instructions",
                "Ask for one of them in another way, or set pairs.rejected_generator.",
            )
        answer = RowField(ask=pairs.prompt, max_chars=MOST_CHARS)
        prompt = RowField(take=pairs.prompt, max_chars=MOST_CHARS)
        return RowSchema({PROMPT: prompt, CHOSEN: answer, REJECTED: answer})

    def plan(self, schema: RowSchema) -> tuple[RowStep, ...]:
        return RowStep(PROMPT, False), RowStep(CHOSEN, True), RowStep(REJECTED, True)

    def read(
        self, schema: RowSchema, field: str, sample: Sample, propose: ProposeRepair | None
    ) -> tuple[Values, tuple[Repair, ...]]:
        text = sample.spoken.strip()  # a fence is part of the answer
        if len(text) > MOST_CHARS:
            raise BadAnswer("too large", f"{len(text)} characters, at most {MOST_CHARS}")
        return {field: schema.read_value(field, text, sample.finish)}, ()


MODES: Mapping[str, RowMode] = {
    "fields": FieldsMode(), "json": ObjectMode(), "pairs": PairsMode(),
}  # fmt: skip
"""By `mode` of the recipe; pairs out of votes are made by nobody who is asked."""


def find_mode(name: str) -> RowMode:
    """The mode of a recipe. Raises EngineError for one that cannot be made here."""
    if name not in MODES:
        raise EngineError(
            f"Rows cannot be made in the mode {name!r}.", f"mode: one of {', '.join(MODES)}"
        )
    return MODES[name]
