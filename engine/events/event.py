"""One TensorBoard Event: its time, its step, and what its summary holds.

The plain decoder, a field at a time, for every encoding writers use. It also returns where the
numbers of an event are, so that `scalars` can read thousands like it at once.

Schemas: tensorflow/core/util/event.proto, framework/{summary,tensor,types}.proto.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from engine.protowire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    Malformed,
    read_fields,
    read_varint,
    signed,
)

SCALARS = "scalars"
_START = 1  # SessionLog.START
_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")

# TensorProto: dtype -> how tensor_content is packed. 14 is bfloat16: the upper half of a float.
_CONTENT = {
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "|u1",
    5: "<i2",
    6: "|i1",
    9: "<i8",
    10: "|b1",
    14: "<u2",
    17: "<u2",
    19: "<f2",
    22: "<u4",
    23: "<u8",
}
_BFLOAT16, _HALF = 14, 19
# TensorProto: field -> wire type of one element, for the typed `*_val` lists.
_TYPED = {
    5: FIXED32,
    6: FIXED64,
    7: VARINT,
    10: VARINT,
    11: VARINT,
    13: VARINT,
    16: VARINT,
    17: VARINT,
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a floating-point number lies: byte position and width (4 or 8)."""

    at: int
    width: int


@dataclass(slots=True)
class Value:
    """One value of a summary."""

    tag: str = ""
    number: float | None = None
    """The scalar; None where the value is of another kind."""
    plugin: str | None = None
    kind: str = ""
    """What else it is: image, histogram, audio, tensor."""
    spot: Spot | None = None
    tensor: Field | None = None
    """Where its tensor lies."""
    content: Field | None = None
    """Where the plugin's own data lies."""


@dataclass(slots=True)
class Event:
    """One decoded event."""

    wall_time: float = 0.0
    step: int = 0
    values: list[Value] = field(default_factory=list)
    kind: str = ""
    """What it holds beside values: version, graph, session, …"""
    starts_session: bool = False
    wall_at: int = -1
    step_at: tuple[int, int] | None = None
    regular: bool = True
    """No field came twice, so that positions tell all."""


_OTHER_EVENTS = {3: "version", 4: "graph", 6: "log", 8: "run metadata", 9: "graph"}
_OTHER_VALUES = {3: "histogram", 4: "image", 5: "histogram", 6: "audio"}


def read_event(data: bytes, start: int, stop: int) -> Event:
    """The event in `data[start:stop]`. Raises Malformed."""
    event = Event()
    summaries = 0
    for item in read_fields(data, start, stop):
        if item.number == 1 and item.wire == FIXED64:
            event.regular &= event.wall_at < 0
            event.wall_at = item.start
            (event.wall_time,) = _DOUBLE.unpack_from(data, item.start)
        elif item.number == 2 and item.wire == VARINT:
            event.regular &= event.step_at is None
            event.step_at = (item.start, item.stop)
            event.step = signed(item.varint)
        elif item.number == 5 and item.wire == BYTES:
            summaries += 1
            for inner in read_fields(data, item.start, item.stop):
                if inner.number == 1 and inner.wire == BYTES:
                    event.values.append(_read_value(data, inner))
        elif item.number == 7 and item.wire == BYTES:
            event.kind = "session"
            event.starts_session = _starts_session(data, item)
        elif item.number in _OTHER_EVENTS:
            event.kind = _OTHER_EVENTS[item.number]
    event.regular &= summaries <= 1
    return event


def _starts_session(data: bytes, log: Field) -> bool:
    status = 0
    for item in read_fields(data, log.start, log.stop):
        if item.number == 1 and item.wire == VARINT:
            status = item.varint
    return status == _START


def _read_value(data: bytes, bounds: Field) -> Value:
    value = Value()
    holders = 0
    for item in read_fields(data, bounds.start, bounds.stop):
        if item.number == 1 and item.wire == BYTES:
            value.tag = data[item.start : item.stop].decode("utf-8", "backslashreplace")
        elif item.number == 2 and item.wire == FIXED32:
            holders += 1
            (value.number,) = _FLOAT.unpack_from(data, item.start)
            value.spot = Spot(item.start, 4)
        elif item.number == 8 and item.wire == BYTES:
            holders += 1
            value.kind, value.tensor = "tensor", item
            value.number, value.spot = _read_tensor(data, item)
        elif item.number == 9 and item.wire == BYTES:
            _read_plugin(data, item, value)
        elif item.number in _OTHER_VALUES:
            holders += 1
            value.kind = _OTHER_VALUES[item.number]
            value.number = None
    if holders > 1:
        value.spot = None
    return value


def _read_plugin(data: bytes, metadata: Field, value: Value) -> None:
    for item in read_fields(data, metadata.start, metadata.stop):
        if item.number == 1 and item.wire == BYTES:
            for inner in read_fields(data, item.start, item.stop):
                if inner.number == 1 and inner.wire == BYTES:
                    name = data[inner.start : inner.stop]
                    value.plugin = name.decode("utf-8", "backslashreplace")
                elif inner.number == 2 and inner.wire == BYTES:
                    value.content = inner


def _read_tensor(data: bytes, bounds: Field) -> tuple[float | None, Spot | None]:
    """The only element of a numeric tensor, and where it lies if it is a plain float or double."""
    dtype, is_single = 0, True
    content: Field | None = None
    typed: list[tuple[int, int, int]] = []  # wire type, start, stop of each element
    for item in read_fields(data, bounds.start, bounds.stop):
        if item.number == 1 and item.wire == VARINT:
            dtype = item.varint
        elif item.number == 2 and item.wire == BYTES:
            is_single = _is_single(data, item)
        elif item.number == 4 and item.wire == BYTES:
            content = item
        elif (wire := _TYPED.get(item.number)) is not None:
            if item.wire == wire:
                typed.append((wire, item.start, item.stop))
            elif item.wire == BYTES:
                typed += _unpack(data, wire, item)
        if len(typed) > 1:
            return None, None
    packed = _CONTENT.get(dtype)
    if packed is None or not is_single:  # one number may stand for a whole tensor of it
        return None, None
    if content is not None and content.stop > content.start:
        return _read_content(data, content, dtype, packed)
    if not typed:
        return None, None
    wire, start, stop = typed[0]
    if wire == FIXED32:
        return _FLOAT.unpack_from(data, start)[0], Spot(start, 4)
    if wire == FIXED64:
        return _DOUBLE.unpack_from(data, start)[0], Spot(start, 8)
    number, _ = read_varint(data, start, stop)
    if dtype in (_HALF, _BFLOAT16):
        return _float_of_bits(number & 0xFFFF, dtype), None
    return float(number if dtype == 23 else signed(number)), None


def _is_single(data: bytes, shape: Field) -> bool:
    """Whether a TensorShapeProto is that of one element: no dimension, or each of size 1."""
    for dimension in read_fields(data, shape.start, shape.stop):
        if dimension.number == 2 and dimension.wire == BYTES:
            extents = read_fields(data, dimension.start, dimension.stop)
            if [item.varint for item in extents if item.number == 1] != [1]:
                return False
    return True


def _unpack(data: bytes, wire: int, item: Field) -> list[tuple[int, int, int]]:
    """Start and stop of the first two elements of a packed list; more than one is no scalar."""
    spans: list[tuple[int, int, int]] = []
    at = item.start
    while at < item.stop and len(spans) < 2:
        if wire == VARINT:
            _, end = read_varint(data, at, item.stop)
        else:
            end = at + (4 if wire == FIXED32 else 8)
            if end > item.stop:
                raise Malformed("cut element of a packed list")
        spans.append((wire, at, end))
        at = end
    return spans


def _read_content(
    data: bytes, content: Field, dtype: int, packed: str
) -> tuple[float | None, Spot | None]:
    kind = np.dtype(packed)
    if content.stop - content.start != kind.itemsize:
        return None, None
    if dtype in (1, 2):
        layout = _FLOAT if dtype == 1 else _DOUBLE
        return layout.unpack_from(data, content.start)[0], Spot(content.start, kind.itemsize)
    (number,) = np.frombuffer(data, kind, 1, content.start)
    return (_float_of_bits(int(number), dtype) if dtype == _BFLOAT16 else float(number)), None


def _float_of_bits(bits: int, dtype: int) -> float:
    if dtype == _BFLOAT16:
        return float(np.array([bits << 16], np.uint32).view(np.float32)[0])
    return float(np.array([bits], np.uint16).view(np.float16)[0])
