"""A non-deterministic automaton, run deterministically: sets of states, each worked out once.

Thompson's construction (1968), with the sets remembered by letter, so that a letter of text costs
one look-up. Knows no syntax.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Test = Callable[[str], bool]
MOST_STATES = 2000
_REMEMBERED = 5000  # steps from a set of states by a letter

_LETTER, _BEGIN, _END, _EMPTY = range(4)


@dataclass(slots=True)
class _State:
    kind: int = _EMPTY
    test: Test | None = None
    after: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of the automaton, from its first state to its last."""

    first: int
    last: int


class _Set:
    """A set of states, with the sets that letters lead to from it as far as they are known."""

    __slots__ = ("accepts", "after", "states")

    def __init__(self, states: frozenset[int], accept: int) -> None:
        self.states = states
        self.accepts = accept in states
        self.after: dict[str, _Set] = {}


class Automaton:
    """Build it from fragments, `finish` it, then `search`."""

    def __init__(self) -> None:
        self._states: list[_State] = []
        self._accept = -1
        self._first: frozenset[int] = frozenset()
        self._again: frozenset[int] = frozenset()
        self._sets: dict[frozenset[int], _Set] = {}
        self._steps = 0

    @property
    def too_large(self) -> bool:
        return len(self._states) > MOST_STATES

    def nothing(self) -> Fragment:
        return self._single(_State())

    def letter(self, test: Test) -> Fragment:
        return self._single(_State(_LETTER, test))

    def begin(self) -> Fragment:
        return self._single(_State(_BEGIN))

    def end(self) -> Fragment:
        return self._single(_State(_END))

    def then(self, one: Fragment, other: Fragment) -> Fragment:
        self._states[one.last].after.append(other.first)
        return Fragment(one.first, other.last)

    def either(self, one: Fragment, other: Fragment) -> Fragment:
        fork, join = self._add(_State(after=[one.first, other.first])), self._add(_State())
        self._states[one.last].after.append(join)
        self._states[other.last].after.append(join)
        return Fragment(fork, join)

    def maybe(self, one: Fragment) -> Fragment:
        join = self._add(_State())
        fork = self._add(_State(after=[one.first, join]))
        self._states[one.last].after.append(join)
        return Fragment(fork, join)

    def many(self, one: Fragment) -> Fragment:
        """None or more of it."""
        join = self._add(_State())
        fork = self._add(_State(after=[one.first, join]))
        self._states[one.last].after.append(fork)
        return Fragment(fork, join)

    def finish(self, whole: Fragment) -> None:
        self._accept = self._add(_State())
        self._states[whole.last].after.append(self._accept)
        self._first = self._closure([whole.first], at_begin=True)
        self._again = self._closure([whole.first])

    def search(self, text: str) -> bool:
        """Whether any part of `text` is accepted."""
        here = self._known(self._first)
        for letter in text:
            if here.accepts:
                return True
            here = here.after.get(letter) or self._step(here, letter)
        if here.accepts:
            return True
        return self._accept in self._closure(here.states, at_begin=not text, at_end=True)

    def _step(self, here: _Set, letter: str) -> _Set:
        passed: list[int] = []
        for at in here.states:
            state = self._states[at]
            if state.kind == _LETTER and state.test is not None and state.test(letter):
                passed += state.after
        # A match may begin at any letter.
        after = self._known(self._closure(passed) | self._again)
        here.after[letter] = after
        self._steps += 1
        if self._steps >= _REMEMBERED:
            self._sets.clear()
            self._steps = 0
        return after

    def _known(self, states: frozenset[int]) -> _Set:
        found = self._sets.get(states)
        if found is None:
            found = self._sets[states] = _Set(states, self._accept)
        return found

    def _closure(
        self, states: Iterable[int], *, at_begin: bool = False, at_end: bool = False
    ) -> frozenset[int]:
        """All that is reached without a letter."""
        found: set[int] = set()
        stack = list(states)
        while stack:
            at = stack.pop()
            if at in found:
                continue
            found.add(at)
            state = self._states[at]
            passes = (state.kind == _BEGIN and at_begin) or (state.kind == _END and at_end)
            if state.kind == _EMPTY or passes:
                stack += state.after
        return frozenset(found)

    def _single(self, state: _State) -> Fragment:
        at = self._add(state)
        return Fragment(at, at)

    def _add(self, state: _State) -> int:
        self._states.append(state)
        return len(self._states) - 1
