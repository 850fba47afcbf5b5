"""The rows wanted: their fields, each taken from the source or asked for, and what fits them.

Owns whether a table of fields makes sense, whether values are a row of it, and its JSON Schema for
generators that can be held to one. Refuses values that nearly fit: `engine.synthesis.field_values`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from engine.compare.samples import Finish
from engine.errors import EngineError
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.field_values import Value, check_value, fold_label, read_text_value
from engine.synthesis.outcomes import BadAnswer, Reason
from engine.synthesis.templates import check_names, fill, names_in, split_template

_JSON_TYPES = {
    "text": "string", "label": "string", "integer": "integer", "number": "number",
    "boolean": "boolean", "list": "array",
}  # fmt: skip
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class RowSchema:
    """The fields of a row, in order; made by `make_schema`."""

    fields: Mapping[str, RowField]

    @property
    def asked(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if field.ask)

    @property
    def taken(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if field.take)

    @property
    def required(self) -> frozenset[str]:
        """Those that are asked for and that no row may lack; empty where it may lack one."""
        if any(self.fields[name].optional for name in self.asked):
            return frozenset()
        return frozenset(self.asked)

    def check(self, values: Mapping[str, object]) -> list[Reason]:
        """What is wrong of a whole row, fields that are taken as well; nothing: empty."""
        return [bad.reason for bad in self._check(values, tuple(self.fields))[1]]

    def take_answer(self, values: Mapping[str, object]) -> dict[str, Value]:
        """The fields that were asked for, of one answer with all of them; null is an optional
        field that the row lacks. Raises BadAnswer for the first thing that is wrong."""
        row, bad = self._check(values, self.asked)
        if bad:
            raise bad[0]
        return row

    def take(self, name: str, columns: Mapping[str, object]) -> Value:
        """The value of a field that is taken, of the source's columns and the fields before it.

        A template that is one column alone has the column's own value; a column that this source
        lacks is empty. Raises BadAnswer where it does not fit.
        """
        field = self.fields[name]
        parts = split_template(field.take)
        if len(parts) == 1 and field.type != "text":
            value = columns.get(parts[0].column)
            if value is not None and not isinstance(value, str):
                return check_value(value, field)
        text = fill(field.take, {part: columns.get(part) for part in names_in(field.take)})
        return check_value(text, field) if field.type == "text" else read_text_value(text, field)

    def read_value(self, name: str, text: str, finish: Finish = "stop") -> Value:
        """What the answer to a field's own question says, as `strip_answer` leaves it.

        `finish`: how the answer ended; one that was cut is rarely whole. Raises BadAnswer.
        """
        return read_text_value(text, self.fields[name], finish)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of one answer with the fields that are asked for.

        Of form alone: a bound on lengths or a range would have a generator that is held to it end
        a text in the middle, or write 1 where it meant 10. Those are checked when it has answered.
        Every field is required, as hosted generators demand; an optional one may be null.
        """
        return {
            "type": "object",
            "properties": {name: _property(self.fields[name]) for name in self.asked},
            "required": list(self.asked),
            "additionalProperties": False,
        }

    def _check(
        self, values: Mapping[str, object], names: tuple[str, ...]
    ) -> tuple[dict[str, Value], list[BadAnswer]]:
        row: dict[str, Value] = {}
        faults = [BadAnswer("unknown field", name[:80]) for name in values if name not in names]
        for name in names:
            field = self.fields[name]
            if values.get(name) is None:
                if not field.optional:
                    faults.append(BadAnswer("missing field", name))
                continue
            try:
                row[name] = check_value(values[name], field)
            except BadAnswer as bad:
                detail = f"{name}: {bad.detail}" if bad.detail else name
                faults.append(BadAnswer(bad.fault, detail))
        return row, faults


def make_schema(
    fields: Mapping[str, RowField],
    columns: Collection[str] | None = None,
    *,
    one_object: bool = False,
) -> RowSchema:
    """The schema of a recipe's fields; `columns` of the source, where they are known.

    A template may name the columns and the fields before it; one that is asked for in
    `one_object` with all others, columns alone. Raises EngineError for fields that make no rows,
    with the setting that is wrong.
    """
    if not fields:
        raise EngineError(
            "The rows wanted have no fields.",
            hint="Add a table [fields.NAME] with `ask` or `take` for each field.",
        )
    known = list(columns or ())
    for name, field in fields.items():
        _check_field(name, field)
        split_template(field.take + field.ask)
        if columns is not None:
            check_names(field.take, known, f"fields.{name}.take")
            check_names(field.ask, columns if one_object else known, f"fields.{name}.ask")
            known.append(name)
    schema = RowSchema(dict(fields))
    if not schema.asked:
        raise EngineError(
            "No field of the rows wanted is asked for.",
            f"fields: {', '.join(fields)}",
            "Give at least one field `ask`: what the generator writes.",
        )
    return schema


def _check_field(name: str, field: RowField) -> None:
    """Raises EngineError for a field that no answer could fill."""
    problem = ""
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        problem = f"a field's name has 1 to {_LONGEST_NAME} printable characters"
    elif set(name) & set("{}"):
        problem = "a field's name has no braces"
    elif bool(field.take) == bool(field.ask):
        problem = "give either `take` or `ask`"
    elif field.type == "label" and len({fold_label(one) for one in field.choices}) < 2:
        problem = "a label needs at least two different choices"
    elif field.type == "label" and not all(map(fold_label, field.choices)):
        problem = "a choice of a label is empty"
    elif len({fold_label(one) for one in field.choices}) < len(field.choices):
        problem = "two choices differ in letter case or white space alone"
    elif field.choices and field.type != "label":
        problem = f"choices are for labels, not for {field.type}"
    elif field.range and field.type not in ("integer", "number"):
        problem = f"a range is for numbers, not for {field.type}"
    elif field.range and not (len(field.range) == 2 and field.range[0] <= field.range[1]):
        problem = "a range is the least and the largest number"
    elif field.min_chars > field.max_chars:
        problem = "min_chars is more than max_chars"
    if problem:
        raise EngineError("A field of the rows wanted is wrong.", f"fields.{name}: {problem}")


def _property(field: RowField) -> dict[str, Any]:
    kind = _JSON_TYPES[field.type]
    table: dict[str, Any] = {"type": [kind, "null"] if field.optional else kind}
    if field.type == "label":
        table["enum"] = [*field.choices, None] if field.optional else list(field.choices)
    if field.type == "list":
        table["items"] = {"type": "string"}
    return table
