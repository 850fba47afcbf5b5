"""Curves of runs that are drawn beside the watched one. Reads disks, so for a thread only."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.jobs.directory import JobDirectory
from tui.snapshots import Curves, RunRow

if TYPE_CHECKING:
    from engine.events.log_dir import LogDir
    from engine.events.series import Series


class OverlayReader:
    """Follows the events of a few jobs; logs that a feed follows anyway are taken from it."""

    def __init__(self) -> None:
        self._logs: dict[str, LogDir] = {}
        self._made: dict[str, tuple[object, Curves]] = {}
        self._turn = threading.Lock()

    def read(self, rows: Sequence[RunRow]) -> dict[str, Curves]:
        """All curves of these runs as they stand, by key; whatever was read before is let go."""
        from engine.events.log_dir import LogDir

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
            made: dict[str, tuple[object, Curves]] = {}
            for row in rows:
                job = self._logs.get(row.key)
                # Derived once for each state of its files: a curve that is another is drawn again.
                stand = row.log if row.log is not None else job and job.series
                before = self._made.get(row.key)
                same = before is not None and before[0] is stand
                made[row.key] = before if before and same else (stand, _curves(row, job))
            self._made = made
            return {key: curves for key, (_, curves) in made.items()}


def _curves(row: RunRow, job: "LogDir | None") -> Curves:
    """Everything a run logged, and perplexities of losses that were logged alone."""
    from engine.charts.derived import perplexities
    from tui.feeds.log_summary import alarms

    series: Mapping[str, Series]
    settings: Mapping[str, object] = {}
    if row.log is not None:
        series, settings = row.log.series, row.log.settings
    else:
        series = dict(job.series) if job else {}
    derived = perplexities(series, settings)
    whole = {**series, **{tag: one.series for tag, one in derived.items()}}
    return Curves(whole, {tag: one.formula for tag, one in derived.items()}, alarms(series))
