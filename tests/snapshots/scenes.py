"""Every scene that frames are taken in, by name, with the frames that it promises."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from textual.screen import Screen

from tests.snapshots.stage import Stage

Play = Callable[[Stage], Awaitable[None]]
Frames = Mapping[str, type[Screen[Any]]]
"""Name of a frame to the page or window that it shows."""


@dataclass(frozen=True)
class Scene:
    name: str
    frames: Frames
    play: Play


SCENES: dict[str, Scene] = {}


def scene(frames: Frames) -> Callable[[Play], Play]:
    """Have the function that follows take these frames."""

    def note(play: Play) -> Play:
        name: str = play.__name__
        assert name not in SCENES, f"two scenes are called {name}"
        taken = {one for other in SCENES.values() for one in other.frames} & set(frames)
        assert not taken, f"taken twice: {sorted(taken)}"
        SCENES[name] = Scene(name, frames, play)
        return play

    return note
