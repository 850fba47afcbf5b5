"""Regular expressions in an adapter's config, which PEFT tries on the names of all modules.

Python tries alternatives one after the other, so an expression can be written that never comes to
an end, and no thread that waits for it can be interrupted. Owns which are refused; tries none.
"""

import re
from collections.abc import Iterator, Mapping
from re import _parser as parser  # type: ignore[attr-defined]  # no public one takes them apart
from typing import Any

LONGEST = 20_000
"""Characters of an expression."""
_MOST_REPEATS = 6
"""Without an upper bound, in one expression: with each, the time grows by the length of a name."""


def explain_slow_pattern(config: Mapping[str, Any]) -> str | None:
    """Which expression of an adapter's config might never come to an end; None where none does."""
    for field, text in _patterns(config):
        if (why := _explain(text)) is not None:
            return f"the pattern in {field} {why}"
    return None


def _patterns(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("target_modules", "exclude_modules", "target_parameters", "layers_pattern"):
        value = config.get(field)
        if isinstance(value, str):
            yield field, value
        elif isinstance(value, list) and field == "layers_pattern":  # elsewhere they are names
            yield from ((field, one) for one in value if isinstance(one, str))
    for field in ("rank_pattern", "alpha_pattern"):
        value = config.get(field)
        yield from ((field, one) for one in value) if isinstance(value, dict) else ()


def _explain(text: str) -> str | None:
    if len(text) > LONGEST:
        return f"is longer than {LONGEST:,} characters"
    try:
        repeats = list(_repeats(parser.parse(text)))
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}"
    if any(_varies(body) for body in repeats):
        return "repeats what itself repeats or has alternatives: matching it may never end"
    if len(repeats) > _MOST_REPEATS:
        return f"has more than {_MOST_REPEATS} repeats without a bound"
    return None


def _repeats(parts: Any) -> Iterator[Any]:
    """The bodies of all repeats that have no bound that counts, inner ones too."""
    for kind, value in parts:
        if kind in _KINDS and value[1] > _FEW:
            yield value[2]
        for inner in _inner(value):
            yield from _repeats(inner)


def _varies(body: Any) -> bool:
    """Whether one text can match in several ways: it repeats, or has alternatives."""
    return any(
        (kind in _KINDS and value[0] != value[1])
        or kind is parser.BRANCH
        or any(map(_varies, _inner(value)))
        for kind, value in body
    )


def _inner(value: Any) -> Iterator[Any]:
    for one in value if isinstance(value, tuple | list) else ():
        if isinstance(one, parser.SubPattern):
            yield one
        elif isinstance(one, list):
            yield from (each for each in one if isinstance(each, parser.SubPattern))


_KINDS = (parser.MAX_REPEAT, parser.MIN_REPEAT)
_FEW = 16
"""Repeats up to so many times count as bounded."""
