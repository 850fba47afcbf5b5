"""What tells runs apart: settings by their dotted names, and only those that differ."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.recipes.recipe import Recipe

Settings = Mapping[str, Any]
"""By their dotted names, as `flatten` gives them or a log's writer wrote them down."""
NOT_SET = "not set"
"""What is shown for a setting that is empty, or that a run has not."""
_NAMES = ("name",)
"""Settings that say nothing of how a run learns."""


@dataclass(frozen=True, slots=True)
class Difference:
    setting: str
    """Dotted, as in `training.learning_rate`."""
    one: Any
    """None where this run, being of another kind, has no such setting."""
    other: Any


def flatten(recipe: Recipe) -> dict[str, Any]:
    """Every setting of a recipe by its dotted name, in the recipe's own order."""
    return dict(_flatten(recipe, ""))


def differences(one: Settings, other: Settings) -> list[Difference]:
    """The settings in which two runs differ, but for their names."""
    return [
        Difference(key, one.get(key), other.get(key))
        for key in dict.fromkeys([*one, *other])
        if key not in _NAMES and _something(one.get(key)) != _something(other.get(key))
    ]


def varying(tables: Sequence[Settings]) -> dict[str, list[Any]]:
    """Settings that not all runs agree on, each with its values in order of appearance."""
    found: dict[str, list[Any]] = {}
    for key in dict.fromkeys(key for table in tables for key in table):
        if key in _NAMES:
            continue
        values: dict[Any, Any] = {}
        for table in tables:
            value = _something(table.get(key))
            # A list or a table goes by its words: no dictionary takes it as a key.
            values.setdefault(repr(value) if isinstance(value, list | dict) else value, value)
        if len(values) > 1:
            found[key] = [*values.values()]
    return found


def value_at(recipe: Recipe, setting: str) -> Any:
    """The value of a setting by its dotted name; None where this recipe has none such."""
    value: Any = recipe
    for name in setting.split("."):
        value = getattr(value, name, None)
    return value


def write_setting(value: Any) -> str:
    """A setting's value as a table shows it; not cleaned."""
    if value is None or value in ("", [], {}):
        return NOT_SET
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={one}" for key, one in value.items())
    return str(value)


def _flatten(table: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(table):
        value = getattr(table, field.name)
        if dataclasses.is_dataclass(value):
            yield from _flatten(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, value


def _something(value: Any) -> Any:
    """A value; None where it is as good as no setting at all."""
    return None if value in ("", [], {}) else value
