"""How somebody looked at a directory: kept in the user's state folder, never beside the logs.

One small file for each directory, or for several that are looked at together, with a version.
Where a file is broken, older, newer or of another program, a fresh state is given, with a note
that says so; the file is never written over, but set aside when that state is kept.
"""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from engine import state_files
from engine.charts.axes import Axis
from engine.recipes.validation import setting
from engine.state_files import StateFile, UnusableState, decode_record, encode_record

Place = Path | tuple[Path, ...]
"""A directory, or several that are looked at together, in whatever order."""
SCHEMA = 2
_LARGEST = 1 << 23


@dataclass(frozen=True, slots=True)
class ViewState:
    """All that is remembered of a view; names are of runs and tags as they are on disk."""

    tag_filter: str = ""
    axis: str = setting(Axis.STEP.value, choices=tuple(Axis))
    smoothing: float = setting(0.6, ge=0.0, le=0.999)
    """Weight of the moving average; 0 is none."""
    log_scale: list[str] = field(default_factory=list)
    """Tags drawn on a logarithmic scale."""
    rows: int = setting(0, ge=0, le=9)
    """Of charts; 0 is as many as there is room for. So with columns."""
    columns: int = setting(0, ge=0, le=9)
    window: list[float] = field(default_factory=list)
    """The part of x that is drawn, from and to, in the axis' unit; empty for all of it."""
    selected: list[str] = field(default_factory=list)
    """Runs whose curves are drawn beside the watched one's."""
    pinned_tags: list[str] = field(default_factory=list)
    """Tags that come before the others, in this order."""
    branches: bool = False
    """Whether abandoned branches are drawn."""
    sort_by: str = "name"
    """What runs are listed by: name, step, changed, or `last:TAG`, `best:TAG`, `smoothed:TAG`."""
    descending: bool = False
    run_filter: str = ""
    """Which runs are listed."""
    group_by: str = ""
    """The setting whose values runs are grouped by; empty: they are not."""
    pinned_runs: list[str] = field(default_factory=list)
    """Runs that are listed before the others, and always drawn."""
    notes: dict[str, dict[str, str | bool | list[str]]] = field(default_factory=dict)
    """What the user says of runs, as `engine.jobs.summary.UserNotes` has it."""


def state_file(place: Place) -> Path:
    """Where the state of a place is kept."""
    return state_files.file_of("views", _spelled(place))


def load(place: Place) -> tuple[ViewState, str]:
    """The state of a place, and why it is a fresh one; the note is empty where all is well."""
    state, note = _file(place).load()
    return state or ViewState(), note


def save(place: Place, state: ViewState) -> str:
    """Keep the state; what went wrong, or nothing. Looking at logs never fails for it."""
    try:
        _file(place).save(state)
    except OSError as error:
        return f"The view cannot be saved: {error.strerror}."
    return ""


def _file(place: Place) -> StateFile[ViewState]:
    directory = _spelled(place)

    def decode(content: bytes) -> ViewState:
        state = decode_record(content, ViewState, SCHEMA, "view", directory=directory)
        if state.window and not _is_window(state.window):
            raise UnusableState("has an unknown format")
        return state

    def encode(state: ViewState) -> bytes:
        return encode_record(state, SCHEMA, "view", directory=directory)

    return StateFile(state_file(place), "view", decode, encode, largest=_LARGEST, set_aside=True)


def _spelled(place: Place) -> str:
    paths = [place] if isinstance(place, Path) else place
    return "\n".join(sorted({os.path.realpath(path) for path in paths}))


def _is_window(window: list[float]) -> bool:
    return len(window) == 2 and all(map(math.isfinite, window)) and window[0] < window[1]
