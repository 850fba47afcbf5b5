"""Settings of a recipe as the fields of a form, and what is typed in these as values.

Knows any kind of recipe by its class, and no page. Whether a value is right is for
`engine.recipes.validation` to say.
"""

import dataclasses
import math
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from engine.recipes import validation
from tui.widgets.form import FormField

NO, YES = "no", "yes"


def label_of(recipe: type, key: str) -> str:
    """A setting as a person calls it."""
    found = _find(recipe, key)
    return str(found.metadata.get("label") or found.name) if found else key


def form_field(recipe: type, key: str) -> FormField:
    """A setting with its label, and its choices where it has some."""
    found = _find(recipe, key)
    assert found is not None, f"no setting {key}"
    choices = tuple(found.metadata.get("choices") or ())
    if validation.kind_of(recipe, key) is bool:
        choices = (NO, YES)
    if key == "device":
        choices = ("auto",)  # the others are found out
    zero = found.metadata.get("zero")
    return FormField(key, label_of(recipe, key) + (f" (0: {zero})" if zero else ""), choices)


def read_value(recipe: type, key: str, text: str) -> Any:
    """What a person's text means for a setting; where it means nothing, the text itself."""
    if typing.get_origin(validation.kind_of(recipe, key)) is not dict:
        return validation.coerce(recipe, key, text)
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and equals and value.strip() for name, equals, value in pairs):
        return text
    return {name.strip(): value.strip() for name, _, value in pairs}


def texts_of(table: Mapping[str, Any], keys: Iterable[str]) -> dict[str, str]:
    """The text of each of these settings in a recipe's table."""
    return {key: write_value(_at(table, key)) for key in keys}


def write_value(value: object) -> str:
    """A setting's value as a person types it."""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={one}" for name, one in value.items())
    return ", ".join(map(write_value, value)) if isinstance(value, list) else str(value)


def _find(recipe: type, key: str) -> "dataclasses.Field[Any] | None":
    head, _, rest = key.partition(".")
    found = next((one for one in dataclasses.fields(recipe) if one.name == head), None)
    if found is None or not rest:
        return found
    inner = typing.get_type_hints(recipe)[head]
    return _find(inner, rest) if isinstance(inner, type) else None


def _at(table: Mapping[str, Any], dotted: str) -> Any:
    value: Any = table
    for part in dotted.split("."):
        value = value[part]
    return value
