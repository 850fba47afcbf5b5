"""Frozen values as JSON and back: what a report's folder holds is read as untrusted.

Owns the decoding by the declared types of a dataclass, and how numbers are rounded so that two
machines write the same digits. Raises ValueError that names the place, and nothing else.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")
DIGITS = 10
"""Significant ones: libraries of numbers differ in the last of the sixteen."""


def round_number(value: float) -> float | None:
    """The value to so many digits; None where it is not finite."""
    if not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")


def round_numbers(value: Any) -> Any:
    """Every number of a JSON value rounded."""
    if isinstance(value, Mapping):
        return {str(key): round_numbers(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [round_numbers(one) for one in value]
    return round_number(value) if isinstance(value, float) else value


def to_json(value: object) -> Any:
    """A dataclass, or parts of one, as JSON knows it; numbers rounded, not finite as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {key: to_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    return round_number(value) if isinstance(value, float) else value


def from_json(kind: type[T], value: object, where: str) -> T:
    """A value of the declared type: a dataclass of str, int, float, bool, tuples and mappings of
    those, each perhaps None. A null where a float is due is NaN. Raises ValueError."""
    return typing.cast(T, _decode(kind, value, where))


def _decode(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _decode_fields(typing.cast(type, kind), value, where)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        rest = [one for one in parts if one is not type(None)]
        return None if value is None else _decode(rest[0], value, where)
    if origin is tuple and parts[-1] is Ellipsis:
        return tuple(
            _decode(parts[0], one, f"{where}[{at}]") for at, one in enumerate(_list(value, where))
        )
    if origin is tuple:
        each = _list(value, where)
        if len(each) != len(parts):
            raise ValueError(f"{where} has {len(each)} values")
        return tuple(_decode(part, one, where) for part, one in zip(parts, each, strict=True))
    if origin is typing.Literal:
        if value not in parts:
            raise ValueError(f"{where} is {str(value)[:80]!r}")
        return value
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise ValueError(f"{where} is no object")
        return {key: _decode(parts[1], one, f"{where}.{key[:80]}") for key, one in value.items()}
    if kind is float:
        if value is None:
            return math.nan
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{where} is no {kind.__name__}")


def _decode_fields(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no object")
    hints = typing.get_type_hints(kind)
    missing = [name for name in hints if name not in value]
    if missing:
        raise ValueError(f"{where} lacks {missing[0]}")
    return kind(
        **{name: _decode(hint, value[name], f"{where}.{name}") for name, hint in hints.items()}
    )


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where} is no list")
    return value
