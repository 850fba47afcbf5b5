"""How somebody looked at a directory: kept in the user's state folder, never beside the logs.

One small file for each directory, or for several that are looked at together, with a version.
Where a file is broken, older, newer or of another program, a fresh state is given, with a note
that says so; the file is never written over, but set aside when that state is kept.
"""

import dataclasses
import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from engine import atomic
from engine.charts.axes import Axis
from engine.jobs.store import state_folder
from engine.recipes import validation
from engine.recipes.validation import setting

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
    name = hashlib.sha256(os.fsencode(_spelled(place))).hexdigest()[:24]
    return state_folder() / "views" / f"{name}.json"


def load(place: Place) -> tuple[ViewState, str]:
    """The state of a place, and why it is a fresh one; the note is empty where all is well."""
    path = state_file(place)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return ViewState(), ""
    except OSError as error:
        return ViewState(), f"The view of last time cannot be read: {error.strerror}."
    table = _table(content)
    if table is None:
        return ViewState(), "The view of last time is damaged, so this is a fresh one."
    schema = table.get("schema")
    if schema != SCHEMA:
        age = "a newer" if isinstance(schema, int) and schema > SCHEMA else "an older"
        return ViewState(), f"The view of last time is of {age} finetop, so this is a fresh one."
    view = table.get("view")
    state = validation.from_untrusted(ViewState, view) if isinstance(view, dict) else None
    if state is not None and state.window and not _is_window(state.window):
        state = None
    if state is None or table.get("directory") != _spelled(place):
        return ViewState(), "The view of last time holds something else, so this is a fresh one."
    return state, ""


def save(place: Place, state: ViewState) -> str:
    """Keep the state; what went wrong, or nothing. Looking at logs never fails for it.

    Names that are no valid Unicode (odd bytes in a file name) are not remembered.
    """
    path = state_file(place)
    table = {
        "schema": SCHEMA,
        "directory": _spelled(place),
        "view": {name: _writable(value) for name, value in dataclasses.asdict(state).items()},
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if load(place)[1] and path.exists():
            path.replace(path.with_suffix(f".{path.stat().st_mtime_ns}.aside"))
        atomic.write_json(path, table, durable=False)
    except OSError as error:
        return f"The view cannot be kept: {error.strerror}."
    return ""


def _spelled(place: Place) -> str:
    paths = [place] if isinstance(place, Path) else place
    return "\n".join(sorted({os.path.realpath(path) for path in paths}))


def _is_window(window: list[float]) -> bool:
    return len(window) == 2 and all(map(math.isfinite, window)) and window[0] < window[1]


def _writable(value: object) -> object:
    if isinstance(value, list):
        return [one for one in value if _writable(one) == one]
    if isinstance(value, dict):
        return {key: _writable(one) for key, one in value.items() if _writable(key) == key}
    return value.encode("utf-8", "ignore").decode() if isinstance(value, str) else value


def _table(content: bytes) -> dict[str, object] | None:
    if len(content) > _LARGEST:
        return None
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
