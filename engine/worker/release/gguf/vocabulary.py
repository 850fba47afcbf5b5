"""The vocabulary of a GGUF file, from the tokenizer of a checkpoint.

Owns which token is which in llama.cpp's words: its text, type, score, and what ends an answer.
Refuses, by name, a tokenizer that llama.cpp cannot follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import gguf


@dataclass(frozen=True, slots=True)
class GgufVocabulary:
    """The keys `tokenizer.*` of a GGUF file."""

    model: Literal["llama", "gpt2"]
    """"llama": SentencePiece's BPE by scores; "gpt2": byte-level BPE by merges."""
    pre: str
    """`tokenizer.ggml.pre`: how text is cut into words before BPE; "default" of "llama"."""
    tokens: tuple[str, ...]
    """By id; as many as the embedding has rows."""
    token_types: tuple[int, ...]
    """By id, of `gguf.TokenType`."""
    scores: tuple[float, ...] = ()
    """By id; empty of "gpt2"."""
    merges: tuple[str, ...] = ()
    """"LEFT RIGHT", the first is merged first; empty of "llama"."""
    bos: int | None = None
    eos: int | None = None
    eot: int | None = None
    eom: int | None = None
    unknown: int | None = None
    pad: int | None = None
    separator: int | None = None
    mask: int | None = None
    add_bos: bool = False
    add_eos: bool = False
    add_space_prefix: bool = False
    chat_template: str = ""
    named_templates: tuple[tuple[str, str], ...] = ()
    """Further templates, by name."""

    def add_to(self, writer: gguf.GGUFWriter) -> None:
        """Add all keys to a file that is being written."""
        raise NotImplementedError


def vocabulary_of(checkpoint: Path, ends: Sequence[int]) -> GgufVocabulary:
    """The vocabulary of the model in `checkpoint`; `ends` are the ids that end an answer, first
    the one that ends a trained answer. Raises EngineError."""
    raise NotImplementedError
