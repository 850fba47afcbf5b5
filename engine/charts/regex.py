"""Regular expressions that cannot run away: read here, and run as an automaton.

Python's own engine tries alternatives one after the other, so `(a+)+$` on a long tag hangs the
screen, and it cannot be interrupted. An automaton looks at each letter once. What an automaton
cannot do (back references, looking around) is refused with its place.
"""

from collections.abc import Callable
from dataclasses import dataclass

from engine.charts.regex_automaton import Automaton, Fragment

LONGEST = 200
"""Letters of a pattern."""
_MOST_REPEATS = 100
_DEEPEST = 30
_CLASSES: dict[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "w": lambda letter: letter.isalnum() or letter == "_",
    "s": str.isspace,
}
_PLAIN = {"t": "\t", "n": "\n"}


class BadPattern(ValueError):
    """A pattern that cannot be used; `at` is the place of what is wrong in it."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.at = at


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """A compiled pattern. Capital letters in it make it tell capitals from small ones."""

    text: str
    exact: bool
    automaton: Automaton

    def search(self, text: str) -> bool:
        """Whether it occurs in `text`; the time grows with the length of `text` alone."""
        return self.automaton.search(text if self.exact else text.lower())


def compile_pattern(text: str) -> Pattern:
    """Raises BadPattern: a place, and what is wrong there."""
    if len(text) > LONGEST:
        raise BadPattern(f"longer than {LONGEST} letters", LONGEST)
    reader = _Reader(text)
    fragment = reader.alternatives()
    if reader.at < len(text):
        raise BadPattern("a parenthesis that nothing opens", reader.at)
    if reader.automaton.too_large:
        raise BadPattern("too large: fewer or smaller repeats, please", 0)
    reader.automaton.finish(fragment)
    return Pattern(text, reader.exact, reader.automaton)


class _Reader:
    """Recursive descent: alternatives of sequences of repeated atoms."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.exact = False
        self._depth = 0
        self.automaton = Automaton()

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def alternatives(self) -> Fragment:
        found = self._sequence()
        while self._peek() == "|":
            self.at += 1
            found = self.automaton.either(found, self._sequence())
        return found

    def _sequence(self) -> Fragment:
        found = self.automaton.nothing()
        while self._peek() not in ("", "|", ")"):
            found = self.automaton.then(found, self._repeated())
        return found

    def _repeated(self) -> Fragment:
        begin = self.at
        atom = self._atom()
        end = self.at
        bounds = self._bounds()
        if bounds is None:
            return atom
        if self._peek() and self._peek() in "*+?{":
            if self._peek() != "?":
                raise BadPattern("a repeat of a repeat", self.at)
            self.at += 1  # lazy or not, what is found is the same
        least, most = bounds
        found, unused = self.automaton.nothing(), [atom]
        for number in range(least + 1 if most is None else most):
            one = unused.pop() if unused else self._again(begin, end)
            if number >= least:
                one = self.automaton.many(one) if most is None else self.automaton.maybe(one)
            found = self.automaton.then(found, one)
        return found

    def _again(self, begin: int, end: int) -> Fragment:
        """The atom between two places, read anew: each repeat has states of its own."""
        if self.automaton.too_large:
            raise BadPattern("too large: fewer or smaller repeats, please", 0)
        after, self.at = self.at, begin
        atom = self._atom()
        assert self.at == end
        self.at = after
        return atom

    def _bounds(self) -> tuple[int, int | None] | None:
        sign = self._peek()
        if sign and sign in "*+?":
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        if sign != "{":
            return None
        end = self.text.find("}", self.at)
        least, comma, most = self.text[self.at + 1 : end].partition(",")
        whole = least.isdecimal() and (most.isdecimal() or not most)
        if end < 0 or not whole:
            raise BadPattern("repeats are written {2}, {2,} or {2,5}", self.at)
        low, high = int(least), int(most) if most else None if comma else int(least)
        if low > _MOST_REPEATS or (high is not None and not low <= high <= _MOST_REPEATS):
            raise BadPattern(f"repeats go up to {_MOST_REPEATS}, the smaller first", self.at)
        self.at = end + 1
        return low, high

    def _atom(self) -> Fragment:
        at, letter = self.at, self._peek()
        self.at += 1
        if letter == "(":
            return self._group(at)
        if letter == "[":
            return self.automaton.letter(self._set(at))
        if letter == ".":
            return self.automaton.letter(lambda letter: letter != "\n")
        if letter == "^":
            return self.automaton.begin()
        if letter == "$":
            return self.automaton.end()
        if letter in "*+?{":
            raise BadPattern("nothing to repeat", at)
        if letter == "\\":
            return self.automaton.letter(self._escape(at))
        return self.automaton.letter(self._plain(letter))

    def _group(self, at: int) -> Fragment:
        if self._peek() == "?":
            if self.text[self.at + 1 : self.at + 2] != ":":
                raise BadPattern("groups are ( ) or (?: ); no looking around, no flags", at)
            self.at += 2
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadPattern("groups nested too deeply", at)
        found = self.alternatives()
        if self._peek() != ")":
            raise BadPattern("a parenthesis that nothing closes", at)
        self.at += 1
        self._depth -= 1
        return found

    def _plain(self, letter: str) -> Callable[[str], bool]:
        self.exact |= letter != letter.lower()
        return letter.__eq__

    def _escape(self, at: int) -> Callable[[str], bool]:
        letter = self._peek()
        self.at += 1
        if letter.lower() in _CLASSES and letter:
            known = _CLASSES[letter.lower()]
            return known if letter.islower() else lambda one: not known(one)
        if letter in _PLAIN:
            return _PLAIN[letter].__eq__
        if not letter or letter.isalnum():
            raise BadPattern(f"\\{letter} has no meaning here", at)
        return letter.__eq__

    def _set(self, at: int) -> Callable[[str], bool]:
        negated = self._peek() == "^"
        self.at += negated
        tests: list[Callable[[str], bool]] = []
        while self._peek() != "]" or not tests:
            letter, place = self._peek(), self.at
            if not letter:
                raise BadPattern("a bracket that nothing closes", at)
            self.at += 1
            if letter == "\\":
                tests.append(self._escape(place))
            elif self._peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("", "]"):
                last = self.text[self.at + 1]
                if last < letter:
                    raise BadPattern("a range that goes backwards", place)
                self.exact |= letter.lower() != letter or last.lower() != last
                tests.append(_between(letter, last))
                self.at += 2
            else:
                tests.append(self._plain(letter))
        self.at += 1
        return lambda one: any(test(one) for test in tests) is not negated


def _between(first: str, last: str) -> Callable[[str], bool]:
    return lambda letter: first <= letter <= last
