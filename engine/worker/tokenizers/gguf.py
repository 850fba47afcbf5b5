"""The vocabulary and chat template in the header of a GGUF file, the format of llama.cpp.

Reads metadata only, never a tensor, and never more of it than bounds allow. Format:
github.com/ggml-org/ggml, docs/gguf.md. Raises EngineError for what is cut, damaged or unknown.

Kept by design: `gguf.GGUFReader` makes array objects of every element. For 128,000 tokens and
280,000 merges it takes 7 s and 0.6 GB, where this takes 0.3 s and 0.1 GB; and it believes every
count, so that a walk like this one would have to come first. Tests compare the two.
"""

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

from engine.errors import EngineError
from engine.safe_open import open_regular, recognise_impostor
from engine.worker.tokenizers.vocabulary import CONTROL, Kind, Vocabulary

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
            12: "d"}  # fmt: skip
_STRING, _ARRAY = 8, 9
_MOST_ENTRIES = 100_000
_MOST_ITEMS = 4_000_000
"""Of all lists; the largest vocabularies have about a million, with their scores and merges."""
_MOST_BYTES = 256 << 20
_LONGEST = 16 << 20
"""Bytes of one text."""
_KINDS: dict[str, Kind] = {
    "gpt2": "byte-level BPE",
    "llama": "SentencePiece BPE",
    "t5": "Unigram",
    "bert": "WordPiece",
}


class _Malformed(Exception):
    """The header is cut or damaged."""


def read_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary of a GGUF file. Raises EngineError."""
    with open_regular(path) as file:
        head = file.read(512)
        impostor = recognise_impostor(head)
        if impostor or not head.startswith(MAGIC):
            raise EngineError(f"{path.name} {impostor or 'is not a GGUF file'}", str(path))
        file.seek(0)
        try:
            table = _Header(file).read()
        except _Malformed as error:
            raise EngineError(f"{path.name} cannot be read as GGUF: {error}", str(path)) from None
    return _vocabulary(table, path)


class _Header:
    """Key and value pairs, read in order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = min(os.fstat(file.fileno()).st_size, _MOST_BYTES)
        """Bytes that there may be yet."""
        self._items = 0
        """Of lists, so far."""

    def read(self) -> dict[str, Any]:
        self._take(4)
        version = self._number("I")
        if version not in _VERSIONS:
            raise _Malformed(f"unknown version {version}")
        self._number("Q")  # tensors
        entries = self._number("Q")
        if entries > _MOST_ENTRIES:
            raise _Malformed(f"invalid entry count {entries:,}")
        table: dict[str, Any] = {}
        for _ in range(entries):
            key = self._text()
            table[key] = self._value(self._number("I"))
        return table

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._number(self._format(kind))
        inner, count = self._number("I"), self._number("Q")
        self._items += count
        if self._items > _MOST_ITEMS:
            raise _Malformed(f"its lists claim {self._items:,} items")
        if inner == _STRING:
            return [self._text() for _ in range(count)]
        form = f"<{count}{self._format(inner)}"
        return list(struct.unpack(form, self._take(struct.calcsize(form))))

    def _format(self, kind: int) -> str:
        if kind not in _FORMATS:
            raise _Malformed(f"unknown value type {kind}")
        return _FORMATS[kind]

    def _number(self, form: str) -> Any:
        return struct.unpack("<" + form, self._take(struct.calcsize("<" + form)))[0]

    def _text(self) -> str:
        length = self._number("Q")
        if length > _LONGEST:
            raise _Malformed(f"invalid string length {length:,}")
        return self._take(length).decode("utf-8", "replace")

    def _take(self, count: int) -> bytes:
        # Looked at first: a claim of gigabytes must not fill the memory.
        if count > self._left:
            raise _Malformed("truncated header, or one that is too large")
        self._left -= count
        data = self._file.read(count)
        if len(data) < count:
            raise _Malformed("truncated header")
        return data


def _vocabulary(table: dict[str, Any], path: Path) -> Vocabulary:
    model = table.get("tokenizer.ggml.model")
    kind = _KINDS.get(model) if isinstance(model, str) else None
    pieces = _list(table, "tokens", str)
    if kind is None or not pieces:
        named = isinstance(model, str) and model[:40]
        what = f"unsupported tokenizer model {named!r}" if named else "it has no tokenizer"
        known = ", ".join(_KINDS)
        raise EngineError(f"{path.name} cannot be used: {what}", str(path), f"Known: {known}.")
    scores, types = _list(table, "scores", float), _list(table, "token_type", int)
    whole = [one for one in (scores, types) if one and len(one) != len(pieces)]
    if whole:
        raise EngineError(
            f"{path.name} cannot be used: its token lists differ in length", str(path)
        )
    if kind == "Unigram" and not scores:
        raise EngineError(f"{path.name} cannot be used: its pieces have no scores", str(path))
    merges = [tuple(one.split(" ", 1)) for one in _list(table, "merges", str) if " " in one[1:]]
    charsmap = _list(table, "precompiled_charsmap", int)
    split, template = table.get("tokenizer.ggml.pre"), table.get("tokenizer.chat_template")
    return Vocabulary(
        kind,
        tuple(pieces),
        tuple(scores),
        tuple(types),
        tuple((one[0], one[1]) for one in merges),
        split if isinstance(split, str) else "",
        bos=_token(table, "bos", len(pieces)),
        eos=_token(table, "eos", len(pieces)),
        unknown=_token(table, "unknown", len(pieces)),
        pad=_token(table, "padding", len(pieces)),
        adds_bos=_flag(table, "add_bos_token", kind == "SentencePiece BPE"),
        adds_eos=_flag(table, "add_eos_token", kind == "Unigram"),
        leading_space=_flag(table, "add_space_prefix", True),
        squeezes_spaces=_flag(table, "remove_extra_whitespaces", False),
        charsmap=bytes(one & 255 for one in charsmap),
        template=template if isinstance(template, str) else "",
        notes=() if CONTROL in types else ("it marks no special tokens",),
    )


def _list(table: dict[str, Any], name: str, kind: type) -> list[Any]:
    value = table.get(f"tokenizer.ggml.{name}", [])
    right = isinstance(value, list) and all(isinstance(one, kind) for one in value)
    return value if right else []


def _token(table: dict[str, Any], name: str, count: int) -> int | None:
    value = table.get(f"tokenizer.ggml.{name}_token_id")
    return value if isinstance(value, int) and 0 <= value < count else None


def _flag(table: dict[str, Any], name: str, default: bool) -> bool:
    value = table.get(f"tokenizer.ggml.{name}", default)
    return value if isinstance(value, bool) else default
