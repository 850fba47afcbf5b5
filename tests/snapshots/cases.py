"""Every case that frames are taken in, by name, with the frames that it promises."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from textual.screen import Screen

from tests.snapshots.recorder import Recorder

Script = Callable[[Recorder], Awaitable[None]]
Frames = Mapping[str, type[Screen[Any]]]
"""Name of a frame to the page or window that it shows."""


@dataclass(frozen=True)
class Case:
    name: str
    frames: Frames
    script: Script


CASES: dict[str, Case] = {}


def case(frames: Frames) -> Callable[[Script], Script]:
    """Have the function that follows take these frames."""

    def note(script: Script) -> Script:
        name: str = script.__name__
        assert name not in CASES, f"two cases are called {name}"
        taken = {one for other in CASES.values() for one in other.frames} & set(frames)
        assert not taken, f"taken twice: {sorted(taken)}"
        CASES[name] = Case(name, frames, script)
        return script

    return note
