"""Regular expressions of filters and items, RE2's: their time grows with the text's length alone.

Python's own engine tries alternatives one after the other, so `(a+)+$` on a long tag hangs the
screen, and a thread that waits for it cannot be interrupted: there is no falling back to it. Owns
what RE2's errors say and where. RE2 knows no back references and no looking around, and its `\\w`,
`\\d` and `\\s` are ASCII's: `\\pL` is a letter of any script, `\\pN` a digit.
"""

import re
from dataclasses import dataclass
from typing import Protocol

LONGEST = 1000
"""Letters of a pattern."""
_MEMORY = 1 << 19
"""Bytes of one compiled pattern; what needs more is refused after some milliseconds."""
_NOT_LETTERS = re.compile(r"\\.|\(\?P", re.DOTALL)
"""Where a capital is no letter of the text; that of `\\p{Lu}` counts, for it tells them apart."""
_PARENTHESES = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]", re.DOTALL)
"""Parentheses, and what may hide one: an escape, a set."""
_GROUPS = "unsupported group: only ( ) and (?: ), no lookaround"
_REASONS = {
    "missing )": "missing )",
    "unexpected )": "unmatched )",
    "missing ]": "missing ]",
    "trailing \\": "a backslash with nothing after it",
    "no argument for repetition operator": "nothing to repeat",
    "bad repetition operator": "repeat of a repeat",
    "invalid repetition size": "repeats are limited to 1,000, nested ones multiplied, "
    "the smaller first",
    "invalid perl operator": _GROUPS,
    "invalid named capture group": _GROUPS,
    "pattern too large - compile failed": "too large: use fewer or smaller repeats",
}


class BadPattern(ValueError):
    """A pattern that cannot be used; `at` is the place of what is wrong in it."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.at = at


class _Searcher(Protocol):
    """What is used of RE2's compiled patterns."""

    def search(self, text: bytes) -> object | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """A compiled pattern."""

    text: str
    searcher: _Searcher

    def search(self, text: str) -> bool:
        """Whether it occurs in `text`; a character that is half a pair counts as `?`."""
        return self.searcher.search(text.encode("utf-8", "replace")) is not None


def compile_pattern(text: str, *, case_sensitive: bool | None = None) -> Pattern:
    """The pattern, compiled; without `case_sensitive` its own capital letters decide.

    Raises BadPattern: a place, and what is wrong there.
    """
    if len(text) > LONGEST:
        raise BadPattern(f"longer than {LONGEST:,} characters", LONGEST)
    import re2  # only where a pattern is written: most filters are words

    options = re2.Options()
    options.log_errors = False  # else RE2 writes to the terminal itself
    options.max_mem = _MEMORY
    options.never_capture = True
    bare = _NOT_LETTERS.sub("", text)
    options.case_sensitive = bare != bare.lower() if case_sensitive is None else case_sensitive
    try:
        searcher: _Searcher = re2.compile(text.encode("utf-8", "backslashreplace"), options)
    except re2.error as error:
        raise _explained(text, error.args[0].decode("utf-8", "replace")) from None
    return Pattern(text, searcher)


def _explained(text: str, message: str) -> BadPattern:
    """RE2 says `what: fragment`; the fragment is all of the pattern where it has no better one."""
    what, _, fragment = message.partition(": ")
    reason = _REASONS.get(what) or f"{fragment} is not supported"
    if what == "invalid character class range" and not fragment.startswith(("\\", "[")):
        reason = "reversed range"
    if what in ("missing )", "unexpected )"):
        return BadPattern(reason, _find_unpaired(text))
    # Of equal repeats it is the outer one that is too much.
    at = text.rfind(fragment) if what == "invalid repetition size" else text.find(fragment)
    if what == "bad repetition operator":  # the fragment is both of them
        at += max(fragment.rfind(sign, 1) for sign in "*+?{")
    return BadPattern(reason, max(at, 0))


def _find_unpaired(text: str) -> int:
    """The place of the parenthesis that nothing opens, or of the last that nothing closes."""
    opened: list[int] = []
    for match in _PARENTHESES.finditer(text):
        if match[0] == "(":
            opened.append(match.start())
        elif match[0] == ")":
            if not opened:
                return match.start()
            opened.pop()
    return opened[-1] if opened else 0
