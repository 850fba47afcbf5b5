"""Tokens as blocks of text: delimited, coloured in turn, with nothing in them that cannot be seen.

Owns how a piece of anybody's text is spelled so that a terminal shows it in known widths: invisible
and joining characters by name, combining marks on a circle, spaces and line ends as marks. What is
written right to left stays in the order in which it is read.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from rich.cells import cell_len

from engine.tokenizers.tokenizer_output import Token
from tui.glyphs import Glyphs
from tui.styled_text import Line

Face = Literal["text", "ids", "raw"]
"""What a block shows: the text it stands for, its ids, or the vocabulary's spelling."""
FACES: tuple[Face, ...] = ("text", "ids", "raw")
FACE_NAMES: dict[Face, str] = {"text": "text", "ids": "ids", "raw": "raw tokens"}
TURNS = ("block0", "block1", "block2")
"""Roles of neighbouring blocks."""
Part = tuple[str, str, int]
"""Text of a block, its role, and which block it is."""
LONGEST = 200
"""Characters of one block that are shown."""
RTL_NOTE = "right to left: shown in reading order, first letter leftmost"

_NAMES = {
    "\u200b": "zwsp", "\u200c": "zwnj", "\u200d": "zwj", "\u2060": "wj", "\ufeff": "bom",
    "\u00ad": "shy", "\ufe0e": "vs15", "\ufe0f": "vs16", "\u200e": "lrm", "\u200f": "rlm",
    "\u00a0": "nbsp", "\u202f": "nnbsp", "\u202a": "lre", "\u202b": "rle", "\u202c": "pdf",
    "\u202d": "lro", "\u202e": "rlo", "\u2066": "lri", "\u2067": "rli", "\u2068": "fsi",
    "\u2069": "pdi", "\u3000": "wide space",
}  # fmt: skip
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def spell(text: str, glyphs: Glyphs, *, spaces: bool = True) -> str:
    """`text` so that each character is seen, and takes the cells that are counted for it.

    Without `spaces` these stay as they are: for text that is read more than counted.
    """
    if not spaces:
        return " ".join(spell(part, glyphs) for part in text.split(" "))
    if glyphs.is_ascii:
        return "".join(
            one if " " <= one <= "~" else _ESCAPES.get(one) or _escape(one) for one in text
        )
    return "".join(_spell_one(one, at == 0) for at, one in enumerate(text))


_ESCAPES = {"\n": "\\n", "\t": "\\t"}


def _escape(one: str) -> str:
    code = ord(one)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:x}"


def _spell_one(one: str, first: bool) -> str:
    if "!" <= one <= "~":
        return one
    code = ord(one)
    if one in (" ", "\n", "\t"):
        return {" ": "·", "\n": "⏎", "\t": "⇥"}[one]
    if one in _NAMES:
        return f"‹{_NAMES[one]}›"
    if 0x1F1E6 <= code <= 0x1F1FF:  # half a flag: terminals disagree on its width
        return f"‹{chr(code - 0x1F1E6 + ord('A'))}›"
    if 0x1F3FB <= code <= 0x1F3FF:
        return f"‹tone{code - 0x1F3FA}›"
    if code < 0x20:
        return chr(0x2400 + code)
    kind = unicodedata.category(one)
    if kind in _UNSEEN or 0xFE00 <= code <= 0xFE0F:
        return "�" if one == "\ufffd" else f"‹{code:04X}›"
    if kind == "Zs":
        return f"‹{code:04X}›"
    if kind in ("Mn", "Me") and first:
        return "◌" + one  # on a circle, not on what stands before the block
    return one


def is_right_to_left(text: str) -> bool:
    """Whether any of it is written from the right."""
    return any(unicodedata.bidirectional(one) in ("R", "AL") for one in text)


def face_of(token: Token, face: Face, glyphs: Glyphs) -> str:
    """What the block of a token says, without its delimiters."""
    if face == "ids" and token.ids:
        return "+".join(map(str, token.ids))
    if face == "raw" and token.pieces:
        return "+".join(spell(piece, glyphs) for piece in token.pieces)
    # A space that the tokenizer put there itself is in no text: the piece tells of it.
    text = spell(token.text, glyphs) if token.text else spell("".join(token.pieces), glyphs)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}{glyphs.ellipsis}({len(token.text):,})"
    if len(token.ids) > 1:
        count = str(len(token.ids))
        text += f"*{count}" if glyphs.is_ascii else count.translate(_SUBSCRIPTS)
    return text


def delimited(token: Token, face: Face, glyphs: Glyphs) -> str:
    """A block as it stands in a line: its delimiters say what it is, without colour too."""
    text = face_of(token, face, glyphs)
    if token.mark == "special":
        return f"{glyphs.opening}{text}{glyphs.closing}"
    if token.mark == "unknown":
        return f"?{text}?{glyphs.pipe}"
    if token.mark == "none":
        return f"({text})"
    return text + glyphs.pipe


def role_of(token: Token, at: int) -> str:
    """The role of the block that is the `at`-th."""
    role_of = {"special": "learned", "unknown": "bad", "none": "dim"}
    return role_of.get(token.mark) or TURNS[at % len(TURNS)]


def lay_out(
    tokens: Iterable[Token], width: int, glyphs: Glyphs, face: Face = "text"
) -> list[list[Part]]:
    """Blocks in lines of `width` cells.

    A block is broken only where it is wider than a line; after a line's end a new line begins.
    """
    lines: list[list[Part]] = []
    line: list[Part] = []
    used = 0
    for at, token in enumerate(tokens):
        text = delimited(token, face, glyphs)
        role = role_of(token, at)
        if used and used + cell_len(text) > width:
            lines.append(line)
            line, used = [], 0
        for part in _parts(text, width):
            if used and used + cell_len(part) > width:
                lines.append(line)
                line, used = [], 0
            line.append((part, role, at))
            used += cell_len(part)
        if token.text.endswith("\n") and face != "ids":
            lines.append(line)
            line, used = [], 0
    return [*lines, line] if line else lines


def _parts(text: str, width: int) -> Iterator[str]:
    """`text` in parts of at most `width` cells."""
    start = used = 0
    for at, letter in enumerate(text):
        size = cell_len(letter)
        if used + size > width and at > start:
            yield text[start:at]
            start, used = at, 0
        used += size
    yield text[start:]


def describe(token: Token, at: int, count: int, glyphs: Glyphs) -> Line:
    """All of one token on a line."""
    size = len(token.text.encode("utf-8", "replace"))
    if not token.ids:
        return [
            (f"{at + 1:,}/{count:,} ", "dim"),
            (spell(token.text[:40], glyphs), "strong"),
            (" is in no token (lost)", "warn"),
        ]
    several = f" ({len(token.ids)} tokens)" if len(token.ids) > 1 else ""
    ids = "id" if len(token.ids) == 1 else "ids"
    facts = {"special": "special token", "unknown": "not in the vocabulary"}
    return [
        (f"token {at + 1:,}/{count:,} ", "dim"),
        (spell(token.text[:40], glyphs) or "(no text)", "strong"),
        (f"  {ids} ", "dim"),
        ("+".join(map(str, token.ids[:12])) + several, ""),
        ("  raw ", "dim"),
        ("+".join(spell(piece[:40], glyphs) for piece in token.pieces[:12]), ""),
        ("  bytes ", "dim"),
        (str(size), ""),
        (f"  {facts[token.mark]}" if token.mark in facts else "", "warn"),
    ]


def hidden(tokens: Sequence[Token], count: int) -> int:
    """How many of `count` tokens are not among `tokens`."""
    return count - sum(len(one.ids) for one in tokens)
