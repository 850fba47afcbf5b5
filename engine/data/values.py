"""The values of a row's fields as text, and the reason why a row cannot be used.

Whole numbers and booleans are text, as people write them; null and NaN, which pandas writes for
null, are as good as absent. Knows no schema and no conversation.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

_EXACT = 2**53
"""From here on, floats leave out whole numbers."""


class BadRow(ValueError):
    """A row that cannot be learned from; its text is the reason, in plain words."""


def is_missing(value: object) -> bool:
    """Whether a field's value is as good as none: null, or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_blank(value: object) -> bool:
    """Whether a value says nothing: null, blank, empty, or made of nothing else. 0 and false do."""
    pending = [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, Mapping | list):
            pending += inner.values() if isinstance(inner, Mapping) else inner
        elif not is_missing(inner) and not (isinstance(inner, str) and not inner.strip()):
            return False
    return True


def write_value(value: object) -> object:
    """A whole number or a boolean as text; any other value as it is.

    Of other numbers nobody knows how they were written: 3.10 is read as 3.1.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and abs(value) < _EXACT and value.is_integer():
        value = int(value)  # pandas makes such of whole numbers beside nulls
    return str(value) if isinstance(value, int) else value


def write_json(value: object, where: str) -> str:
    """A value as JSON text, its letters as they are. Raises BadRow for what JSON cannot say."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise BadRow(f"{where} cannot be written as JSON") from None
    check_text(text, where)
    return text


def drop_nulls(value: object) -> object:
    """A JSON value without the keys that are null, at any depth.

    Tables of objects (Parquet, `datasets`) give each object the keys of all the others, as null.
    Raises BadRow for what is nested too deeply.
    """
    try:
        cleaned: object = json.loads(
            json.dumps(value, default=str),
            object_pairs_hook=lambda pairs: {key: one for key, one in pairs if not is_missing(one)},
        )
    except RecursionError:
        raise BadRow("tools or tool calls are nested too deeply") from None
    return cleaned


def check_text(text: str, where: str) -> None:
    """Raise BadRow for what no tokenizer should see."""
    if "\0" in text:
        raise BadRow(f"{where} contains a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRow(f"{where} is not valid Unicode at character {error.start + 1}") from error


def say(value: object) -> str:
    """What a value is, in plain words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean"}
    if is_missing(value):
        return "nothing"
    return names.get(type(value), "a number" if isinstance(value, int | float) else "null")
