"""A JSON or TOML file that was damaged: bytes, a value, its end, its encoding, its depth."""

from random import Random

from tests.faults import event_damage

BYTES = (
    event_damage.flip_bits, event_damage.drop_bytes, event_damage.insert_bytes,
    event_damage.repeat_bytes, event_damage.zero_bytes,
)  # fmt: skip
VALUES = ("1e999", "-1e999", "NaN", "1" + "0" * 400, str(1 << 70), "null", "true", '"5"', "[]",
          "{}", "-0", "5.0", "[" * 5000, '{"a":' * 3000, '"\\ud800"', '"\\u0000"')  # fmt: skip
"""What may stand in the place of a value."""


def damage(random: Random, data: bytes) -> bytes:
    """The file with bytes or a value changed, cut, empty, encoded otherwise, or too deep."""
    text = data.decode()
    way = random.randrange(8)
    if way < 4 and data:
        return random.choice(BYTES)(random, data, b"").data
    if way == 4:
        return data[: random.randrange(len(data) + 1)]
    if way == 5:
        return random.choice((b"", bytes(len(data)), b"[]", b"null", b"[" * 100_000, b"\xff\xfe"
                              + text.encode("utf-16-le"), b"\xef\xbb\xbf" + data))  # fmt: skip
    places = [at for at, letter in enumerate(text) if letter in ":="]
    at = random.choice(places) + 1
    stop = min((text.find(mark, at) for mark in ",\n}" if text.find(mark, at) > 0), default=at)
    return (text[:at] + " " + random.choice(VALUES) + text[stop:]).encode()
