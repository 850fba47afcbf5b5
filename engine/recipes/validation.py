"""Typed tables: nested dictionaries as TOML gives them, checked against nested dataclasses.

Owns the rules "which keys exist, of which type, in which range". Knows nothing of any recipe.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

UNKNOWN = "unknown setting"
_LARGEST = 2**63 - 1
"""TOML's own bound for whole numbers. Larger ones are no longer finite as floats."""


def setting(
    default: Any,
    *,
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    choices: tuple[str, ...] | None = None,
    label: str = "",
    zero: str = "",
) -> Any:
    """A dataclass field with its bounds: `gt` and `ge` from below, `le` from above.

    `label` is what a form calls it, `zero` what 0 means where it is no amount.
    """
    rules = {"ge": ge, "le": le, "gt": gt, "choices": choices, "label": label, "zero": zero}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=default.copy, metadata=rules)
    return dataclasses.field(default=default, metadata=rules)


def _suggest(key: str, known: Sequence[str], prefix: str) -> str:
    """The setting that was meant; where none is near, those that stand in its section."""
    import difflib

    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return f"; did you mean {prefix}{near[0]}?"
    return f"; {prefix.rstrip('.')} has {', '.join(known)}" if prefix else ""


def errors(cls: type, table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """What is wrong with `table` as a `cls`: dotted key to reason. Empty when all is well."""
    found: dict[str, str] = {}
    hints = _hints(cls)
    known = {field.name: field for field in dataclasses.fields(cls)}
    for key, value in table.items():
        dotted = prefix + key
        if key not in known:
            found[dotted] = UNKNOWN + _suggest(key, list(known), prefix)
        elif dataclasses.is_dataclass(hints[key]):
            if isinstance(value, Mapping):
                found |= errors(typing.cast(type, hints[key]), value, f"{dotted}.")
            else:
                found[dotted] = "must be a table"
        elif (inner := _table_of(hints[key])) is not None:
            found |= _errors_by_name(inner, value, dotted)
        else:
            reason = _wrong(value, hints[key], known[key].metadata)
            if reason:
                found[dotted] = reason
    return found


def build(cls: type[T], table: Mapping[str, Any]) -> T:
    """The dataclass of a table that has no `errors`; missing keys take their defaults."""
    hints = _hints(cls)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if dataclasses.is_dataclass(hints[key]):
            values[key] = build(typing.cast(type, hints[key]), value)
        elif (inner := _table_of(hints[key])) is not None:
            values[key] = {name: build(inner, one) for name, one in value.items()}
        else:
            values[key] = float(value) if hints[key] is float else value
    return cls(**values)


def from_untrusted(cls: type[T], table: Mapping[str, Any]) -> T | None:
    """The dataclass of a table that a program wrote: keys it does not know are left out.

    None where a value has the wrong type or a key without a default is missing.
    """
    names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    known = {key: value for key, value in table.items() if key in names}
    try:
        return None if errors(cls, known) else cls(**known)
    except TypeError:
        return None


def coerce(cls: type, dotted: str, text: str) -> Any:
    """The value that `text`, typed by a person, means for the setting `dotted`.

    Text that does not parse is returned as it is, so that `errors` can say what is wrong.
    """
    kind = kind_of(cls, dotted)
    if kind is bool:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
            text.strip().lower(), text
        )
    if kind in (int, float):
        try:
            return kind(text.strip().replace("_", ""))
        except ValueError:
            return text
    if typing.get_origin(kind) is list:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        (inner,) = typing.get_args(kind)
        try:
            return [inner(part) for part in parts] if inner in (int, float) else parts
        except ValueError:
            return parts
    return text


def kind_of(cls: type, dotted: str) -> Any:
    """The declared type of a setting; str for one that does not exist."""
    head, _, rest = dotted.partition(".")
    kind = _hints(cls).get(head, str)
    if (inner := _table_of(kind)) is not None and rest:
        return kind_of(inner, rest.partition(".")[2])
    return (
        kind_of(typing.cast(type, kind), rest) if rest and dataclasses.is_dataclass(kind) else kind
    )


def exists(cls: type, dotted: str) -> bool:
    """Whether there is a setting or a table of that name."""
    head, _, rest = dotted.partition(".")
    kind = _hints(cls).get(head)
    if kind is None or not rest:
        return kind is not None
    if (inner := _table_of(kind)) is not None:
        rest = rest.partition(".")[2]
        return not rest or exists(inner, rest)
    return dataclasses.is_dataclass(kind) and exists(typing.cast(type, kind), rest)


def names(cls: type, prefix: str = "") -> Iterator[str]:
    """The dotted name of every setting."""
    for name, kind in _hints(cls).items():
        if dataclasses.is_dataclass(kind):
            yield from names(typing.cast(type, kind), f"{prefix}{name}.")
        else:
            yield prefix + name


def choices_of(cls: type, dotted: str) -> tuple[str, ...]:
    """The values that a setting may have; empty where it is free."""
    head, _, rest = dotted.partition(".")
    if rest and (inner := _table_of(_hints(cls)[head])) is not None:
        return choices_of(inner, rest.partition(".")[2])
    if rest:
        return choices_of(typing.cast(type, _hints(cls)[head]), rest)
    (found,) = (field for field in dataclasses.fields(cls) if field.name == head)
    return tuple(found.metadata.get("choices") or ())


def assign(table: dict[str, Any], dotted: str, value: Any) -> None:
    """Put `value` at a dotted key of a nested table, making the tables between."""
    head, _, rest = dotted.partition(".")
    if not rest:
        table[head] = value
        return
    inner = table.setdefault(head, {})
    if not isinstance(inner, dict):
        inner = table[head] = {}
    assign(inner, rest, value)


def _table_of(kind: Any) -> type | None:
    """The dataclass of tables by a name of the user's own, as in `[fields.NAME]`; else None."""
    if typing.get_origin(kind) is dict:
        inner = typing.get_args(kind)[1]
        return typing.cast(type, inner) if dataclasses.is_dataclass(inner) else None
    return None


def _errors_by_name(cls: type, tables: object, dotted: str) -> dict[str, str]:
    """What is wrong with tables that share a class, each under a name of the user's own."""
    if not isinstance(tables, Mapping):
        return {dotted: "must be a table"}
    found: dict[str, str] = {}
    for name, table in tables.items():
        place = f"{dotted}.{name}"
        if isinstance(table, Mapping):
            found |= errors(cls, table, f"{place}.")
        else:
            found[place] = "must be a table"
    return found


_KNOWN_HINTS: dict[Any, dict[str, Any]] = {}


def _hints(cls: Any) -> dict[str, Any]:
    """The declared types of a dataclass; finding them out evaluates text, so only once."""
    if cls not in _KNOWN_HINTS:
        _KNOWN_HINTS[cls] = typing.get_type_hints(cls)
    return _KNOWN_HINTS[cls]


def _wrong(value: object, kind: Any, rules: Mapping[str, Any]) -> str:
    if not _fits(value, kind):
        return f"must be {_noun(kind)}, not {value!r}"
    if any(_unwritable(one) for one in (value if isinstance(value, list) else [value])):
        return "must be valid Unicode"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) > _LARGEST:
            return "is too large"
        if not math.isfinite(value):
            return "must be a finite number"
        if rules.get("gt") is not None and value <= rules["gt"]:
            return f"must be greater than {rules['gt']:g}"
        if rules.get("ge") is not None and value < rules["ge"]:
            return f"must be at least {rules['ge']:g}"
        if rules.get("le") is not None and value > rules["le"]:
            return f"must be at most {rules['le']:g}"
    if rules.get("choices") and value not in rules["choices"]:
        return f"must be one of {', '.join(filter(None, rules['choices']))}, not {value!r}"
    return ""


def _fits(value: object, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if typing.get_origin(kind) is list:
        (inner,) = typing.get_args(kind)
        return isinstance(value, list) and all(_fits(one, inner) for one in value)
    if typing.get_origin(kind) is dict:
        _, inner = typing.get_args(kind)
        return isinstance(value, dict) and all(_fits(one, inner) for one in value.values())
    if isinstance(kind, types.UnionType):
        return any(_fits(value, one) for one in typing.get_args(kind))
    return isinstance(value, kind)


def _unwritable(value: object) -> bool:
    """Text with lone surrogates, as a file name of other bytes brings: TOML cannot hold it."""
    return isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value)


def _noun(kind: Any) -> str:
    if typing.get_origin(kind) is list:
        return "a list"
    if typing.get_origin(kind) is dict:
        return "a table"
    return {int: "an integer", float: "a number", bool: "true or false", str: "text"}.get(
        kind, str(kind)
    )
