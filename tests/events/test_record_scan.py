"""Walking records: guessing how lengths repeat never changes what is found."""

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events.record_scan import masked_crc, walk
from engine.events.tfrecord import split
from tests.events.encoding import record


def plainly(data: bytes) -> tuple[list[bytes], str | None]:
    """The same, a record at a time, as the format is defined."""
    found: list[bytes] = []
    at = 0
    while len(data) - at >= 12:
        (length,) = struct.unpack_from("<Q", data, at)
        if masked_crc(data[at : at + 8]) != struct.unpack_from("<I", data, at + 8)[0]:
            return found, "damaged record length"
        if at + 16 + length > len(data):
            break
        payload = data[at + 12 : at + 12 + length]
        if masked_crc(payload) != struct.unpack_from("<I", data, at + 12 + length)[0]:
            return found, "damaged record"
        found.append(payload)
        at += 16 + length
    return found, None


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Stretches of repeating lengths, so that guesses are made, and go wrong."""
    stretches = st.tuples(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(1, 60))
    data = bytearray()
    number = 0
    for pattern, times in draw(st.lists(stretches, min_size=1, max_size=3)):
        for length in pattern * times:
            number += 1
            data += record((number.to_bytes(4, "little") * 8)[:length])
    return bytes(data)


@settings(max_examples=60, deadline=None)
@given(streams(), st.data())
def test_it_finds_what_the_format_says(data: bytes, choose: st.DataObject) -> None:
    stop = choose.draw(st.integers(0, len(data)))
    flip = choose.draw(st.integers(-1, max(stop - 1, 0)))
    damaged = bytearray(data[:stop])
    if 0 <= flip < stop:
        damaged[flip] ^= 1 << choose.draw(st.integers(0, 7))
    whole = bytes(damaged)
    records = split(whole)
    bounds = zip(records.starts.tolist(), records.lengths.tolist(), strict=True)
    expected, fault = plainly(whole)
    assert [whole[start : start + length] for start, length in bounds] == expected
    assert records.consumed == sum(len(payload) + 16 for payload in expected)
    if fault == "damaged record" or records.fault == "damaged record":
        assert fault == records.fault
    elif fault:
        assert records.fault == fault


def test_a_long_repetition_is_walked_whole() -> None:
    lengths = [7, 7, 9, 11] * 5000 + [5] + [7, 7, 9] * 3000
    data = b"".join(record(bytes([at % 251]) * length) for at, length in enumerate(lengths))
    found, fault, needed = walk(data)
    np.testing.assert_array_equal(found, lengths)
    assert (fault, needed) == (None, 0)
