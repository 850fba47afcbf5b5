"""What a recipe says of a file's fields: the schema by name, columns under other names, a group.

Checks the words themselves before any file is opened, and a file's rows against them. What is not
said is found out by the names of the fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.data.schemas import SHAPES, Shape
from engine.errors import EngineError
from engine.recipes.settings import Data

SCHEMA_NAMES = tuple(dict.fromkeys(shape.schema for shape in SHAPES))
KNOWN = (
    "Known: instruction/input/output, prompt/completion, question/answer, messages, conversations, "
    "prompt/chosen/rejected, text/label, text. Others: name them with data.columns."
)
_SAME = {"instruction/input/output": "instruction/output", "sharegpt": "conversations"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read the rows of one file."""

    shapes: tuple[Shape, ...]
    """Those that may fit, in the order in which they are tried."""
    columns: Mapping[str, str]
    """Field of the schema to column of the file."""
    group: str = ""

    def rename(self, row: object) -> object:
        """The row under the schema's names; its other fields stay."""
        if not self.columns or not isinstance(row, Mapping):
            return row
        return {**row, **{field: row.get(column) for field, column in self.columns.items()}}

    def recognise(self, row: object) -> Shape | None:
        """The shape of a row; None where no shape fits, or a column that was named is not there.

        Of several that fit, the one that uses most of the named columns.
        """
        if not isinstance(row, Mapping) or self.absent(row):
            return None
        named = row.keys() | self.columns.keys()
        fitting = [one for one in self.shapes if all(field in named for field in one.fields)]
        return max(fitting, key=self._used, default=None)

    def absent(self, columns: Mapping[str, object]) -> list[str]:
        """The columns that the recipe names and a row does not have."""
        wanted = [*self.columns.values(), *([self.group] if self.group else [])]
        return [column for column in dict.fromkeys(wanted) if column not in columns]

    def _used(self, shape: Shape) -> int:
        return sum(field in self.columns for field in (*shape.fields, *shape.more))


def make_layout(data: Data) -> Layout:
    """Raises EngineError for a schema or a field that nobody knows."""
    schema = _SAME.get(data.schema.lower(), data.schema)
    shapes = tuple(shape for shape in SHAPES if not schema or shape.schema == schema)
    if not shapes:
        raise EngineError(
            f"no schema is called {data.schema!r}", "", f"There are {', '.join(SCHEMA_NAMES)}."
        )
    known = {field: None for shape in shapes for field in (*shape.fields, *shape.more)}
    unknown = [field for field in data.columns if field not in known]
    if unknown:
        which = f"{schema} has no field" if schema else "no schema has a field"
        raise EngineError(
            f"data.columns: {which} {unknown[0]!r}",
            f"There are {', '.join(known)}.",
            "Write field = column, as data.columns.prompt = the file's own name for it.",
        )
    return Layout(shapes, dict(data.columns), data.group)


def refuse(
    name: str, where: str, layout: Layout, seen: Sequence[Mapping[str, object]]
) -> EngineError:
    """The EngineError for rows that were read and that no shape fits."""
    columns = list(dict.fromkeys(str(column) for row in seen for column in row))
    there = ", ".join(column or "''" for column in columns[:40]) or "no fields"
    absent = layout.absent(dict.fromkeys(columns))
    if absent:
        setting = "data.columns" if absent[0] in layout.columns.values() else "data.group"
        return EngineError(
            f"{name} has no column {absent[0]!r}", f"{where}: {there}", f"It is named in {setting}."
        )
    if len({shape.schema for shape in layout.shapes}) == 1:
        wanted = layout.shapes[0]
        lacks = [field for field in wanted.fields if field not in {*columns, *layout.columns}]
        return EngineError(
            f"{name}: its rows are not {wanted.schema}: no field {lacks[0]!r}",
            f"{where}: {there}",
            f"Name the column that holds it: data.columns.{lacks[0]} = …",
        )
    return EngineError(f"{name}: its fields are not known", f"{where}: {there}", KNOWN)
