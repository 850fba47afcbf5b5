"""JSON that other programs read: what the standard knows, without any terminal control.

The standard has no word for NaN and infinity: they are null.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from engine.text import escape_json


def finite_or_none(value: float) -> float | None:
    """The number; None where it is not finite."""
    return value if math.isfinite(value) else None


def replace_not_finite(value: Any) -> Any:
    """A value of mappings, sequences and plain values, with None for numbers that are not
    finite."""
    if isinstance(value, float):
        return finite_or_none(value)
    if isinstance(value, Mapping):
        return {str(key): replace_not_finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [replace_not_finite(one) for one in value]
    return value


def format_json(value: object) -> str:
    """As commands print it and reports keep it, without a line end. Raises ValueError for a number
    that is not finite."""
    return escape_json(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))
