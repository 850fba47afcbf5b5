"""The modes of making rows: in which steps a row comes together, and how an answer is read.

A mode is a plan of steps, each a field that is taken or a question that is asked, and what an
answer to such a question says. Owns no order among sources and asks nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.synthesis.answer_object import read_field, read_object
from engine.synthesis.field_values import Value
from engine.synthesis.outcomes import Repair
from engine.synthesis.repairs import ProposeRepair
from engine.synthesis.row_schema import RowSchema

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

    def plan(self, schema: RowSchema) -> tuple[RowStep, ...]:
        return (RowStep("", True), *(RowStep(name, False) for name in schema.taken))

    def read(
        self, schema: RowSchema, field: str, sample: Sample, propose: ProposeRepair | None
    ) -> tuple[Values, tuple[Repair, ...]]:
        return read_object(sample.spoken, sample.finish, schema, propose)


MODES: Mapping[str, RowMode] = {"fields": FieldsMode(), "json": ObjectMode()}
"""By `mode` of the recipe."""


def find_mode(name: str) -> RowMode:
    """The mode of a recipe. Raises EngineError for one that cannot be made here."""
    if name not in MODES:
        raise EngineError(
            f"Rows cannot be made in the mode {name!r}.", f"mode: one of {', '.join(MODES)}"
        )
    return MODES[name]
