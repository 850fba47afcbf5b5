"""A row as text that a person edits, and back: TOML, a field a line, long texts over several lines.

Pure. Refuses what is no row of the job's fields, with the reason.
"""

import tomllib
from collections.abc import Collection, Mapping
from typing import Any

import tomli_w

from engine.errors import EngineError
from engine.synthesis.row_schema import RowSchema

PAIR_FIELDS = ("prompt", "chosen", "rejected")
"""The fields of mode `pairs`, all texts."""


def write_row(row: Mapping[str, Any]) -> str:
    """The fields that the row has, in their order; an optional one that it lacks is left out."""
    return tomli_w.dumps(
        {name: value for name, value in row.items() if value is not None}, multiline_strings=True
    )


def find_place(row: Mapping[str, Any], fields: Collection[str]) -> tuple[int, int]:
    """Line and column, from 0, of the text of `write_row` at which one begins to edit: the end of
    the first line of the first of these `fields` that the row has; of none the beginning."""
    names = [name for name, value in row.items() if value is not None]
    name = next((name for name in names if name in fields), None)
    if name is None:
        return 0, 0
    before = write_row({one: row[one] for one in names[: names.index(name)]})
    line = write_row({name: row[name]}).split("\n")[0]
    is_text = line.endswith('"') and not line.endswith('"""')
    return before.count("\n"), len(line) - is_text


def read_row(text: str, schema: RowSchema | None) -> dict[str, Any]:
    """The row of a text. `schema` is None in modes whose fields are fixed texts.

    Raises EngineError that says what is wrong, and where.
    """
    try:
        row = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise EngineError(
            "This is not TOML.", str(error), 'Write NAME = "text", or """ around several lines.'
        ) from error
    if schema is None:
        wrong = [
            name for name in PAIR_FIELDS if not isinstance(row.get(name), str) or not row[name]
        ]
        if wrong or len(row) != len(PAIR_FIELDS):
            raise EngineError(
                "The row has other fields than a pair.", ", ".join(wrong or row),
                f"Fields: {', '.join(PAIR_FIELDS)}, each a text.",
            )  # fmt: skip
        return row
    faults = schema.check(row)
    if faults:
        raise EngineError(
            "The row does not fit.",
            "; ".join(f"{one.name}: {one.detail}" if one.detail else one.name for one in faults),
        )
    return row
