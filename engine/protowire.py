"""The protobuf wire format: numbered fields of a message, with where their bytes lie.

Knows no schema. Raises Malformed instead of guessing. Format: protobuf.dev, "Encoding".
"""

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_GROUP, _GROUP_END = 3, 4
_WIDTHS = {FIXED64: 8, FIXED32: 4}


class Malformed(ValueError):
    """The bytes are no protobuf message."""


class Field(NamedTuple):
    """One field; `start` and `stop` bound its content, without key and length."""

    number: int
    wire: int
    start: int
    stop: int
    varint: int
    """The value of a VARINT field, unsigned; 0 for the others."""


def read_varint(data: bytes, at: int, stop: int) -> tuple[int, int]:
    """The unsigned varint at `at` and the position after it."""
    value = shift = 0
    while at < stop and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise Malformed("cut or overlong varint")


def signed(varint: int) -> int:
    """An int64 from the unsigned value that its varint holds."""
    return varint - (1 << 64) if varint >> 63 else varint


def read_fields(data: bytes, at: int, stop: int) -> Iterator[Field]:
    """The fields of the message that lies in `data[at:stop]`, in order of writing.

    Groups, which nothing here reads, are passed over with all that is in them.
    """
    groups: list[int] = []
    while at < stop:
        key, at = read_varint(data, at, stop)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise Malformed("field number 0")
        if wire == _GROUP:
            groups.append(number)
            continue
        if wire == _GROUP_END:
            if not groups or groups.pop() != number:
                raise Malformed("end of a group that did not begin")
            continue
        value = 0
        if wire == VARINT:
            value, end = read_varint(data, at, stop)
        else:
            if wire == BYTES:
                length, at = read_varint(data, at, stop)
            elif (length := _WIDTHS.get(wire, -1)) < 0:
                raise Malformed(f"wire type {wire}")
            end = at + length
            if end > stop:
                raise Malformed("field reaches past its message")
        if not groups:
            yield Field(number, wire, at, end, value)
        at = end
    if groups:
        raise Malformed("group without an end")
