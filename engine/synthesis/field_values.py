"""One field's value: whether a value is what the field asks for, and what a plain answer says.

Strict: "3" is no number, 3.0 no integer, 1,000 nothing at all; a value is taken as it was written
or refused, never turned into one that fits. Of a label letter case and white space do not count.
Raises BadAnswer for everything else.
"""

import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal

from engine.compare.samples import Finish
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.outcomes import BadAnswer

Value = str | int | float | bool | list[str]
"""Of a field of a row: text, label; integer; number; boolean; list."""

MOST_ENTRIES = 1_000
"""Of a list."""
_AROUND = " \t\r*_`\"'“”‘’"
"""What a model sets around a single word, beside a full stop behind it."""
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,29})\Z")
_NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,29})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?\Z")
_ANY_NUMBER = re.compile(r"(?<![\w.])[+-]?[0-9]+(?:\.[0-9]+)?(?![\w])")
_TRUTHS = {"yes": True, "true": True, "no": False, "false": False}
_BULLET = re.compile(r"\s*(?:[-*•–]|\(?[0-9]{1,3}[.)])\s+")


def check_value(value: object, field: RowField) -> Value:
    """The value as the row has it: a label as the field spells it, all else unchanged.

    Raises BadAnswer.
    """
    match field.type, value:
        case "text", str():
            return _check_text(value, field)
        case "label", str():
            return _choice_of(value, field.choices)
        case "integer", int() if not isinstance(value, bool):
            return _check_range(value, field)
        case "number", int() | float() if not isinstance(value, bool):
            if not math.isfinite(value):
                raise BadAnswer("wrong type", "a number that is not finite")
            return _check_range(value, field)
        case "boolean", bool():
            return value
        case "list", list():
            return _check_entries(value, field)
    raise BadAnswer("wrong type", f"{field.type} expected, not {_kind_of(value)}")


def read_text_value(text: str, field: RowField, finish: Finish = "stop") -> Value:
    """The value that a plain answer to the field's question says. Raises BadAnswer.

    A label, a number or a boolean is the whole first line; lines after it explain it, and may not
    name another one. A list has an entry a line, with bullets or without. What was cut is no text
    and no list, and a single line is complete only where another one follows.
    """
    if not text.strip():
        raise BadAnswer("cut" if finish != "stop" else "empty")
    if field.type in ("text", "list") and finish != "stop":
        raise BadAnswer("cut")
    if field.type == "text":
        return check_value(text.strip(), field)
    if field.type == "list":
        return check_value(_entries(text), field)
    return check_value(_single(text, field, finish), field)


def exact_float(text: str) -> float:
    """The number that JSON writes so. Raises BadAnswer where storing it would change it."""
    value = float(text)
    # Decimal compares the digits as written, of which a float has about seventeen.
    if not math.isfinite(value) or Decimal(repr(value)) != Decimal(text):
        raise BadAnswer("out of range", f"a number with too many digits: {text[:40]}")
    return value


def _check_text(text: str, field: RowField) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise BadAnswer("invalid text", "half of a surrogate pair")
    if len(text.strip()) < field.min_chars:
        raise BadAnswer("too short", f"{len(text.strip())} characters, at least {field.min_chars}")
    if len(text) > field.max_chars:
        raise BadAnswer("too long", f"{len(text)} characters, at most {field.max_chars}")
    return text


def _check_entries(entries: list[object], field: RowField) -> list[str]:
    if not entries:
        raise BadAnswer("empty", "a list without entries")
    if len(entries) > MOST_ENTRIES:
        raise BadAnswer("too long", f"{len(entries)} entries, at most {MOST_ENTRIES}")
    texts = [entry for entry in entries if isinstance(entry, str)]
    if len(texts) != len(entries):
        raise BadAnswer("wrong type", "an entry of a list that is no text")
    return [_check_text(text, field) for text in texts]


def _check_range(value: int | float, field: RowField) -> int | float:
    if field.range and not field.range[0] <= value <= field.range[1]:
        low, high = field.range
        raise BadAnswer("out of range", f"{str(value)[:40]} is not from {low:g} to {high:g}")
    return value


def _choice_of(text: str, choices: Iterable[str]) -> str:
    wanted = fold_label(text)
    for choice in choices:
        if fold_label(choice) == wanted:
            return choice
    raise BadAnswer("not a choice", text[:80])


def fold_label(text: str) -> str:
    """A label as it is compared: without letter case, and with single spaces."""
    return " ".join(text.split()).casefold()


def _kind_of(value: object) -> str:
    names = {str: "text", bool: "boolean", int: "integer", float: "number", list: "list"}
    return "null" if value is None else names.get(type(value), "an object")


def _single(text: str, field: RowField, finish: Finish) -> Value:
    line, line_end, rest = text.lstrip().partition("\n")
    if finish != "stop" and not line_end:
        raise BadAnswer("cut")
    value = _read_line(line, field)
    if any(other != value for other in _values_named(rest, field)):
        raise BadAnswer("two values", rest.strip()[:80])
    return value


def _read_line(line: str, field: RowField) -> Value:
    """The value that is all of a line, but for quotes, emphasis and a full stop around it."""
    for word in (line.strip(), line.strip(_AROUND).removesuffix(".").strip(_AROUND)):
        match field.type:
            case "label" if fold_label(word) in map(fold_label, field.choices):
                return _choice_of(word, field.choices)
            case "integer" if _INTEGER.match(word):
                return int(word)
            case "number" if _INTEGER.match(word):
                return int(word)
            case "number" if _NUMBER.match(word):
                return exact_float(word)
            case "boolean" if word.casefold() in _TRUTHS:
                return _TRUTHS[word.casefold()]
    if field.type in ("label", "boolean") and len(set(_values_named(line, field))) > 1:
        raise BadAnswer("two values", line.strip()[:80])
    if field.type == "label":
        raise BadAnswer("not a choice", line.strip()[:80])
    raise BadAnswer("wrong type", f"{field.type} expected: {line.strip()[:80]}")


def _values_named(text: str, field: RowField) -> list[Value]:
    """The values of the field's type that a text names, as whole words."""
    if field.type == "label":
        longest_first = sorted(field.choices, key=len, reverse=True)
        pattern = "|".join(re.escape(choice) for choice in longest_first)
        found = re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE)
        return [
            choice for choice in field.choices if fold_label(choice) in set(map(fold_label, found))
        ]
    if field.type == "boolean":
        words = re.findall(r"\w+", text.casefold())
        return [_TRUTHS[word] for word in words if word in _TRUTHS]
    return [float(number) for number in _ANY_NUMBER.findall(text)]


def _entries(text: str) -> list[object]:
    """The entries of a list: of JSON, or one a line."""
    if text.lstrip().startswith("["):
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError):
            raise BadAnswer("wrong type", "brackets around what is no JSON list") from None
        return entries if isinstance(entries, list) else [entries]
    lines = [line for line in text.splitlines() if line.strip()]
    bullets = [_BULLET.match(line) for line in lines]
    if not any(bullets):
        return [line.strip() for line in lines]
    if lines[0].rstrip().endswith(":") and bullets[0] is None:
        lines, bullets = lines[1:], bullets[1:]  # "Here they are:"
    entries = [
        line[bullet.end() :].strip()
        for line, bullet in zip(lines, bullets, strict=True)
        if bullet is not None
    ]
    if len(entries) < len(lines):
        raise BadAnswer("wrong type", "some lines have a bullet and some have none")
    return entries
