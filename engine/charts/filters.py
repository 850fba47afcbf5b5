"""Filter expressions for tags and runs: `loss and not (val or /grad.*norm/)`, `state:running`.

    expression := all ("or" all)*        all := one (["and"] one)*
    one        := "not" one | "(" expression ")" | [field ":"] (word | "quoted" | /pattern/)

A word matches anywhere; capitals count only where the word has one. Words side by side must all
match. A pattern is one of RE2 (`engine.charts.regex`). Owns the grammar; what fields there are is
the caller's.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.charts.regex import BadPattern, compile_pattern
from engine.errors import EngineError

Subject = Mapping[str, Sequence[str]]
"""What is filtered: its texts by field; the field "" is what a word without a field looks at."""
Test = Callable[[Subject], bool]
LONGEST = 1000
_DEEPEST = 50
_OPERATORS = ("and", "or", "not")


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A filter that was understood."""

    text: str
    matches: Test


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """word, pattern, (, ), and, or, not, end."""
    text: str
    at: int
    field: str = ""


def parse(text: str, fields: Collection[str] = ()) -> Filter:
    """The filter that `text` says; an empty one lets everything through.

    Raises EngineError with the place for what cannot be understood, or a field that is not there.
    """
    if len(text) > LONGEST:
        raise _wrong(text, LONGEST, f"longer than {LONGEST} characters")
    tokens = _split(text, fields)
    if tokens[0].kind == "end":
        return Filter(text, lambda subject: True)
    parser = _Parser(text, tokens)
    test = parser.any_of()
    if parser.peek().kind != "end":
        raise _wrong(text, parser.peek().at, "unmatched )")
    return Filter(text, test)


class _Parser:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def peek(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def any_of(self) -> Test:
        tests = [self._all_of()]
        while self.peek().kind == "or":
            self._take()
            tests.append(self._all_of())
        return tests[0] if len(tests) == 1 else lambda subject: any(one(subject) for one in tests)

    def _all_of(self) -> Test:
        tests = [self._one()]
        while self.peek().kind not in ("or", ")", "end"):
            if self.peek().kind == "and":
                self._take()
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda subject: all(one(subject) for one in tests)

    def _one(self) -> Test:
        token = self._take()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _wrong(self._text, token.at, "nested too deeply")
        try:
            if token.kind == "not":
                test = self._one()
                return lambda subject: not test(subject)
            if token.kind == "(":
                test = self.any_of()
                if self._take().kind != ")":
                    raise _wrong(self._text, token.at, "missing )")
                return test
        finally:
            self._depth -= 1
        if token.kind == "word":
            return _word(token)
        if token.kind == "pattern":
            return self._pattern(token)
        what = {"end": "a term is missing at the end", ")": "a term is missing before )"}
        raise _wrong(
            self._text,
            token.at,
            what.get(token.kind, f"{token.text} must stand between two filters"),
        )

    def _pattern(self, token: _Token) -> Test:
        try:
            pattern = compile_pattern(token.text)
        except BadPattern as error:
            raise _wrong(self._text, token.at + 1 + error.at, str(error)) from error
        field = token.field
        return lambda subject: any(pattern.search(text) for text in subject.get(field, ()))


def _word(token: _Token) -> Test:
    word, field = token.text, token.field
    exact = word != word.lower()

    def test(subject: Subject) -> bool:
        # A plain loop: it is asked of a thousand runs at each letter that is typed.
        for text in subject.get(field, ()):  # noqa: SIM110
            if word in (text if exact else text.lower()):
                return True
        return False

    return test


def _split(text: str, fields: Collection[str]) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter.isspace():
            at += 1
        elif letter in "()":
            tokens.append(_Token(letter, letter, at))
            at += 1
        else:
            token, at = _term(text, at, fields)
            tokens.append(token)
    return [*tokens, _Token("end", "", len(text))]


def _term(text: str, start: int, fields: Collection[str]) -> tuple[_Token, int]:
    field, at = "", start
    name_end = start
    while name_end < len(text) and (text[name_end].isalnum() or text[name_end] == "_"):
        name_end += 1
    if name_end > start and text[name_end : name_end + 1] == ":":
        field, at = text[start:name_end].lower(), name_end + 1
        if field not in fields:
            known = ", ".join(sorted(one for one in fields if one)) or "none here"
            reason = f"unknown field {field!r}; fields: {known}"
            raise _wrong(text, start, reason)
    opening = text[at : at + 1]
    if opening and opening in "\"'/":
        end = _closing(text, at)
        inner = text[at + 1 : end]
        if opening == "/":
            return _Token("pattern", inner, at, field), end + 1
        return _Token("word", inner, at, field), end + 1
    end = at
    while end < len(text) and not text[end].isspace() and text[end] not in "()":
        end += 1
    word = text[at:end]
    if not word:
        raise _wrong(text, at, f"{field} needs a value: {field}:word")
    if not field and word.lower() in _OPERATORS:
        return _Token(word.lower(), word, at), end
    return _Token("word", word, at, field), end


def _closing(text: str, at: int) -> int:
    """Where the quote or the pattern that begins at `at` ends.

    Tags are full of slashes: only one before a space, the end, or a parenthesis that the pattern
    did not open ends it.
    """
    end, depth = at + 1, 0
    while end < len(text):
        letter, after = text[end], text[end + 1 : end + 2]
        if text[at] != "/":
            if letter == text[at]:
                return end
        elif letter == "\\":
            end += 1
        elif letter == "/" and (not after.strip() or (after == ")" and depth <= 0)):
            return end
        else:
            depth += (letter == "(") - (letter == ")")
        end += 1
    raise _wrong(text, at, f"missing closing {text[at]}")


def _wrong(text: str, at: int, reason: str) -> EngineError:
    return EngineError(
        "Invalid filter.",
        f"{text}\n{' ' * at}^ {reason}",
        'Use words, "words in quotes", /patterns/ or field:word, with and, or, not and ( ).',
    )
