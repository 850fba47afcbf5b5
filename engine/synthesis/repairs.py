"""Repairs of an object that is not quite JSON: two readings must agree, or there is none.

A library proposes what the object means, and `engine.synthesis.object_reader`, which knows nothing
of it, accounts for every character by a short list of kinds. Where a text holds nothing that could
end it, its characters are no matter of opinion, and the library sees a name between its quotes: it
would change some. Refuses whatever the two do not read as the same values of the same types.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.synthesis.object_reader import ObjectReader
from engine.synthesis.outcomes import BadAnswer

ProposeRepair = Callable[[str], Any]
"""What the text of one object, from brace to brace, is taken to mean; raises ValueError. The
worker's is json-repair."""

MOST_CHARS = 60_000
"""Of an object that is repaired: a library's time grows faster than the text."""
MOST_BRACKETS = 200
"""In what the library sees, which may recurse at each."""


@dataclass(frozen=True, slots=True)
class RepairedObject:
    values: dict[str, Any]
    """By key, texts, numbers, truths, None, and lists of these."""
    end: int
    """Where the text goes on behind it."""
    kinds: tuple[str, ...]
    """What deviates from JSON, each kind once."""


def repair_object(text: str, begin: int, propose: ProposeRepair) -> RepairedObject:
    """The object that begins at a brace, as both readings have it. Raises BadAnswer."""
    if len(text) - begin > MOST_CHARS:
        raise BadAnswer("not JSON", f"more than {MOST_CHARS} characters are not repaired")
    reader = ObjectReader(text, begin)
    values = reader.read()
    shown, texts = reader.hide_texts(begin)
    if sum(map(shown.count, "{[(")) > MOST_BRACKETS:
        raise BadAnswer("nested too deeply", f"more than {MOST_BRACKETS} brackets")
    kinds = tuple(reader.kinds)
    try:
        proposed = propose(shown)
    except (ValueError, RecursionError):
        raise BadAnswer("not JSON", f"no repair is proposed: {', '.join(kinds)}") from None
    if not _is_same(_restore(proposed, texts), values):
        raise BadAnswer("changed by its repair", ", ".join(kinds))
    return RepairedObject(values, reader.at, kinds)


def _restore(value: object, texts: Mapping[str, str]) -> object:
    """The value with the texts whose names stand in it."""
    match value:
        case str():
            return texts.get(value, value)
        case list():
            return [_restore(entry, texts) for entry in value]
        case dict():
            return {texts.get(key, key): _restore(entry, texts) for key, entry in value.items()}
    return value


def _is_same(left: object, right: object) -> bool:
    """Whether values are equal with their types, for 1 equals true."""
    if isinstance(left, str) and isinstance(right, str):
        return _join_pairs(left) == right
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_is_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_is_same, left, right))
    return left == right


def _join_pairs(text: str) -> str:
    """The text with its surrogate pairs as characters: json-repair leaves escaped ones apart."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
