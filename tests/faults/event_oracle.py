"""What an event file holds, read without a line of `engine`: framing by hand, protobuf's parser.

Slow and plain on purpose. The curves follow from the points by `tests.events.test_merge.model`.
"""

import math
import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import google_crc32c
import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.util import tensor_util

from tests.events.test_merge import Item, model

Point = tuple[int, float, float]
"""Step, wall time, value; to be compared by `same_key`."""
HEADER, FOOTER = 12, 4
LARGEST = (1 << 31) - 1
"""Bytes of a protobuf message: a record that claims more is none."""


@dataclass(slots=True)
class FileContent:
    """The whole records at the beginning of a file, and what ends them."""

    payloads: list[bytes] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """Where each record ends in the file."""
    is_damaged: bool = False
    """False where the file only ends within a record."""


@dataclass(slots=True)
class Curve:
    """One tag: the curve and its branches as they must be read."""

    points: list[Point]
    branches: list[tuple[int, list[Point]]]

    def counted(self) -> Counter[Point]:
        return Counter(map(same_key, self.points + [p for _, part in self.branches for p in part]))


@dataclass(slots=True)
class Truth:
    """What a directory of event files holds."""

    curves: dict[str, Curve]
    damaged: set[str]
    """Names of the files whose reading ends at damage."""
    undecoded: list[bytes]
    """Payloads with a right CRC that protobuf refuses: no truth is known of them."""


def masked(data: bytes) -> int:
    """The CRC of a TFRecord, as tensorflow/core/lib/hash/crc32c.h masks it."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes, length: int | None = None) -> bytes:
    """A record with right CRCs, whatever length it claims."""
    head = struct.pack("<Q", len(payload) if length is None else length)
    return head + struct.pack("<I", masked(head)) + payload + struct.pack("<I", masked(payload))


def read_records(data: bytes) -> FileContent:
    """Every whole record up to the first that is cut or damaged."""
    content, at = FileContent(), 0
    while len(data) - at >= HEADER:
        length, crc = struct.unpack_from("<QI", data, at)
        if masked(data[at : at + 8]) != crc or length > LARGEST:
            content.is_damaged = True
            break
        stop = at + HEADER + length
        if stop + FOOTER > len(data):
            break
        payload = data[at + HEADER : stop]
        if masked(payload) != struct.unpack_from("<I", data, stop)[0]:
            content.is_damaged = True
            break
        at = stop + FOOTER
        content.payloads.append(payload)
        content.ends.append(at)
    return content


def read_truth(files: Mapping[str, bytes]) -> Truth:
    """The curves of a directory, from the bytes of its files by name."""
    contents = {name: read_records(data) for name, data in files.items()}
    truth = Truth({}, {name for name, one in contents.items() if one.is_damaged}, [])
    ordered = sorted(contents, key=_order(list(contents)))
    decoded = [_decode(contents[name].payloads, truth.undecoded) for name in ordered]
    tags = {tag for file in decoded for tag, *_ in file if tag is not None}
    for tag in sorted(tags):
        points: list[Point] = []
        plain: list[list[Item]] = []
        for file in decoded:
            items: list[Item] = []
            for name, step, wall, value in file:
                if name is None:
                    items.append((step, None))
                elif name == tag:
                    items.append((step, len(points)))
                    points.append((step, wall, value))
            plain.append(items)
        curve, branches, _ = model(plain)
        truth.curves[tag] = Curve(
            [points[int(at)] for _, at in curve],
            [(step, [points[int(at)] for _, at in part]) for step, part in branches],
        )
    return truth


def points_of(payload: bytes, plugins: dict[str, str]) -> list[tuple[str, int, float, float]]:
    """Tag, step, wall time and value of each scalar of an event. Raises DecodeError.

    `plugins` remembers what a tag is by its first value that says so; a tensor of a tag of which
    nobody says it is a scalar.
    """
    event = Event.FromString(payload)
    scalars = []
    for value in event.summary.value:
        name = value.metadata.plugin_data.plugin_name
        if value.HasField("tensor"):
            plugin = name or plugins.get(value.tag, "scalars")
            number = _number(value.tensor) if plugin == "scalars" else None
        else:
            number = value.simple_value if value.HasField("simple_value") else None
        plugins.setdefault(value.tag, name or "scalars")
        if number is not None:
            scalars.append((value.tag, event.step, event.wall_time, number))
    return scalars


def same_key(point: Point) -> Point:
    """A key under which equal points are equal: NaN is one value here, and 0.0 is not -0.0."""
    step, wall, value = point
    return step, _bits(wall), _bits(value)


def _bits(number: float) -> float:
    if math.isnan(number):
        return 0.5  # no bits make a fraction
    return float(struct.unpack("<q", struct.pack("<d", number))[0])


def _decode(
    payloads: Sequence[bytes], undecoded: list[bytes]
) -> list[tuple[str | None, int, float, float]]:
    """The scalars of one file in order of writing; a session start has no tag."""
    scalars: list[tuple[str | None, int, float, float]] = []
    plugins: dict[str, str] = {}
    for payload in payloads:
        try:
            points = points_of(payload, plugins)
            event = Event.FromString(payload)
        except DecodeError:
            undecoded.append(payload)
            continue
        if event.session_log.status == SessionLog.START:
            scalars.append((None, event.step, 0.0, 0.0))
        scalars += points
    return scalars


def _number(tensor: Any) -> float | None:
    """The only number of a tensor."""
    assert isinstance(tensor, TensorProto)
    try:
        array = tensor_util.make_ndarray(tensor)
    except (TypeError, ValueError, KeyError):
        return None
    is_number = array.size == 1 and array.dtype.kind in "fiub"
    return float(array.astype(np.float64).item()) if is_number else None


def _order(names: list[str]) -> Any:
    """Order of attempts: by their number where every file has one, else by the time in the name."""
    attempts = {name: re.search(r"tfevents\.\d+\..+\.\d+\.0\.(\d+)$", name) for name in names}
    if all(attempts.values()):
        return lambda name: int(attempts[name][1])  # type: ignore[index]
    return lambda name: int(re.search(r"tfevents\.(\d+)", name)[1])  # type: ignore[index]
