"""GGUF headers and SentencePiece models, written by hand for tests."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any


def pack_gguf(table: Mapping[str, Any], version: int = 3) -> bytes:
    """A GGUF file without tensors."""
    out = b"GGUF" + struct.pack("<IQQ", version, 0, len(table))
    return out + b"".join(_text(key) + _value(value) for key, value in table.items())


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    kind, form = {bool: (7, "?"), int: (5, "i"), float: (6, "f"), str: (8, "")}[type(value[0])]
    head = struct.pack("<IIQ", 9, kind, len(value))
    return head + b"".join(
        _text(one) if kind == 8 else struct.pack(f"<{form}", one) for one in value
    )


def pack_model(
    pieces: Sequence[tuple[str, float, int]], kind: int = 1, rules: bytes = b""
) -> bytes:
    """A SentencePiece model: piece, score and type of each, unigram (1) or BPE (2)."""
    out = b""
    for piece, score, type_ in pieces:
        body = _field(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + bytes([0x18, type_])
        out += _field(1, body)
    return out + _field(2, bytes([0x18, kind])) + _field(3, rules)


def _field(number: int, data: bytes) -> bytes:
    size, length = len(data), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + data


WORDS = ("▁", "a", "b", "c", "▁a", "ab", "bc", "▁ab", "▁bc", "abc")


def small_model(kind: int = 1, rules: bytes = b"") -> bytes:
    """Ten pieces, with an unknown one and ends."""
    ends = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    scored = [(word, -1.0 - at / 10, 1) for at, word in enumerate(reversed(WORDS))]
    return pack_model([*ends, *scored], kind, rules)
