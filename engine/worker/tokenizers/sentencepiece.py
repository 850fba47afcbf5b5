"""The vocabulary in a SentencePiece model file, read without that library.

Format: github.com/google/sentencepiece, src/sentencepiece_model.proto. Raises EngineError for what
is no such file, and for kinds of model (words, characters) that no language model uses.
"""

import struct
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.protowire import BYTES, Malformed, read_fields, signed
from engine.safe_open import read_bounded, recognise_impostor
from engine.worker.tokenizers.vocabulary import CONTROL, NORMAL, UNKNOWN, Kind, Vocabulary

LARGEST = 256 << 20
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_KINDS: dict[int, Kind] = {1: "Unigram", 2: "SentencePiece BPE"}


def read_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary of a .model file. Raises EngineError."""
    data = read_bounded(path, LARGEST)
    impostor = recognise_impostor(data[:512])
    if impostor:
        raise EngineError(f"{path.name} {impostor}", str(path))
    pieces: list[str] = []
    scores: list[float] = []
    types: list[int] = []
    trainer: dict[int, Any] = {}
    rules: dict[int, Any] = {}
    try:
        for field in read_fields(data, 0, len(data)):
            if field.wire != BYTES:
                raise Malformed("a number in place of a message")
            if field.number == _PIECES:
                one = _fields(data, field.start, field.stop)
                pieces.append(one.get(1, b"").decode())
                scores.append(struct.unpack("<f", one.get(2, bytes(4)))[0])
                types.append(one.get(3, NORMAL))
            elif field.number == _TRAINER:
                trainer = _fields(data, field.start, field.stop)
            elif field.number == _NORMALIZER:
                rules = _fields(data, field.start, field.stop)
    except (Malformed, UnicodeDecodeError, struct.error, AttributeError) as error:
        raise EngineError(f"{path.name} is not a SentencePiece model", f"{path}: {error}") from None
    if not pieces:
        raise EngineError(f"{path.name} is not a SentencePiece model: it has no pieces", str(path))
    kind = _KINDS.get(trainer.get(3, 1))
    if kind is None:
        raise EngineError(
            f"{path.name} cannot be used: word and character models are not supported",
            str(path),
            "Only Unigram and BPE models are supported.",
        )
    return Vocabulary(
        kind,
        tuple(pieces),
        tuple(scores),
        tuple(types),
        bos=_token(trainer, 41, 1, types, CONTROL),
        eos=_token(trainer, 42, 2, types, CONTROL),
        unknown=_token(trainer, 40, 0, types, UNKNOWN),
        pad=_token(trainer, 43, -1, types, CONTROL),
        leading_space=bool(rules.get(3, 1)),
        squeezes_spaces=bool(rules.get(4, 1)),
        escapes_spaces=bool(rules.get(5, 1)),
        charsmap=rules.get(2, b""),
    )


def _fields(data: bytes, start: int, stop: int) -> dict[int, Any]:
    """The last value of each field: bytes, or the number of a varint."""
    return {
        field.number: field.varint if field.wire == 0 else bytes(data[field.start : field.stop])
        for field in read_fields(data, start, stop)
    }


def _token(
    trainer: dict[int, Any], number: int, default: int, types: list[int], wanted: int
) -> int | None:
    """The id that a field names; None where it is no token of that type."""
    value = trainer.get(number, default)
    value = signed(value) if value >= 0 else value
    return value if 0 <= value < len(types) and types[value] == wanted else None
