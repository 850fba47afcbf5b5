"""A tokenizer's vocabulary as a file holds it, whatever the format: pieces, scores, marks.

Owns the value alone. Knows no format and builds no tokenizer.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["byte-level BPE", "SentencePiece BPE", "Unigram", "WordPiece"]

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""What a piece is for, numbered as SentencePiece and GGUF both do."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    kind: Kind
    pieces: tuple[str, ...]
    """By id; spaces as the format spells them (▁, Ġ)."""
    scores: tuple[float, ...] = ()
    """By id; empty where the format has none."""
    types: tuple[int, ...] = ()
    """By id, one of the numbers above; empty: all are NORMAL."""
    merges: tuple[tuple[str, str], ...] = ()
    """Byte-level BPE: the first is merged first. Empty: they follow from the scores."""
    split: str = ""
    """Byte-level BPE: the name of the rule that cuts text into words first."""
    bos: int | None = None
    eos: int | None = None
    unknown: int | None = None
    pad: int | None = None
    adds_bos: bool = False
    adds_eos: bool = False
    leading_space: bool = True
    """Whether a space is put before a text."""
    squeezes_spaces: bool = False
    """Whether spaces at the ends are dropped, and several made one."""
    escapes_spaces: bool = True
    """Whether a space is written as ▁ before the pieces are looked up."""
    strips_right: bool = False
    """Whether special tokens swallow the white space after them, as those of Phi-3 do."""
    charsmap: bytes = b""
    """SentencePiece's compiled table of characters that are replaced first."""
    template: str = ""
    """The chat template that the file brings; empty where it brings none."""
    notes: tuple[str, ...] = ()
    """What the user should know of how it was read."""

    def of_type(self, wanted: int) -> list[int]:
        """The ids of that type."""
        return [at for at, kind in enumerate(self.types) if kind == wanted]
