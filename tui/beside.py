"""Curves of runs that are drawn beside the watched one. Reads disks, so for a thread only."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.jobs.directory import JobDirectory
from tui.snapshots import RunRow

if TYPE_CHECKING:
    from engine.events.logdir import LogDir
    from engine.events.series import Series


class Beside:
    """Follows the events of a few jobs; logs that a feed follows anyway are taken from it."""

    def __init__(self) -> None:
        self._logs: dict[str, LogDir] = {}
        self._turn = threading.Lock()

    def read(self, rows: Sequence[RunRow]) -> "dict[str, Mapping[str, Series]]":
        """All curves of these runs as they stand, by key; whatever was read before is let go."""
        from engine.events.logdir import LogDir

        with self._turn:
            known = {row.key: self._logs.get(row.key) for row in rows if row.log is None}
            self._logs = {
                key: log or LogDir(JobDirectory(row.path).events)
                for row in rows
                for key, log in known.items()
                if key == row.key
            }
            for log in self._logs.values():
                log.poll()
            found: dict[str, Mapping[str, Series]] = {
                row.key: row.log.series for row in rows if row.log is not None
            }
            return found | {key: dict(log.series) for key, log in self._logs.items()}
