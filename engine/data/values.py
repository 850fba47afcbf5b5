"""What a value of a row is, whatever field it stands in: missing, blank, or a number as text.

Whole numbers and booleans are text, as people write them; null and NaN, which pandas writes for
null, are as good as absent.
"""

import math
from collections.abc import Mapping

_EXACT = 2**53
"""From here on, floats leave out whole numbers."""


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


def say(value: object) -> str:
    """What a value is, in plain words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean"}
    if is_missing(value):
        return "nothing"
    return names.get(type(value), "a number" if isinstance(value, int | float) else "null")
