"""The numbers that stand in a text: the one definition behind every check and score of a number.

Values are exact (`Fraction`), so that 0.1 is 1/10 and long numbers keep all their digits. Digits of
every script count (5, ５, ٥). The rules, where writing is ambiguous:

- A minus (-, − U+2212, ‐, ‑) or an en dash is a sign where it stands at the start or after white
  space or an opening mark, and right before the number. Else it joins: "3-5" and "3–5" are 3 and 5.
- Groups of three by comma, apostrophe, underscore or a space narrower or harder than the plain one
  are one number, so with India's groups (12,34,567). Points group from two groups on (1.234.567),
  or before a decimal comma; one point alone is decimal: "1.234" is 1.234, "1,234" is 1234.
- Of a point and a comma the last one is decimal (1,234.5 and 1.234,5). One comma alone that
  groups nothing is decimal too (3,14 and 0,125), but not between brackets, as in "(3,5)"; several
  that are no groups part a list (1,2,3).
- A fraction (1/2, ½, 1 1/2, 1½, \\frac{1}{2}) and a power of ten (1e3, 1E-3, 1×10³, 10^3) are one
  number. A percent sign, a currency or a unit beside it changes nothing: "50%" is 50.
- No number stands in dates (2024-01-05, 5/1/2024), times (10:45), versions and addresses (1.2.3),
  longer chains (555-123-4567), hexadecimal literals, nor right after a letter that has a case, an
  underscore or a digit ("H2O", "GPT4"), but after a currency ("USD5").

Number words, Roman and Chinese numerals are words. Refuses to compute: "2+3" is 2 and 3.
"""

import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction

MOST_DIGITS = 400
"""Of a number, and the largest exponent: beyond it a text is no answer, and costs time."""

_NARROW = "\u00a0\u2007\u2008\u2009\u200a\u202f"
_SIGNS = {"\u2212": "-", "\ufe63": "-", "\uff0d": "-", "\u2010": "-", "\u2011": "-",
          "\u2012": "-", "\u2013": "-", "\uff0b": "+", "\ufe62": "+"}  # fmt: skip
_MARKS = {"\uff0e": ".", "\u066b": ".", "\uff0c": ",", "\u066c": ",", "\uff0f": "/",
          "\u2044": "/", "\u2215": "/", "\u2019": "'", "\uff1a": ":", "\uff05": "%"}  # fmt: skip
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_FROM_SUPERSCRIPTS = str.maketrans(_SUPERSCRIPTS + "⁺⁻", "0123456789+-")
_VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉"
_CURRENCY = (
    r"(?:(?<![A-Za-z0-9])(?:USD|EUR|GBP|JPY|CNY|INR|CHF|AUD|CAD|US\$|R\$|Rs\.?)|[$€£¥₹₩₽₺₴])\ ?"
)

_CHAIN = rf"[0-9]+(?:[.,'_{_NARROW}][0-9]+)*"
_TIMES = r"\ ?(?:[×x*·⋅]|\\times|\\cdot)\ ?"
_POWER = (
    rf"10(?:(?:\^|\*\*)\{{?(?P<power>[+-]?[0-9]{{1,4}})\}}?|(?P<raised>[⁺⁻]?[{_SUPERSCRIPTS}]+))"
)
_SKIPPED = re.compile(
    rf"""0[xX][0-9a-fA-F]+
    | {_CHAIN}(?:-{_CHAIN}){{2,}}
    | {_CHAIN}(?:/{_CHAIN}){{2,}}
    | [0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}})?(?![0-9])""",
    re.VERBOSE,
)
_NUMBER = re.compile(
    rf"""(?:
      \\[dt]?frac\{{(?P<above>[0-9]+)\}}\{{(?P<below>[0-9]+)\}}
    | (?P<alone>[{_VULGAR}])
    | {_POWER}
    | (?P<chain>\.?{_CHAIN})
      (?: [eE](?P<exponent>[+-]?[0-9]{{1,4}})(?![0-9A-Za-z_])
        | {_TIMES}{_POWER.replace("power", "times_power").replace("raised", "times_raised")}
        | /(?P<under>[0-9]+)(?![.,]?[0-9])
        | \ ?(?P<beside>[{_VULGAR}])
        | \ (?P<upper>[0-9]+)/(?P<lower>[0-9]+)(?![.,/]?[0-9])
      )?
    )""",
    re.VERBOSE,
)
_START = re.compile(rf"\.?[0-9]|[{_VULGAR}]|\\[dt]?frac\{{")
_OPENING = frozenset('([{<=>≈~:,;*_`#|"“”‘«„/\\^×·$€£¥₹≤≥±')
_BEFORE = re.compile(rf"(?P<outer>[+-]?)(?P<currency>(?:{_CURRENCY})?)(?P<inner>[+-]?)\Z")
_LONGEST_BEFORE = 8
"""Characters of signs and a currency before a number, at most."""


def numbers_in(text: str) -> list[Fraction]:
    """The numbers that a text writes in digits, in order; see the module for what is one."""
    return [value for value, _, _ in _found(_in_ascii(text))]


def final_number(text: str) -> Fraction | None:
    """The last number of a text, or None."""
    numbers = numbers_in(text)
    return numbers[-1] if numbers else None


def read_number(text: str) -> Fraction | None:
    """The number that a text is, and nothing else; None for any other text."""
    plain = _in_ascii(text).strip()
    found = list(_found(plain))
    if len(found) != 1 or found[0][1:] != (0, len(plain)):
        return None
    return found[0][0]


def exact(value: float) -> Fraction | None:
    """A number as it is written in JSON: 0.1 is 1/10. None for NaN and infinity."""
    try:
        return Fraction(str(value))
    except ValueError:
        return None


def _in_ascii(text: str) -> str:
    """The text with digits, signs and separators as ASCII has them, each at its place."""
    if text.isascii():
        return text
    return "".join(each if each.isascii() else _ascii(each) for each in text)


def _ascii(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return _SIGNS.get(character) or _MARKS.get(character, character)


def _found(text: str) -> Iterator[tuple[Fraction, int, int]]:
    """Each number, from where to where it stands with its sign and without its unit."""
    at = 0
    for start in _starts(text):
        if start < at:
            continue
        skipped = _SKIPPED.match(text, start)
        if skipped is not None:
            at = skipped.end()
            continue
        match = _NUMBER.match(text, start)
        if match is None:
            continue
        at = match.end()
        begin, sign, glued = _before(text, start)
        if glued:
            continue
        for place, value in enumerate(_values(match, text)):
            yield (value if place else sign * value), (start if place else begin), at


def _starts(text: str) -> Iterator[int]:
    """Where a number may begin: a point belongs to it where no other mark or word is before."""
    for match in _START.finditer(text):
        start = match.start()
        if text[start] == ".":
            before = text[start - 1 : start]
            is_leading = not before or before.isspace() or before in _OPENING or before in "+-"
            start += not is_leading
        yield start


def _before(text: str, start: int) -> tuple[int, int, bool]:
    """Where the number begins with its sign and currency, its sign, and whether it is a part of a
    word, as in "H2O"."""
    match = _BEFORE.search(text, max(0, start - _LONGEST_BEFORE), start)
    assert match is not None, "it may be empty"
    begin = match.start()
    previous, marks = text[max(0, begin - 1) : begin], match["outer"] + match["inner"]
    if begin == start:
        is_cased = previous.lower() != previous.upper()
        return start, 1, is_cased or previous == "_" or previous.isdecimal()
    if match["currency"] and not match["outer"]:  # as in "$-5", wherever it stands
        is_signed = bool(marks)
    else:
        quoted = previous == "'" and not text[max(0, begin - 2) : begin - 1].isalnum()
        opens = not previous or previous.isspace() or previous in _OPENING or quoted
        is_signed = len(marks) == 1 and opens
    if marks and not is_signed:
        begin = start
    return begin, -1 if is_signed and marks == "-" else 1, False


def _values(match: re.Match[str], text: str) -> list[Fraction]:
    """What stands there; several of a list, none where it is no number."""
    found = match.groupdict()
    if found["above"]:
        return _ratio(found["above"], found["below"])
    if found["alone"]:
        return [_vulgar(found["alone"])]
    if found["power"] or found["raised"]:
        return _scaled(Fraction(1), found["power"] or found["raised"])
    values = _read_chain(found["chain"], *_neighbours(match, text))
    if len(values) != 1:
        return values
    value = values[0]
    if found["exponent"]:
        return _scaled(value, found["exponent"])
    if power := found["times_power"] or found["times_raised"]:
        return _scaled(value, power)
    if found["under"]:
        under = _ratio("1", found["under"])
        return [value * under[0]] if under else [value, Fraction(0)]
    if found["beside"]:
        return [value + _vulgar(found["beside"])]
    if found["upper"]:
        ratio = _ratio(found["upper"], found["lower"])
        if not ratio or ratio[0] >= 1 or value.denominator != 1:  # two numbers side by side
            return [value, *ratio]
        return [value + ratio[0]]
    return values


def _neighbours(match: re.Match[str], text: str) -> tuple[str, str]:
    start, end = match.span()
    return text[max(0, start - 1) : start], text[end : end + 1]


def _read_chain(chain: str, before: str, after: str) -> list[Fraction]:
    """The value of digits and separators, several where commas part a list, none of a version."""
    bracketed = before in ("(", "[", "{") and after in (")", "]", "}")
    head, mark, digits = _split_decimal(chain, bracketed=bracketed)
    whole = _join_groups(head)
    if whole is not None and len(whole) + len(digits) > MOST_DIGITS:
        return []
    if whole is not None:
        return [Fraction(f"{whole or '0'}.{digits or '0'}")]
    parts = chain.split(",")
    if mark == "." or len(parts) == 1:
        return []
    return [value for part in parts for value in _read_chain(part, "", "")]


def _split_decimal(chain: str, *, bracketed: bool) -> tuple[str, str, str]:
    """What stands before the decimal mark, the mark, and the digits after it."""
    points, commas = chain.count("."), chain.count(",")
    if points == 1 and chain.rfind(".") > chain.rfind(","):
        head, mark, digits = chain.rpartition(".")
        if digits.isdecimal():
            return head, mark, digits
    if commas == 1 and chain.rfind(",") > chain.rfind("."):
        head, mark, digits = chain.rpartition(",")
        is_group = not points and _GROUPED.fullmatch(chain) is not None
        if digits.isdecimal() and not is_group and not (bracketed and head.isdecimal()):
            return head, mark, digits
    return chain, "", ""


_GROUPED = re.compile(
    rf"[1-9][0-9]{{0,2}}([,'_{_NARROW}])[0-9]{{3}}(?:\1[0-9]{{3}})*"
    r"|[1-9][0-9]{0,2}(?:\.[0-9]{3})+|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"
)


def _join_groups(text: str) -> str | None:
    """The digits of a whole number; None where they are not grouped as one."""
    if text.isdecimal() or not text:
        return text
    return re.sub("[^0-9]", "", text) if _GROUPED.fullmatch(text) else None


def _ratio(above: str, below: str) -> list[Fraction]:
    if len(above) > MOST_DIGITS or len(below) > MOST_DIGITS or not int(below):
        return []
    return [Fraction(int(above), int(below))]


def _vulgar(character: str) -> Fraction:
    above, _, below = unicodedata.normalize("NFKC", character).partition("\u2044")
    return Fraction(int(above), int(below))


def _scaled(value: Fraction, power: str) -> list[Fraction]:
    exponent = int(power.translate(_FROM_SUPERSCRIPTS))
    return [value * Fraction(10) ** exponent] if abs(exponent) <= MOST_DIGITS else []
