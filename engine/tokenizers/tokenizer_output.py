"""What tokenizers make of texts, in values: tokens, counts, what a round trip loses, templates.

Owns the counts. Tokenizes nothing itself: a worker does, and hands over what is defined here.
"""

import dataclasses
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.chat import ROLES, Message
from engine.errors import EngineError
from engine.word_diff import Change, align
from engine.words import pieces_of

Mark = Literal["", "special", "unknown", "none"]
"""`special` is a token that means something by itself; `none` is text that is in no token."""

MOST_CHARACTERS = 100_000
"""Of one text; what is longer is cut, and that is said."""
MOST_TOKENS = 20_000
"""Of one text that are handed over one by one; all are counted."""
MOST_UNITS = 4_000
"""Special tokens and words of each text that are compared; matching is quadratic."""
_LINE_BREAK = re.compile(r"(\n)")
_TURN = re.compile(rf"^({'|'.join(ROLES)})\s*:\s?", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """A token; several, where only together they make a character."""

    text: str
    """What it stands for in the text itself; empty where it stands for nothing there."""
    pieces: tuple[str, ...]
    """As the vocabulary spells them (Ġthe, ▁the, ##ing, <0xE2>)."""
    ids: tuple[int, ...]
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Count:
    """One text under one tokenizer. What the tokenizer puts around a text is not counted."""

    name: str
    characters: int
    bytes: int
    """In UTF-8."""
    words: int
    """As `engine.words` counts: a character each in Han and kana."""
    tokens: int
    unknown: int
    """Tokens that stand for what the vocabulary has no piece for."""
    lost: tuple[str, ...]
    """What decoding does not give back, in words; empty where it gives back all."""
    cut: int = 0
    """Characters that were left out, because the text is too long."""

    @property
    def tokens_per_word(self) -> float | None:
        """Fertility; None for a text without words."""
        return self.tokens / self.words if self.words else None

    @property
    def bytes_per_token(self) -> float | None:
        return self.bytes / self.tokens if self.tokens else None


@dataclass(frozen=True, slots=True)
class Tokenized:
    """A text in tokens; `tokens` are the first MOST_TOKENS of them."""

    count: Count
    tokens: tuple[Token, ...]


OWN_TEMPLATE = "chat"
"""What a tokenizer's own chat template is called, as `--template` calls it."""


@dataclass(frozen=True, slots=True)
class RenderedTemplate:
    """A conversation as one template writes it, or the reason why it does not."""

    form: str
    """What was asked for: chat, instruct, chatml, raw, a file; empty: the tokenizer's own way."""
    template: str
    """What it is: the name of the template that wrote."""
    text: str
    tokens: tuple[Token, ...]
    count: int
    """Tokens in all."""
    notes: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class TokenizerOutput:
    """All that one tokenizer made of what was asked, or the reason why it cannot be used."""

    ref: str
    name: str
    kind: str = ""
    """byte-level BPE, Unigram, WordPiece, …"""
    vocabulary: int = 0
    adds: tuple[str, ...] = ()
    """Tokens that it puts around a text by itself."""
    notes: tuple[str, ...] = ()
    texts: tuple[Tokenized, ...] = ()
    renders: tuple[RenderedTemplate, ...] = ()
    trouble: tuple[str, str, str] | None = None
    """Title, detail and hint of the error."""


def to_table(output: TokenizerOutput) -> dict[str, Any]:
    """As JSON."""
    return dataclasses.asdict(output)


def from_table(table: Mapping[str, Any]) -> TokenizerOutput:
    """What `to_table` wrote, after JSON made lists of its tuples."""
    texts = tuple(
        Tokenized(
            Count(**(one["count"] | {"lost": tuple(one["count"]["lost"])})),
            _tokens(one["tokens"]),
        )
        for one in table["texts"]
    )
    renders = tuple(
        RenderedTemplate(**(one | {"tokens": _tokens(one["tokens"]), "notes": tuple(one["notes"])}))
        for one in table["renders"]
    )
    trouble = table["trouble"]
    plain = {name: tuple(table[name]) for name in ("adds", "notes")}
    known = {"texts": texts, "renders": renders, "trouble": tuple(trouble) if trouble else None}
    return TokenizerOutput(**(dict(table) | plain | known))


def _tokens(rows: Sequence[Mapping[str, Any]]) -> tuple[Token, ...]:
    return tuple(
        Token(one["text"], tuple(one["pieces"]), tuple(one["ids"]), one["mark"]) for one in rows
    )


def describe_loss(text: str, back: str) -> tuple[str, ...]:
    """What `back`, the decoded text, lacks of `text`, in words; empty where they are equal."""
    if text == back:
        return ()
    needed = list(_FOLDS)
    if _folded(text, needed) == _folded(back, needed):
        for each in _FOLDS:
            rest = [one for one in needed if one is not each]
            if _folded(text, rest) == _folded(back, rest):
                needed = rest
        return tuple(what for what, _ in needed)
    losses = []
    one, other = text, back
    for what, fold in _FOLDS:
        if (one, other) == (folded := (fold(one), fold(other))):
            continue
        # A fold tells something only where it brings the two nearer.
        if _distance(*folded) < _distance(one, other):
            losses.append(what)
            one, other = folded
    return (*losses, _first_change(one, other))


def _folded(text: str, folds: Sequence[tuple[str, Callable[[str], str]]]) -> str:
    for _, fold in folds:
        text = fold(text)
    return text


def _first_change(one: str, other: str) -> str:
    at = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    if at == len(one):
        return f"characters: {other[at : at + 12]!r} was added"
    # Until the two go on together again, where they do soon.
    following = one[at + 1 : at + 4]
    again = other.find(following, at, at + 24) if following else -1
    upto = again if again >= at else at + 6
    what = repr(other[at:upto]) if other[at:upto] else "nothing"
    return f"characters: {one[at]!r} became {what}"


def _without_marks(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


_FOLDS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("whitespace", lambda text: "".join(text.split())),
    ("letter case", str.casefold),
    ("character forms (Unicode NFKC)", lambda text: unicodedata.normalize("NFKC", text)),
    ("accents", _without_marks),
    (
        "invisible characters",
        lambda text: "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf")),
    ),
)


def _distance(one: str, other: str) -> int:
    """How far two texts are apart: cheap, symmetric, 0 for equal ones."""
    if one == other:
        return 0
    apart = sum(a != b for a, b in zip(one, other, strict=False))
    return 1 + apart + abs(len(one) - len(other))


def differ(one: RenderedTemplate, other: RenderedTemplate) -> tuple[Change, ...]:
    """What two templates wrote differently: special tokens whole, the rest word by word."""
    ours, theirs = _units(one), _units(other)
    changes: list[Change] = []
    for both, start, stop, begin, end in align(ours, theirs):
        left, right = "".join(ours[start:stop]), "".join(theirs[begin:end])
        if both:
            changes.append(Change("same", left, right))
            continue
        if left:
            changes.append(Change("only_left", left, ""))
        if right:
            changes.append(Change("only_right", "", right))
    return tuple(changes)


def _units(rendered: RenderedTemplate) -> list[str]:
    units: list[str] = []
    plain = ""
    for token in rendered.tokens:
        if token.mark == "special":
            units += [*_plain_units(plain), token.text]
            plain = ""
        else:
            plain += token.text
    units += _plain_units(plain)
    return units[:MOST_UNITS] + (["".join(units[MOST_UNITS:])] if units[MOST_UNITS:] else [])


def _plain_units(text: str) -> list[str]:
    """Words, marks and white space, each line break by itself: templates differ in them."""
    pieces = [part for piece in pieces_of(text) for part in _LINE_BREAK.split(piece)]
    return [piece for piece in pieces if piece]


def parse_conversation(text: str) -> tuple[Message, ...]:
    """Turns that begin with `system:`, `user:` or `assistant:` at a line's start.

    Without any, all of it is what the user says. Raises EngineError for what stands before them.
    """
    marks = list(_TURN.finditer(text))
    if not marks:
        return (Message("user", text.strip()),)
    if text[: marks[0].start()].strip():
        raise EngineError(
            "A conversation must start with a role.",
            text[: marks[0].start()].strip()[:80],
            f"Start messages with one of {', '.join(f'{role}:' for role in ROLES)}.",
        )
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return tuple(
        Message(mark[1].lower(), text[mark.end() : end].strip())
        for mark, end in zip(marks, ends, strict=True)
    )


def format_conversation(messages: Sequence[Message]) -> str:
    """What `parse_conversation` reads."""
    return "\n".join(f"{one.role}: {one.content}" for one in messages)
