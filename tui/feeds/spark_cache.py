"""Curves in small, remembered between two starts, so that a list of old runs is there at once.

A run whose event files did not change since is not read again, and numpy is not loaded for it.
The file is a cache: one that is missing, broken or of another version is as good as none.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.state_files import StateFile, UnusableState, decode_table
from tui.snapshots import Spark

VERSION = 7

Sparks = Mapping[str, Spark | None]
Stamp = list[list[Any]]
Runs = dict[str, dict[str, Any]]
_LARGEST = 1 << 26
"""Bytes of the file: more than ten thousand runs."""


class SparkCache:
    """What was seen of the events of each run. Owned by the feed's thread."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, "curves", _decode, _encode, largest=_LARGEST)
        self._runs = self._file.load()[0] or {}
        self._changed = False

    def get(self, events: Path) -> Sparks | None:
        """The curves of an events folder; None where it changed, or was never seen."""
        known = self._runs.get(str(events))
        if known is None or known["stamp"] != _stamp(events):
            return None
        return {
            name: Spark(tuple(one[0]), *one[1:]) if one else None
            for name, one in known["sparks"].items()
        }

    def put(self, events: Path, sparks: Sparks) -> None:
        """Remember curves that were read to the end of the files."""
        self._runs[str(events)] = {
            "stamp": _stamp(events),
            "sparks": {
                name: [list(one.values), one.last, one.best, one.smoothed, one.odd] if one else None
                for name, one in sparks.items()
            },
        }
        self._changed = True

    def save(self) -> None:
        """Write what is new; runs that are gone are forgotten."""
        if not self._changed:
            return
        self._changed = False
        with suppress(OSError):  # a read-only home costs the next start some time, and nothing else
            self._file.save({path: run for path, run in self._runs.items() if os.path.isdir(path)})


def _encode(runs: Runs) -> bytes:
    """Compact, and with NaN, which Python reads back."""
    return json.dumps({"version": VERSION, "runs": runs}, separators=(",", ":")).encode()


def _decode(content: bytes) -> Runs:
    table = decode_table(content)
    if table.get("version") != VERSION:
        raise UnusableState("is of another finetop")
    try:
        return {name: run for name, run in table["runs"].items() if _fits(run)}
    except (KeyError, TypeError, AttributeError):
        raise UnusableState("is damaged") from None


def _fits(one: Any) -> bool:
    """Whether an entry has the shape that `put` gives it."""
    sparks = one["sparks"].values()
    return isinstance(one["stamp"], list) and all(
        spark is None
        or (
            len(spark) == 5
            and isinstance(spark[4], bool)
            and all(isinstance(value, float) for value in [*spark[0], *spark[1:4]])
        )
        for spark in sparks
    )


def _stamp(events: Path) -> Stamp:
    """Name, size and time of change of every file."""
    try:
        with os.scandir(events) as entries:
            files = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return []
    return sorted([name, status.st_size, status.st_mtime_ns] for name, status in files)
