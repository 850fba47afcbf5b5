"""Where each record of a stretch of bytes begins and ends, by the checked headers alone.

A chain must be walked a record at a time; but a training loop writes the same few tags again and
again, so the lengths repeat. The repetition is guessed, and thousands of headers are compared with
the guess at once. A guess is never trusted: each header must be the one that is known to be right
for its length.
"""

import struct

import google_crc32c
import numpy as np
import numpy.typing as npt

HEADER = 12
FOOTER = 4
MASK_DELTA = 0xA282EAD8
LARGEST = (1 << 31) - 1
"""Bytes of a payload: protobuf has no larger message, so that a longer one is damage."""
_LENGTH = struct.Struct("<Q")
_LEARN = 64  # records walked one by one before a guess
_LONGEST_PERIOD = _LEARN // 2
_FIRST_GUESS = 256
_WORTH = 1 << 12  # with fewer bytes left, walking on costs less than a guess

Lengths = npt.NDArray[np.int64]


def masked_crc(data: bytes) -> int:
    """The CRC-32C of `data`, rotated and shifted as TFRecord stores it."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + MASK_DELTA) & 0xFFFFFFFF


def walk(data: bytes) -> tuple[Lengths, str | None, int]:
    """Payload lengths of the whole records at the beginning of `data`.

    With what is wrong with the next header (None: nothing), and how many bytes the next record
    takes (0: not known). Payloads are not looked at.
    """
    headers: dict[bytes, int] = {}  # the few different headers of a file, verified once each
    lengths: list[int] = []
    parts: list[Lengths] = []
    size, at, limit = len(data), 0, _FIRST_GUESS
    while True:
        for _ in range(_LEARN):
            header = data[at : at + HEADER]
            length = headers.get(header)
            if length is None:
                if len(header) < HEADER:
                    return _joined(parts, lengths), None, 0
                if masked_crc(header[:8]) != int.from_bytes(header[8:], "little"):
                    return _joined(parts, lengths), "damaged record length", 0
                length = _LENGTH.unpack_from(header)[0]
                if length > LARGEST:
                    return _joined(parts, lengths), "damaged record length", 0
                headers[header] = length
            after = at + HEADER + length + FOOTER
            if after > size:
                return _joined(parts, lengths), None, HEADER + length + FOOTER
            lengths.append(length)
            at = after
        if size - at < _WORTH:
            continue
        pattern, times = _repetition(lengths[-_LEARN:], size - at, limit)
        guess = np.tile(np.array(pattern, dtype=np.int64), times)
        good = _agreeing(data, at, guess, _words(headers, pattern, times))
        limit = limit * 8 if good == len(guess) else _FIRST_GUESS
        if good:
            parts += [np.array(lengths, dtype=np.int64), guess[:good]]
            lengths = []
            at += int((guess[:good] + HEADER + FOOTER).sum())


def _joined(parts: list[Lengths], rest: list[int]) -> Lengths:
    return np.concatenate([*parts, np.array(rest, dtype=np.int64)])


def _repetition(recent: list[int], room: int, limit: int) -> tuple[list[int], int]:
    """The pattern in which lengths repeat, and how often it may come in `room` bytes."""
    for period in range(1, _LONGEST_PERIOD + 1):
        if recent[period:] == recent[:-period]:
            pattern = recent[-period:]
            whole = room // (sum(pattern) + period * (HEADER + FOOTER))
            return pattern, min(whole, -(-limit // period))
    return [], 0


def _words(headers: dict[bytes, int], pattern: list[int], times: int) -> npt.NDArray[np.uint32]:
    """The headers that the guessed records must have: three 32-bit words each."""
    by_length = {length: header for header, length in headers.items()}
    known = b"".join(by_length[length] for length in pattern)
    return np.tile(np.frombuffer(known, "<u4").reshape(-1, 3), (times, 1))


def _agreeing(data: bytes, at: int, guess: Lengths, words: npt.NDArray[np.uint32]) -> int:
    """How many of the guessed records, from the first on, have the header of their length."""
    if not len(guess):
        return 0
    whole = guess + HEADER + FOOTER
    heads = at + np.cumsum(whole) - whole
    four_bytes = np.ndarray((len(data) - 3,), "<u4", data, strides=(1,))
    stored = np.stack([four_bytes[heads + 4 * place] for place in range(3)], axis=1)
    wrong = np.flatnonzero((stored != words).any(axis=1))
    return int(wrong[0]) if wrong.size else len(guess)
