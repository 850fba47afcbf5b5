"""Ways to damage an event file: from flipped bits to well-formed records that no writer writes.

Each takes the random numbers, the file's bytes and a second file, and returns the damaged bytes
with the first byte that is no longer the honest file's. Reads nothing back.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.events.encoding import bytes_field, double_field, number_field, simple, varint
from tests.faults.event_oracle import FOOTER, HEADER, frame, read_records

WALL = 1_700_000_500.0
FLOATS = (b"\x00\x00\xc0\x7f", b"\x01\x00\x80\x7f", b"\xff\xff\xff\xff", b"\x00\x00\x80\xff",
          b"\x00\x00\x00\x80", b"\x01\x00\x00\x00", b"\xff\xff\x7f\x7f")  # fmt: skip
"""NaN, signalling NaN, negative NaN, -infinity, -0.0, the smallest and the largest number."""
HEADS = (
    b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"version https://git-lfs.github.com/spec/v1\n",
    b"\x00\x05\x16\x07", b"step,loss\n1,2.5\n", bytes(4096), b"<html>", b"\xef\xbb\xbf",
)  # fmt: skip
"""What other files begin with."""


@dataclass(frozen=True, slots=True)
class Damaged:
    data: bytes
    first: int
    """The first byte that is not as it was: records that end before it are whole."""


Damage = Callable[[Random, bytes, bytes], Damaged]


@dataclass(frozen=True, slots=True)
class _Parts:
    """A file as its records, to put together otherwise."""

    payloads: list[bytes]
    starts: list[int]

    @staticmethod
    def of(data: bytes) -> "_Parts":
        content = read_records(data)
        return _Parts(list(content.payloads), [0, *content.ends])

    def with_payload(self, data: bytes, at: int, record: bytes) -> Damaged:
        """The file with another record in the place of one."""
        start, stop = self.starts[at], self.starts[at + 1]
        return Damaged(data[:start] + record + data[stop:], start)


def flip_bits(random: Random, data: bytes, _: bytes) -> Damaged:
    changed, places = bytearray(data), []
    for _bit in range(random.choice((1, 1, 1, 2, 8))):
        places.append(random.randrange(len(data)))
        changed[places[-1]] ^= 1 << random.randrange(8)
    return Damaged(bytes(changed), min(places))


def drop_bytes(random: Random, data: bytes, _: bytes) -> Damaged:
    start, stop = _run(random, data)
    return Damaged(data[:start] + data[stop:], start)


def insert_bytes(random: Random, data: bytes, _: bytes) -> Damaged:
    start, stop = _run(random, data)
    return Damaged(data[:start] + random.randbytes(stop - start) + data[start:], start)


def repeat_bytes(random: Random, data: bytes, _: bytes) -> Damaged:
    start, stop = _run(random, data)
    return Damaged(data[:stop] + data[start:stop] + data[stop:], stop)


def zero_bytes(random: Random, data: bytes, _: bytes) -> Damaged:
    start, stop = _run(random, data)
    return Damaged(data[:start] + bytes(stop - start) + data[stop:], start)


def cut_file(random: Random, data: bytes, _: bytes) -> Damaged:
    """Cut at a record's end, in each part of a record, or at the very start."""
    parts = _Parts.of(data)
    start, length = _pick(random, parts)
    place = random.choice(
        (0, 1, 8, HEADER - 1, HEADER, HEADER + length // 2, HEADER + length,
         HEADER + length + FOOTER - 1)
    )  # fmt: skip
    place = 0 if random.random() < 0.03 else start + place
    return Damaged(data[:place], place)


def append_garbage(random: Random, data: bytes, _: bytes) -> Damaged:
    return Damaged(data + random.choice((random.randbytes(40), *HEADS)), len(data))


def begin_otherwise(random: Random, data: bytes, _: bytes) -> Damaged:
    """Another file's first bytes, before or over the honest ones."""
    head = random.choice(HEADS)
    return Damaged(head + (data if random.random() < 0.5 else data[len(head) :]), 0)


def swap_records(random: Random, data: bytes, _: bytes) -> Damaged:
    parts = _Parts.of(data)
    one = random.randrange(len(parts.payloads) - 1)
    near = min(one + 3, len(parts.payloads) - 1)
    other = random.choice((one + 1, random.randint(one + 1, near)))
    payloads = list(parts.payloads)
    payloads[one], payloads[other] = payloads[other], payloads[one]
    return Damaged(b"".join(map(frame, payloads)), parts.starts[one])


def repeat_record(random: Random, data: bytes, _: bytes) -> Damaged:
    parts = _Parts.of(data)
    at = random.randrange(len(parts.payloads))
    to = random.choice((at + 1, random.randint(at + 1, len(parts.payloads))))
    start = parts.starts[to]
    return Damaged(data[:start] + frame(parts.payloads[at]) * random.randint(1, 3) + data[start:],
                   start)  # fmt: skip


def drop_record(random: Random, data: bytes, _: bytes) -> Damaged:
    parts = _Parts.of(data)
    start = random.randrange(len(parts.payloads))
    stop = min(start + random.choice((1, 1, 2, 10)), len(parts.payloads))
    return Damaged(data[: parts.starts[start]] + data[parts.starts[stop] :], parts.starts[start])


def forge_length(random: Random, data: bytes, _: bytes) -> Damaged:
    """A record whose length lies, mostly with the right CRC of that length."""
    parts = _Parts.of(data)
    at = random.randrange(len(parts.payloads))
    length = len(parts.payloads[at])
    lie = random.choice((
        0, max(0, length - 1), length + 1, length + 1000, length * 2, 1 << 20, 1 << 31,
        1 << 40, 1 << 63, (1 << 64) - 1,
    ))  # fmt: skip
    record = bytearray(frame(parts.payloads[at], lie))
    if random.random() < 0.25:
        record[8 + random.randrange(4)] ^= 0x10
    return parts.with_payload(data, at, bytes(record))


def flip_with_right_crc(random: Random, data: bytes, _: bytes) -> Damaged:
    """A record that is changed and has the CRC of what it is now: it is what is written."""
    parts = _Parts.of(data)
    at = random.randrange(len(parts.payloads))
    payload = bytearray(parts.payloads[at])
    for _bit in range(random.choice((1, 1, 2, 5))):
        payload[random.randrange(len(payload))] ^= 1 << random.randrange(8)
    return parts.with_payload(data, at, frame(bytes(payload)))


def splice_with_right_crc(random: Random, data: bytes, _: bytes) -> Damaged:
    """A payload with bytes dropped, inserted, repeated or zeroed, and the CRC of that."""
    parts = _Parts.of(data)
    at = random.randrange(len(parts.payloads))
    damage = random.choice((drop_bytes, insert_bytes, repeat_bytes, zero_bytes))
    return parts.with_payload(data, at, frame(damage(random, parts.payloads[at], b"").data))


def stretch_varints(random: Random, data: bytes, _: bytes) -> Damaged:
    """Numbers, keys or lengths written with more bytes than they need, up to too many."""
    width = random.choice((2, 5, 9, 10, 10, 11, 20))

    def stretched(number: int) -> bytes:
        plain = varint(number)
        if len(plain) >= width:
            return plain
        return plain[:-1] + bytes([plain[-1] | 0x80]) + b"\x80" * (width - len(plain) - 1) + b"\0"

    step = random.choice((0, 7, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1))
    value = bytes_field(1, b"stretched") + b"\x15" + struct.pack("<f", 2.5)
    summary = b"\x0a" + (stretched(len(value)) if random.random() < 0.4 else varint(len(value)))
    key = stretched(2 << 3) if random.random() < 0.4 else number_field(2, 0)[:1]
    payload = double_field(1, WALL) + key + stretched(step) + bytes_field(5, summary + value)
    return _insert(random, data, payload, random.choice((1, 1, 12)))


def write_odd_numbers(random: Random, data: bytes, _: bytes) -> Damaged:
    """NaN of every make, infinities, -0.0, as value or as wall time."""
    number = random.choice(FLOATS)
    value = bytes_field(1, random.choice((b"odd", b"train/loss"))) + b"\x15" + number
    wall = random.choice((struct.pack("<d", WALL), b"\x01" + bytes(5) + b"\xf0\x7f", b"\xff" * 8))
    step = random.choice((random.randrange(60), (1 << 63) - 1, 1 << 63))
    payload = b"\x09" + wall + number_field(2, step) + bytes_field(5, bytes_field(1, value))
    return _insert(random, data, payload, random.choice((1, 12)))


def write_many(random: Random, data: bytes, _: bytes) -> Damaged:
    """Counts that are huge, or are said to be: values, strings, dimensions, packed numbers."""
    body = random.choice((
        b"".join(bytes_field(1, simple(f"many/{n % 50}", n)) for n in range(20_000)),
        bytes_field(1, bytes_field(1, b"t") + bytes_field(8, number_field(1, 7)
                    + bytes_field(8, b"x") * 60_000)
                    + bytes_field(9, bytes_field(1, bytes_field(1, b"text")))),
        bytes_field(1, bytes_field(1, b"t") + bytes_field(8, number_field(1, 1)
                    + bytes_field(2, bytes_field(2, number_field(1, 1 << 62)) * 8)
                    + bytes_field(5, struct.pack("<f", 1.0)))),
        bytes_field(1, bytes_field(1, b"t") + bytes_field(8, number_field(1, 1)
                    + bytes_field(5, bytes(400_000)))),
        bytes_field(1, bytes_field(1, b"t") + bytes_field(8, number_field(1, 1)
                    + b"\x2a" + varint(1 << 31) + bytes(8))),
        bytes_field(1, bytes_field(1, b"long tag " * 50_000) + b"\x15" + bytes(4)),
    ))  # fmt: skip
    payload = double_field(1, WALL) + number_field(2, 5) + bytes_field(5, body)
    return _insert(random, data, payload, 1)


def nest_deeply(random: Random, data: bytes, _: bytes) -> Damaged:
    """Messages in messages, groups in groups, far deeper than any reader's stack."""
    deep = bytes_field(3, b"x")
    for _level in range(random.choice((50, 2000))):
        deep = bytes_field(6, bytes_field(1, deep))
    groups = b"\xa3\x06" * 4000 + b"\xa4\x06" * 4000
    entry = bytes_field(1, bytes_field(1, b"deep") + bytes_field(2, deep))
    plugin = bytes_field(1, b"hparams") + bytes_field(2, bytes_field(3, entry))
    value = bytes_field(1, b"_hparams_/session_start_info") + bytes_field(9, bytes_field(1, plugin))
    body = random.choice((
        bytes_field(5, bytes_field(1, value)),
        bytes_field(5, bytes_field(1, simple("grouped", 1.5) + b"\xa3\x06\xa4\x06")),
        bytes_field(5, bytes_field(1, simple("grouped", 1.5))) + b"\xa3\x06\x08\x05\xa4\x06",
        bytes_field(5, bytes_field(1, simple("unclosed", 1.5))) + b"\xa3\x06",
        groups,
    ))  # fmt: skip
    return _insert(random, data, double_field(1, WALL) + number_field(2, 5) + body, 1)


def repeat_fields(random: Random, data: bytes, _: bytes) -> Damaged:
    """Fields twice, in another order, unknown, or of another wire type: what protobuf allows."""
    value = simple("fields", 2.5)
    parts = [
        double_field(1, WALL), number_field(2, 9), bytes_field(5, bytes_field(1, value)),
    ]  # fmt: skip
    parts += random.choice((
        [number_field(2, 11)],
        [double_field(1, WALL + 5)],
        [bytes_field(5, bytes_field(1, simple("second", 4.5)))],
        [number_field(1000, 7), bytes_field(1001, b"unknown")],
        [number_field(1, 7)],
        [bytes_field(2, b"\x07")],
        [bytes_field(5, bytes_field(1, simple("a", 1.0) + simple("b", 2.0)))],
    ))  # fmt: skip
    random.shuffle(parts)
    return _insert(random, data, b"".join(parts), random.choice((1, 12)))


def join_files(random: Random, data: bytes, other: bytes) -> Damaged:
    """Two files in one, one of them perhaps cut."""
    second = other if random.random() < 0.7 else other[: random.randrange(len(other))]
    return Damaged(data + second, len(data))


def hide_a_file(random: Random, data: bytes, other: bytes) -> Damaged:
    """A whole event file as the text of a record that is cut, or not."""
    text = number_field(1, 7) + bytes_field(8, (other * 3)[: random.randrange(2000, 12_000)])
    value = bytes_field(1, b"notes") + bytes_field(8, text)
    value += bytes_field(9, bytes_field(1, bytes_field(1, b"text")))
    payload = double_field(1, WALL) + number_field(2, 5) + bytes_field(5, bytes_field(1, value))
    record = frame(payload)
    if random.random() < 0.5:
        record = record[: -random.randint(1, 60)]
    return Damaged(data + record, len(data))


DAMAGES: dict[str, Damage] = {
    "bits flipped": flip_bits,
    "bytes dropped": drop_bytes,
    "bytes inserted": insert_bytes,
    "bytes repeated": repeat_bytes,
    "bytes zeroed": zero_bytes,
    "cut": cut_file,
    "garbage appended": append_garbage,
    "another file's beginning": begin_otherwise,
    "records swapped": swap_records,
    "records repeated": repeat_record,
    "records dropped": drop_record,
    "length forged": forge_length,
    "bits flipped, CRC right": flip_with_right_crc,
    "bytes spliced, CRC right": splice_with_right_crc,
    "varints too long": stretch_varints,
    "NaN and other odd numbers": write_odd_numbers,
    "huge counts": write_many,
    "nested deeply": nest_deeply,
    "fields repeated": repeat_fields,
    "two files in one": join_files,
    "a file within a record": hide_a_file,
}


def _run(random: Random, data: bytes) -> tuple[int, int]:
    """A stretch of bytes: a few, a record's worth, or a disk's block."""
    start = random.randrange(len(data))
    return start, min(len(data), start + random.choice((1, 2, 4, 8, 60, 512, 4096)))


def _pick(random: Random, parts: _Parts) -> tuple[int, int]:
    """Start and payload length of a record."""
    at = random.randrange(len(parts.payloads))
    return parts.starts[at], len(parts.payloads[at])


def _insert(random: Random, data: bytes, payload: bytes, times: int) -> Damaged:
    """The file with a record between two of its own; several where readers take them together."""
    parts = _Parts.of(data)
    at = parts.starts[random.randrange(1, len(parts.starts))]
    return Damaged(data[:at] + frame(payload) * times + data[at:], at)
