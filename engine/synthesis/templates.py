"""Templates of a recipe: text with the names of columns in braces, as in `{review}`.

A name is whatever stands between the braces, dots and spaces too: nothing is looked up behind it,
and nothing formatted. `{{` and `}}` are braces. Refuses a brace that is neither, and a name that
there is not.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine.errors import EngineError

_PART = re.compile(r"\{\{|\}\}|\{([^{}\n]+)\}|[^{}]+|[{}]")


@dataclass(frozen=True, slots=True)
class TemplatePart:
    """A piece of a template, as it stands there or in place of a column."""

    text: str = ""
    column: str = ""
    """Empty: `text` as it is."""


def split_template(template: str) -> list[TemplatePart]:
    """The pieces in order. Raises EngineError for a brace that is neither doubled nor one of a
    name's."""
    parts: list[TemplatePart] = []
    for match in _PART.finditer(template):
        piece = match[0]
        name = (match[1] or "").strip()
        if name:
            parts.append(TemplatePart(column=name))
        elif piece[0] in "{}" and piece not in ("{{", "}}"):
            place = template.count("\n", 0, match.start()) + 1
            raise EngineError(
                "A template has a brace without its other half.",
                f"{piece!r} in line {place} of {template[:80]!r}",
                "Write {{ and }} for braces, and {NAME} for the column NAME.",
            )
        else:
            parts.append(TemplatePart(text=piece[:1] if piece[0] in "{}" else piece))
    return parts


def names_in(template: str) -> tuple[str, ...]:
    """The columns that it names, each once, in order. Raises EngineError as `split_template`."""
    names = (part.column for part in split_template(template) if part.column)
    return tuple(dict.fromkeys(names))


def check_names(template: str, known: Collection[str], where: str) -> None:
    """Raises EngineError, naming `where` the template stands, for a name that is not known."""
    for name in names_in(template):
        if name not in known:
            names = ", ".join(filter(None, known)) or "none"
            raise EngineError(
                f"There is no column {name!r}.", f"{where}: {{{name}}}", f"Columns: {names}."
            )


def fill(template: str, columns: Mapping[str, object]) -> str:
    """The template with each column's value as text. Raises EngineError."""
    check_names(template, columns, "template")
    return "".join(
        write_value(columns[part.column]) if part.column else part.text
        for part in split_template(template)
    )


def write_value(value: object) -> str:
    """A column's value as text: a text as it is, nothing of a missing one, all else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
