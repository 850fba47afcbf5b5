"""An object that is not quite JSON, read from left to right without a choice.

The grammar is that of JSON and these kinds of deviation, each noted:

- `trailing comma`, `missing comma` (between two members, before a key and its colon)
- `single quotes`, `typographic quotes` (“ ”) and `unquoted key`
- `comment` (`//` and `#` up to the line's end, `/* */`), `Python literal` (True, False, None)
- `raw line end` and `raw tab` inside a text, `escaped apostrophe` (`\\'`)
- `quote in a text`: a quote that ends no text, for neither a comma and a key nor the object's end
  follows it; a word parts it from the quote before, as none does in `"x" + "y"` and `""x""`, and a
  single one does not stand right before the end, as in `"x""`. Another reading would need a field
  fewer or more, so it counts only where every field is required and there, each once, and nothing
  follows the object.

Refuses all else: numbers such as 1,000, .5, +5 and NaN, other escapes, objects within the object,
and whatever would have to be added, left out or chosen. Nothing here recurses.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.synthesis.field_values import exact_float
from engine.synthesis.outcomes import BadAnswer

QUOTE_IN_TEXT = "quote in a text"
_CLOSERS = {'"': '"', "'": "'", "“": "”"}
_QUOTE_KINDS = {"'": "single quotes", '"': ""}
_RAW_KINDS = {"\n": "raw line end", "\r": "raw line end", "\t": "raw tab"}
_GAP_PATTERN = r"(?:[ \t\r\n]|(?://|\#)[^\n]{0,400}+(?=\n)|/\*(?:[^*]|\*(?!/)){0,400}+\*/)*+"
_KEY_PATTERN = (
    r"(?:\"(?:[^\"\\\n]|\\.){0,200}+\"|'(?:[^'\\\n]|\\.){0,200}+'"
    r"|“[^”\n]{0,200}+”|[A-Za-z_][\w-]{0,64}+)[ \t\r\n]*+:"
)
_GAP = re.compile(_GAP_PATTERN)
_KEY_AHEAD = re.compile(_KEY_PATTERN)
OPENING = re.compile(rf"\{{{_GAP_PATTERN}{_KEY_PATTERN}")
"""How an object with a member begins, also one that is damaged, unlike braces in prose."""
_NAME = re.compile(r"[A-Za-z_][\w-]{0,64}")
_NUMBER = re.compile(
    r"-?(?:0|[1-9][0-9]{0,29})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?(?=[\s,}\]/#]|\Z)"
)
_WORD = re.compile(r"[A-Za-z]+(?![\w-])")
_LITERALS = {"true": True, "false": False, "null": None}
_PYTHON_LITERALS = {"True": True, "False": False, "None": None}
_ESCAPES = {
    '"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
    "'": "'",
}  # fmt: skip
_UNICODE = re.compile(r"[0-9a-fA-F]{4}")


@dataclass(slots=True)
class ObjectReader:
    """One walk over a text from an opening brace. Raises BadAnswer."""

    text: str
    at: int
    kinds: dict[str, None] = field(default_factory=dict)
    """What deviates from JSON, in order."""
    _certain: list[tuple[int, int, str]] = field(default_factory=list)
    """Texts without a quote that could end them: from where to where, and what they say."""

    def hide_texts(self, begin: int) -> tuple[str, dict[str, str]]:
        """The object that was read, with names in place of such texts, and what these stand for."""
        name = "text"
        while name in self.text:
            name += "t"
        pieces, texts = [], {}
        at = begin
        for number, (start, end, value) in enumerate(self._certain):
            texts[f"{name}{number}"] = value
            pieces += [self.text[at:start], f"{name}{number}"]
            at = end
        return "".join([*pieces, self.text[at : self.at]]), texts

    def read(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        self._expect("{")
        has_comma = False
        while not self._skip("}"):
            key = self._read_key()
            if key in values:
                raise BadAnswer("doubled key", key[:80])
            self._expect(":")
            self._skip_gap()
            values[key] = self._read_list() if self._here == "[" else self._read_value(self._ends)
            has_comma = self._skip(",")
            if not has_comma and self._here != "}":
                if not _KEY_AHEAD.match(self.text, self.at):
                    raise self._refusal("a comma or the end of the object is missing")
                self._note("missing comma")
        if has_comma:
            self._note("trailing comma")
        return values

    @property
    def _here(self) -> str:
        return self.text[self.at : self.at + 1]

    def _note(self, kind: str) -> None:
        if kind:
            self.kinds[kind] = None

    def _refusal(self, why: str) -> BadAnswer:
        if self.at >= len(self.text):
            return BadAnswer("not JSON", "it ends before its object does")
        return BadAnswer("not JSON", f"{why}: {self.text[self.at : self.at + 40]}")

    def _skip_gap(self) -> None:
        end = _end_of_gap(self.text, self.at)
        if not self.text[self.at : end].isspace() and end > self.at:
            self._note("comment")
        self.at = end

    def _skip(self, character: str) -> bool:
        """Whether it comes next, and if so its place and all white space after it are passed."""
        self._skip_gap()
        if self._here != character:
            return False
        self.at += 1
        return True

    def _expect(self, character: str) -> None:
        if not self._skip(character):
            raise self._refusal(f"{character!r} expected")

    def _read_key(self) -> str:
        if self._here in _CLOSERS:
            return self._read_text(lambda at: self._comes(at, ":"), may_hold_quotes=False)
        name = _NAME.match(self.text, self.at)
        if name is None:
            raise self._refusal("a key expected")
        self._note("unquoted key")
        self.at = name.end()
        return name[0]

    def _read_list(self) -> list[Any]:
        entries: list[Any] = []
        self._expect("[")
        has_comma = False
        while not self._skip("]"):
            if entries and not has_comma:
                raise self._refusal("a comma expected")
            entries.append(self._read_value(lambda at: self._comes(at, ",]"), in_list=True))
            has_comma = self._skip(",")
        if has_comma:
            self._note("trailing comma")
        return entries

    def _read_value(self, ends: Callable[[int], bool], *, in_list: bool = False) -> Any:
        if self._here in _CLOSERS:
            return self._read_text(ends, may_hold_quotes=not in_list)
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            self.at = number.end()
            is_whole = number[1] is None and number[2] is None
            return int(number[0]) if is_whole else exact_float(number[0])
        word = _WORD.match(self.text, self.at)
        if word is not None and word[0] in _LITERALS:
            self.at = word.end()
            return _LITERALS[word[0]]
        if word is not None and word[0] in _PYTHON_LITERALS:
            self._note("Python literal")
            self.at = word.end()
            return _PYTHON_LITERALS[word[0]]
        raise self._refusal("a value expected")

    def _read_text(self, ends: Callable[[int], bool], *, may_hold_quotes: bool) -> str:
        """A text up to the quote at whose place `ends` says that it does."""
        closer, begin = _CLOSERS[self._here], self.at + 1
        self._note(_QUOTE_KINDS.get(self._here, "typographic quotes"))
        self.at += 1
        pieces: list[str] = []
        quotes: list[int] = []
        while self._here:
            character = self._here
            if character == "\\":
                pieces.append(self._read_escape())
                continue
            self.at += 1
            if character == closer:
                if ends(self.at):
                    break
                self._check_quote(pieces, quotes, may_hold_quotes)
                quotes.append(len(pieces))
            elif character in _RAW_KINDS:
                self._note(_RAW_KINDS[character])
            elif character < " ":
                raise self._refusal("a control character in a text")
            pieces.append(character)
        else:
            raise self._refusal("a quote expected")
        if len(quotes) % 2 == 1:
            self._check_quote(pieces, quotes, True)
        text = "".join(pieces)
        if not quotes:
            self._certain.append((begin, self.at - 1, text))
        return text

    def _check_quote(self, pieces: list[str], quotes: list[int], may_hold_quotes: bool) -> None:
        """Refuses a quote that may mean something else than itself, after those at `quotes`."""
        self._note(QUOTE_IN_TEXT)
        if not may_hold_quotes:
            raise self._refusal("a quote that ends nothing")
        if not any(map(str.isalnum, pieces[quotes[-1] + 1 if quotes else 0 :])):
            raise self._refusal("quotes without a word between them")

    def _read_escape(self) -> str:
        name = self.text[self.at + 1 : self.at + 2]
        if name in _ESCAPES:
            if name == "'":
                self._note("escaped apostrophe")
            self.at += 2
            return _ESCAPES[name]
        unit = self._read_unit()
        if 0xD800 <= unit < 0xDC00 and self.text.startswith("\\u", self.at):
            before = self.at
            low = self._read_unit()
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
            self.at = before
        return chr(unit)

    def _read_unit(self) -> int:
        digits = _UNICODE.match(self.text, self.at + 2)
        if not self.text.startswith("\\u", self.at) or digits is None:
            raise self._refusal("an escape that JSON does not have")
        self.at = digits.end()
        return int(digits[0], 16)

    def _comes(self, at: int, characters: str) -> bool:
        return self.text.startswith(tuple(characters), _end_of_gap(self.text, at))

    def _ends(self, at: int) -> bool:
        """Whether a member may end at a place: the object does, or a key and a colon follow."""
        at = _end_of_gap(self.text, at)
        if self.text.startswith(",", at):
            at = _end_of_gap(self.text, at + 1)
        return self.text.startswith("}", at) or _KEY_AHEAD.match(self.text, at) is not None


def _end_of_gap(text: str, at: int) -> int:
    """Where white space and comments end."""
    gap = _GAP.match(text, at)
    assert gap is not None, "it may be empty"
    return gap.end()
