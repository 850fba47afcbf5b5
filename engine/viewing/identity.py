"""Which colour and which mark a run has: by its name, so that both stay from day to day."""

import zlib
from collections.abc import Sequence

MARKS = ("circle", "square", "diamond", "triangle", "cross", "plus")
"""Shapes that tell curves apart without colour."""


def identities(names: Sequence[str], colours: int) -> list[tuple[int, int]]:
    """Colour and mark for each name, both as positions; of names shown together none are alike.

    A name's own place comes from its letters alone. Where two names have the same, the later in
    order of name takes the next free one, so the order of `names` does not matter.
    """
    places: dict[str, int] = {}
    taken: set[int] = set()
    room = colours * len(MARKS)
    for name in sorted(set(names)):
        place = zlib.crc32(name.encode("utf-8", "surrogatepass")) % room
        while place in taken and len(taken) < room:
            place = (place + 1) % room
        taken.add(place)
        places[name] = place
    return [(places[name] % colours, places[name] // colours) for name in names]
