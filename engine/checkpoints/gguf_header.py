"""The header of a GGUF file, llama.cpp's format: keys and values, and where each tensor lies.

Owns the one reading of these headers; `gguf_config` says what they mean. Reads no tensor, and of an
untrusted file no more than bounds allow: a count of a billion is refused, not believed. Raises
EngineError for what is cut, damaged or unknown. Format: github.com/ggml-org/ggml, docs/gguf.md.

Kept by design: `gguf.GGUFReader` makes array objects of every element. For 128,000 tokens and
280,000 merges it takes 7 s and 0.6 GB, where this takes 0.3 s and 0.1 GB; and it believes every
count, so that a walk like this one would have to come first. Tests compare the two.
"""

import math
import os
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from engine.errors import EngineError
from engine.safe_open import open_regular, recognise_impostor

MAGIC = b"GGUF"
SUFFIX = ".gguf"
_VERSIONS = (2, 3)
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
            12: "d"}  # fmt: skip
_STRING, _ARRAY = 8, 9
_MOST_ENTRIES = 100_000
_MOST_TENSORS = 100_000
_MOST_DIMENSIONS = 4
_MOST_ITEMS = 4_000_000
"""Of all lists; the largest vocabularies have about a million, with their scores and merges."""
_MOST_BYTES = 256 << 20
_LONGEST = 16 << 20
"""Bytes of one text."""
_LONGEST_NAME = 256
"""Bytes of a tensor's name; the format allows 64."""
_SHORT_LIST = 4096
"""Items of a list of numbers that is kept whatever it is: layers, heads, sections."""
_VOCABULARY = "tokenizer."
_DEFAULT_ALIGNMENT = 32

TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20),
    6: ("q5_0", 32, 22), 7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 9: ("q8_1", 32, 40),
    10: ("q2_k", 256, 84), 11: ("q3_k", 256, 110), 12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176),
    14: ("q6_k", 256, 210), 15: ("q8_k", 256, 292), 16: ("iq2_xxs", 256, 66),
    17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98), 19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110), 22: ("iq2_s", 256, 82),
    23: ("iq4_xs", 256, 136), 24: ("i8", 1, 1), 25: ("i16", 1, 2), 26: ("i32", 1, 4),
    27: ("i64", 1, 8), 28: ("f64", 1, 8), 29: ("iq1_m", 256, 56), 30: ("bf16", 1, 2),
    34: ("tq1_0", 256, 54), 35: ("tq2_0", 256, 66), 39: ("mxfp4", 32, 17), 40: ("nvfp4", 64, 36),
    41: ("q1_0", 128, 18),
}  # fmt: skip
"""Types of tensors by their number: name, values in a block, bytes of a block."""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    name: str
    shape: tuple[int, ...]
    """As in torch: rows first."""
    kind: int
    """A key of TYPES."""
    start: int
    """Of its bytes, from the beginning of the file."""
    size: int
    """Bytes."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def type_name(self) -> str:
        return TYPES[self.kind][0]


@dataclass(frozen=True, slots=True)
class GgufHeader:
    path: Path
    values: Mapping[str, Any]
    """By key; of a long list that was not asked for, its length is in `lengths` instead."""
    lengths: Mapping[str, int]
    """Items of every list, by key."""
    tensors: tuple[GgufTensor, ...]

    @property
    def parameters(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def common_type(self) -> str | None:
        """The type of most parameters; None of a file without tensors."""
        counts: Counter[str] = Counter()
        for tensor in self.tensors:
            counts[tensor.type_name] += tensor.elements
        return max(counts, key=lambda name: counts[name]) if counts else None

    def text(self, key: str) -> str:
        """The text under a key; empty where there is none."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def tensor(self, name: str) -> GgufTensor | None:
        return next((one for one in self.tensors if one.name == name), None)


def is_gguf(path: Path) -> bool:
    """Whether a file is one by its name, in which letter case ever."""
    return path.name.lower().endswith(SUFFIX)


class _Malformed(Exception):
    """The header is cut or damaged."""


def read_gguf_header(path: Path) -> GgufHeader:
    """The header of a GGUF file, without the lists of its tokenizer; read again only where the file
    was changed, for a large vocabulary takes a part of a second to pass over.

    Raises EngineError whose title names the file and says what is wrong with it.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return _read_header(path, 0, 0)  # which says why not
    return _read_header(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _read_header(path: Path, written: int, size: int) -> GgufHeader:
    """The header of a file that was written then, and is as large."""
    with _opened(path, vocabulary=False) as reader:
        return reader.read()


def read_gguf_values(path: Path) -> Mapping[str, Any]:
    """All keys and values of a GGUF file, with the lists of its tokenizer; its tensors are not
    looked at, and need not be there. Raises EngineError."""
    with _opened(path, vocabulary=True) as reader:
        return reader.read_values()[0]


@contextmanager
def _opened(path: Path, *, vocabulary: bool) -> Iterator["_Reader"]:
    with open_regular(path) as file:
        head = file.read(512)
        impostor = recognise_impostor(head)
        if impostor or not head.startswith(MAGIC):
            raise EngineError(f"{path.name} {impostor or 'is not a GGUF file'}", str(path))
        file.seek(0)
        try:
            yield _Reader(path, file, vocabulary)
        except _Malformed as error:
            raise EngineError(f"{path.name} cannot be read as GGUF: {error}", str(path)) from None
        except OSError as error:
            raise EngineError(f"{path.name} cannot be read: {error.strerror}", str(path)) from error


class _Reader:
    """Key and value pairs, then the table of tensors, read in order."""

    def __init__(self, path: Path, file: BinaryIO, vocabulary: bool) -> None:
        self._path = path
        self._file = file
        self._vocabulary = vocabulary
        self._size = os.fstat(file.fileno()).st_size
        self._left = min(self._size, _MOST_BYTES)
        """Bytes that there may be yet."""
        self._at = 0
        self._items = 0
        """Of lists, so far."""

    def read(self) -> GgufHeader:
        """Everything. The reader is then used up."""
        values, lengths, tensors = self.read_values()
        table = [self._tensor_entry() for _ in range(tensors)]
        return GgufHeader(self._path, values, lengths, self._place(table, values))

    def read_values(self) -> tuple[dict[str, Any], dict[str, int], int]:
        """Values by key, lengths of lists by key, and how many tensors follow."""
        self._take(4)
        version = self._number("I")
        if version not in _VERSIONS:
            raise _Malformed(f"unknown version {version}")
        tensors, entries = self._number("Q"), self._number("Q")
        if entries > _MOST_ENTRIES:
            raise _Malformed(f"invalid entry count {entries:,}")
        if tensors > _MOST_TENSORS:
            raise _Malformed(f"invalid tensor count {tensors:,}")
        values: dict[str, Any] = {}
        lengths: dict[str, int] = {}
        for _ in range(entries):
            key, kind = self._text(), self._number("I")
            if key in values or key in lengths:
                raise _Malformed(f"the key {key[:60]!r} occurs twice")
            if kind == _ARRAY:
                kept, lengths[key] = self._list(key)
                if kept is not None:
                    values[key] = kept
            else:
                values[key] = self._value(kind)
        return values, lengths, tensors

    def _value(self, kind: int) -> Any:
        return self._text() if kind == _STRING else self._number(self._format(kind))

    def _list(self, key: str) -> tuple[list[Any] | None, int]:
        """A list, or None where it is long and nobody asked for it; and its length."""
        inner, count = self._number("I"), self._number("Q")
        self._items += count
        if self._items > _MOST_ITEMS:
            raise _Malformed(f"its lists claim {self._items:,} items")
        wanted = self._vocabulary and key.startswith(_VOCABULARY)
        if inner == _STRING:
            if wanted:
                return [self._text() for _ in range(count)], count
            for _ in range(count):
                self._skip(self._text_length())
            return None, count
        form = f"<{count}{self._format(inner)}"
        if wanted or count <= _SHORT_LIST:
            return list(struct.unpack(form, self._take(struct.calcsize(form)))), count
        self._skip(struct.calcsize(form))
        return None, count

    def _tensor_entry(self) -> tuple[str, tuple[int, ...], int, int]:
        """Name, shape with rows first, type, and offset among the tensors."""
        length = self._number("Q")
        if length > _LONGEST_NAME:
            raise _Malformed(f"invalid length of a tensor's name {length:,}")
        name = self._take(length).decode("utf-8", "replace")
        dimensions = self._number("I")
        if not 0 < dimensions <= _MOST_DIMENSIONS:
            raise _Malformed(f"the tensor {name[:60]!r} has {dimensions:,} dimensions")
        shape = struct.unpack(f"<{dimensions}Q", self._take(8 * dimensions))[::-1]
        kind, offset = self._number("I"), self._number("Q")
        if kind not in TYPES:
            raise _Malformed(f"the tensor {name[:60]!r} has the unknown type {kind}")
        return name, shape, kind, offset

    def _place(
        self, table: list[tuple[str, tuple[int, ...], int, int]], values: Mapping[str, Any]
    ) -> tuple[GgufTensor, ...]:
        """Where each tensor lies; they follow each other without overlap, inside the file."""
        alignment = values.get("general.alignment", _DEFAULT_ALIGNMENT)
        if type(alignment) is not int or not 8 <= alignment <= 1 << 20 or alignment % 8:
            raise _Malformed(f"invalid alignment {alignment!r}")
        begin = -(-self._at // alignment) * alignment
        placed = []
        for name, shape, kind, offset in table:
            _, block, width = TYPES[kind]
            elements = math.prod(shape)
            if elements >= 1 << 60 or shape[-1] % block:
                raise _Malformed(f"the tensor {name[:60]!r} has an impossible shape")
            placed.append(GgufTensor(name, shape, kind, begin + offset, elements // block * width))
        if len({tensor.name for tensor in placed}) < len(placed):
            raise _Malformed("two tensors have one name")
        reached = begin
        for tensor in sorted(placed, key=lambda one: (one.start, one.size)):
            if tensor.start < reached:
                raise _Malformed(f"the tensor {tensor.name[:60]!r} overlaps another")
            reached = tensor.start + tensor.size
        if reached > self._size and placed:
            raise _Malformed(f"truncated: {self._size:,} of {reached:,} bytes are present")
        return tuple(placed)

    def _format(self, kind: int) -> str:
        if kind not in _FORMATS:
            raise _Malformed(f"unknown value type {kind}")
        return _FORMATS[kind]

    def _number(self, form: str) -> Any:
        return struct.unpack("<" + form, self._take(struct.calcsize("<" + form)))[0]

    def _text_length(self) -> int:
        length: int = self._number("Q")
        if length > _LONGEST:
            raise _Malformed(f"invalid string length {length:,}")
        return length

    def _text(self) -> str:
        return self._take(self._text_length()).decode("utf-8", "replace")

    def _claim(self, count: int) -> None:
        # Looked at first: a claim of gigabytes must not fill the memory.
        if count > self._left:
            raise _Malformed("truncated header, or one that is too large")
        self._left -= count
        self._at += count

    def _take(self, count: int) -> bytes:
        self._claim(count)
        data = self._file.read(count)
        if len(data) < count:
            raise _Malformed("truncated header")
        return data

    def _skip(self, count: int) -> None:
        self._claim(count)
        self._file.seek(self._at)
