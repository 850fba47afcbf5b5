"""The colour and the marker of a run, derived from its name, so that both are stable."""

import zlib
from collections.abc import Sequence

MARKS = ("circle", "square", "diamond", "triangle", "cross", "plus")
"""Marker shapes that distinguish curves without colour."""


def identities(names: Sequence[str], colours: int) -> list[tuple[int, int]]:
    """Colour and mark for each name, both as positions.

    The colour comes from the letters of the name alone. So does the mark, but where a name shown
    with it has the same, the later in order of name takes the next one that is used least: up to
    six curves differ in their marker, more in marker and colour. The order does not matter.
    """
    found: dict[str, tuple[int, int]] = {}
    for name in sorted(set(names)):
        number = zlib.crc32(name.encode("utf-8", "surrogatepass"))
        colour, preferred = number % colours, number // colours % len(MARKS)
        turn = [(preferred + away) % len(MARKS) for away in range(len(MARKS))]
        shown = list(found.values())
        mark = min(turn, key=lambda one: (sum(one == mark for _, mark in shown),
                                          (colour, one) in shown))  # fmt: skip
        found[name] = colour, mark
    return [found[name] for name in names]
