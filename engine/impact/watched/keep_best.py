"""`keep_best`: which checkpoint a run leaves, as `emotion subject to facts >= base - 3%`.

    [max|min] NAME [subject to NAME >= BOUND [and NAME <= BOUND ...]]

NAME is a skill or the tag of a logged scalar, in double quotes where it has spaces or signs. BOUND
is a number, or `base` with a number added or taken away; base is what was measured before the first
step. 3% is 0.03: of a score three points, whatever the base. A comma stands for `and`. Owns the
words and what follows from values; who measured them, and on which items, it does not know.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

from engine.errors import EngineError

GRAMMAR = "[max|min] NAME [subject to NAME >= [base -] NUMBER[%] and ...]"

Direction = Literal["", "max", "min"]

_RESERVED = frozenset(("and", "base", "max", "min", "subject", "to"))
_BARE = re.compile(r"[^\W\d][\w.:/-]*|\d[\w.:/-]*")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_SIGN = re.compile(r">=|<=|≥|≤")
_NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?\s*(%?)", re.IGNORECASE)
_SPACE = re.compile(r"\s*")
_LIKENESS = 1e-9
"""By which a value may miss its bound: 0.6 - 0.03 is no exact 0.57."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One bound that a checkpoint has to keep."""

    name: str
    is_least: bool
    """The value is at least the bound; else at most."""
    from_base: bool
    amount: float
    """As it is written, 3 for 3%; what is added to the base, where the bound is one of it."""
    is_percent: bool

    def bound(self, base: float | None) -> float:
        """What the value is held against; NaN where a base is needed and not known."""
        amount = self.amount / 100 if self.is_percent else self.amount
        if not self.from_base:
            return amount
        return math.nan if base is None else base + amount

    def is_met(self, value: float, base: float | None) -> bool:
        """No value that is not a number meets a condition, nor does any without its base."""
        excess = value - self.bound(base)
        return excess >= -_LIKENESS if self.is_least else excess <= _LIKENESS

    def __str__(self) -> str:
        sign = ">=" if self.is_least else "<="
        percent = "%" if self.is_percent else ""
        if not self.from_base:
            return f"{_quote(self.name)} {sign} {_write(self.amount)}{percent}"
        if not self.amount:
            return f"{_quote(self.name)} {sign} base"
        way = "-" if self.amount < 0 else "+"
        return f"{_quote(self.name)} {sign} base {way} {_write(abs(self.amount))}{percent}"


@dataclass(frozen=True, slots=True)
class KeepBest:
    """What is to be as good as it can be, and what must not be lost for it."""

    objective: str
    direction: Direction
    """Empty: the one in which a skill or a tag improves by its name."""
    conditions: tuple[Condition, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every skill and tag, each once, the objective first."""
        return tuple(dict.fromkeys([self.objective, *(one.name for one in self.conditions)]))

    def __str__(self) -> str:
        """In the grammar: `parse_keep_best` gives the same back."""
        head = f"{self.direction} {_quote(self.objective)}".lstrip()
        return f"{head} subject to {self.subject}" if self.conditions else head

    @property
    def subject(self) -> str:
        """The conditions alone."""
        return " and ".join(map(str, self.conditions))

    def meets(self, values: Mapping[str, float], base: Mapping[str, float]) -> bool:
        """Whether a checkpoint with these values by name keeps all conditions."""
        return all(
            one.is_met(values.get(one.name, math.nan), base.get(one.name))
            for one in self.conditions
        )


def parse_keep_best(text: str) -> KeepBest:
    """The rule that `text` says. Raises EngineError that names the part that is wrong."""
    return _Parser(text).parse()


class _Parser:
    """Reads from left to right, and says at which place it could not go on."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parse(self) -> KeepBest:
        direction: Direction = "max" if self._takes("max") else "min" if self._takes("min") else ""
        objective = self._name("what is to be best")
        conditions: tuple[Condition, ...] = ()
        if not self._is_at_end():
            if not self._takes("subject"):
                self._refuse("'subject to' is expected here")
            if not self._takes("to"):
                self._refuse("'to' is missing after 'subject'")
            conditions = tuple(self._conditions())
        return KeepBest(objective, direction, conditions)

    def _conditions(self) -> Iterator[Condition]:
        yield self._condition()
        while not self._is_at_end():
            if not self._takes_comma() and not self._takes("and"):
                self._refuse("'and' is expected between conditions")
            yield self._condition()

    def _condition(self) -> Condition:
        name = self._name("the name of a condition")
        sign = self._match(_SIGN)
        if sign is None:
            self._refuse(f"{name!r} is not compared: >= or <= is missing")
        is_least = sign.group() in (">=", "≥")
        if not self._takes("base"):
            amount, is_percent = self._number(f"the bound of {name!r}", signed=True)
            return Condition(name, is_least, False, amount, is_percent)
        way = self._match(re.compile("[+−-]"))
        if way is None:
            return Condition(name, is_least, True, 0.0, False)
        amount, is_percent = self._number(f"the number after 'base {way.group()}'")
        return Condition(
            name, is_least, True, amount if way.group() == "+" else -amount, is_percent
        )

    def _name(self, what: str) -> str:
        if (quoted := self._match(_QUOTED)) is not None:
            if not quoted.group(1).strip():
                self._refuse(f"{what} is empty")
            return quoted.group(1).replace('""', '"')
        start = self._at
        bare = self._match(_BARE)
        if bare is None:
            self._refuse(f"{what} is missing")
        if bare.group() in _RESERVED:
            self._at = start
            self._refuse(f"{what} is missing: a skill called {bare.group()} stands in quotes")
        return bare.group()

    def _number(self, what: str, *, signed: bool = False) -> tuple[float, bool]:
        sign = self._match(re.compile("[+−-]")) if signed else None
        number = self._match(_NUMBER)
        if number is None:
            self._refuse(f"{what} is missing: a number, as 0.8 or 3%")
        amount = float(number.group(1) + (number.group(2) or ""))
        if not math.isfinite(amount):
            self._refuse(f"{what} is too large")
        return -amount if sign is not None and sign.group() != "+" else amount, bool(
            number.group(3)
        )

    def _takes(self, word: str) -> bool:
        """Go past a word of the grammar, where it stands here by itself."""
        return self._match(re.compile(rf"{word}(?![\w.:/])")) is not None

    def _takes_comma(self) -> bool:
        return self._match(re.compile(",")) is not None

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip_space()
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self._at)
        assert space is not None, "nothing is space too"
        self._at = space.end()

    def _is_at_end(self) -> bool:
        self._skip_space()
        return self._at == len(self._text)

    def _refuse(self, why: str) -> NoReturn:
        self._skip_space()
        rest = self._text[self._at :]
        where = f"at {rest[:40]!r} in {self._text!r}" if rest else f"at the end of {self._text!r}"
        raise EngineError(f"Invalid keep_best: {why}.", where, f"Use {GRAMMAR}.")


def _quote(name: str) -> str:
    if _BARE.fullmatch(name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def _write(amount: float) -> str:
    text = repr(amount)
    return text.removesuffix(".0")
