"""What a recipe says of a file's fields: the schema by name, columns under other names, a group.

Checks the words themselves before any file is opened, and a file's rows against them. What is not
said is found out by the names of the fields: of pairs beside a conversation, pairs are taken, and
where preferences are the objective, pairs beside anything.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.data.schemas import FIELD_SCHEMAS, FieldSchema
from engine.errors import EngineError
from engine.recipes.settings import Data

SCHEMA_NAMES = tuple(dict.fromkeys(schema.name for schema in FIELD_SCHEMAS))
KNOWN = (
    "Known: instruction/input/output, prompt/completion, question/answer, messages, conversations, "
    "prompt/chosen/rejected, text/label, text. Map other columns with data.columns."
)
_SAME = {"instruction/input/output": "instruction/output", "sharegpt": "conversations"}


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How to read the rows of one file."""

    schemas: tuple[FieldSchema, ...]
    """Those that may fit, in the order in which they are tried."""
    columns: Mapping[str, str]
    """Field of the schema to column of the file, or to a value inside one: `answers.text`."""
    group: str = ""
    wants_pairs: bool = False
    """Whether only pairs can be learned from: the objective is DPO."""

    def rename(self, row: object, schema: FieldSchema | None = None) -> object:
        """The row under the schema's names; its other fields stay.

        A column that a recipe reads as another field is not read a second time under its own name,
        where the schema would.
        """
        if not self.columns or not isinstance(row, Mapping):
            return row
        moved = self._moved(schema)
        kept = {column: value for column, value in row.items() if column not in moved}
        return {**kept, **{field: find(row, column) for field, column in self.columns.items()}}

    def recognise(self, row: object) -> FieldSchema | None:
        """The schema of a row; None where none fits, or a column that was named is not there.

        Of several that fit, the one that uses most of the named columns. A conversation beside a
        pair is its prompt, or says the same: the pair is taken where the row has both its answers.
        """
        if not isinstance(row, Mapping) or self.absent(row):
            return None
        named = row.keys() | self.columns.keys()
        fitting = [one for one in self.schemas if all(field in named for field in one.fields)]
        best = max(fitting, key=self._used, default=None)
        if best is None or not (self.wants_pairs or best.kind == "turns"):
            return best
        pairs = [one for one in fitting if one.kind == "pair"]
        if not self.wants_pairs:
            renamed = self.rename(row)
            assert isinstance(renamed, Mapping), "a row with fields"
            pairs = [
                one for one in pairs if all(_is_answer(renamed.get(two)) for two in one.answers)
            ]
        return max(pairs, key=self._used, default=best)

    def absent(self, columns: Mapping[str, object]) -> list[str]:
        """The columns that the recipe names and a row does not have."""
        named = [*self.columns.values(), *([self.group] if self.group else [])]
        return [name for name in dict.fromkeys(named) if column_of(name, columns) not in columns]

    def list_read(self, schema: FieldSchema, row: Mapping[str, object]) -> dict[str, str]:
        """Field to the column that it is read from, or from a value inside, of what a row has."""
        fields = (*schema.fields, *schema.more)
        if not self.columns:
            return {field: field for field in fields if field in row}
        moved = self._moved(schema)
        named = {field: self.columns.get(field, field) for field in fields if field not in moved}
        columns = {field: column_of(name, row) for field, name in named.items()}
        return {field: column for field, column in columns.items() if column in row}

    def _moved(self, schema: FieldSchema | None) -> set[str]:
        """Columns that are read as other fields than those of their names."""
        optional = schema.more if schema else ()
        return {one for one in self.columns.values() if one in optional and one not in self.columns}

    def _used(self, schema: FieldSchema) -> tuple[int, int]:
        """How many of the named columns it uses, and how many of them it cannot do without."""
        needed = sum(field in self.columns for field in schema.fields)
        return needed + sum(field in self.columns for field in schema.more), needed


def _is_answer(value: object) -> bool:
    """Whether a value may be an answer: `accepted` and `rejected` may be flags."""
    return isinstance(value, str | list | Mapping)


def column_of(name: str, columns: Collection[str]) -> str:
    """The column that holds what is named: of `answers.text` it is `answers`."""
    return name if name in columns else name.partition(".")[0]


def find(row: Mapping[str, object], name: str) -> object:
    """The value of a column, or inside of one: `answers.text`, `answers.text.0`, `turns.0.value`.

    A list of one text, or of the same text several times, is that text; an empty one is nothing.
    """
    column = column_of(name, row)
    value = row.get(column)
    if column == name:
        return value
    for key in name.removeprefix(f"{column}.").split("."):
        value = _step(value, key)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value[0] if len(set(value)) == 1 else value or None
    return value


def _step(value: object, key: str) -> object:
    """A field of an object, an element of a list, or a field of every element."""
    if isinstance(value, Mapping):
        return value.get(key)
    if not isinstance(value, list):
        return None
    if key.isdecimal():
        return value[int(key)] if int(key) < len(value) else None
    return [one.get(key) for one in value if isinstance(one, Mapping)]


def make_mapping(data: Data, objective: str = "sft") -> ColumnMapping:
    """How to read rows for a training objective.

    Raises EngineError for a schema or a field that nobody knows.
    """
    schema_name = _SAME.get(data.schema.lower(), data.schema)
    schemas = tuple(
        schema for schema in FIELD_SCHEMAS if not schema_name or schema.name == schema_name
    )
    if not schemas:
        raise EngineError(
            f"unknown schema {data.schema!r}", "", f"Schemas: {', '.join(SCHEMA_NAMES)}."
        )
    known = {field: None for schema in schemas for field in (*schema.fields, *schema.more)}
    unknown = [field for field in data.columns if field not in known]
    if unknown:
        which = f"{schema_name} has no field" if schema_name else "no schema has a field"
        raise EngineError(
            f"data.columns: {which} {unknown[0]!r}",
            f"Known: {', '.join(known)}.",
            "Use field = column, e.g. data.columns.prompt = the column name in the file.",
        )
    return ColumnMapping(schemas, dict(data.columns), data.group, objective == "dpo")


def recognise(row: object) -> str | None:
    """The schema's name of a row that no recipe speaks of; None where no schema fits."""
    schema = make_mapping(Data()).recognise(row)
    return schema.name if schema else None


def refuse(
    name: str, where: str, mapping: ColumnMapping, seen: Sequence[Mapping[str, object]]
) -> EngineError:
    """The EngineError for rows that were read and that no schema fits."""
    columns = list(dict.fromkeys(str(column) for row in seen for column in row))
    there = ", ".join(column or "''" for column in columns[:40]) or "no fields"
    absent = mapping.absent(dict.fromkeys(columns))
    if absent:
        setting = "data.columns" if absent[0] in mapping.columns.values() else "data.group"
        return EngineError(
            f"{name} has no column {absent[0]!r}",
            f"{where}: {there}",
            f"The column is set in {setting}.",
        )
    if len({schema.name for schema in mapping.schemas}) == 1:
        only_schema = mapping.schemas[0]
        lacks = [field for field in only_schema.fields if field not in {*columns, *mapping.columns}]
        return EngineError(
            f"{name}: rows do not fit the schema {only_schema.name}: missing field {lacks[0]!r}",
            f"{where}: {there}",
            f"Set the column: data.columns.{lacks[0]} = …",
        )
    return EngineError(f"{name}: unknown columns", f"{where}: {there}", KNOWN)
