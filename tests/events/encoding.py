"""Event files written by hand, a field at a time: what other writers do and no library writes."""

import struct
from pathlib import Path

from engine.events.record_scan import masked_crc


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def number_field(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number)


def bytes_field(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def float_field(field: int, number: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", number)


def double_field(field: int, number: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", number)


def simple(tag: str, number: float) -> bytes:
    """A summary value as torch and TF1 write it."""
    return bytes_field(1, tag.encode()) + float_field(2, number)


def metadata(plugin: str) -> bytes:
    return bytes_field(9, bytes_field(1, bytes_field(1, plugin.encode())))


def tensor(tag: str, content: bytes, plugin: str | None = "scalars") -> bytes:
    """A summary value as TF2 writes it; `content` holds the fields of the TensorProto."""
    value = bytes_field(1, tag.encode()) + bytes_field(8, content)
    return value + (metadata(plugin) if plugin else b"")


def event(wall: float, step: int | None, *values: bytes) -> bytes:
    """An Event with one summary of `values`; no step field where `step` is None."""
    head = double_field(1, wall) + (b"" if step is None else number_field(2, step))
    summary = b"".join(bytes_field(1, value) for value in values)
    return head + (bytes_field(5, summary) if values else b"")


def version(wall: float) -> bytes:
    return double_field(1, wall) + bytes_field(3, b"brain.Event:2")


def session_start(wall: float, step: int) -> bytes:
    return double_field(1, wall) + number_field(2, step) + bytes_field(7, number_field(1, 1))


def record(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    sums = (struct.pack("<I", masked_crc(part)) for part in (length, payload))
    return length + next(sums) + payload + next(sums)


def event_file(
    folder: Path, *payloads: bytes, time: int = 1_700_000_000, rest: str = "host.1.0"
) -> Path:
    """A file of these events in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{time}.{rest}"
    path.write_bytes(b"".join(record(payload) for payload in payloads))
    return path
