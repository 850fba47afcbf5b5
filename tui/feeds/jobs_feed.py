"""Reads job directories and events, and posts what has changed.

Owns the order in which runs are read. It never draws; screens never read. Events and samples are
parsed in slices, so that a big file blocks nothing; what is known of one job is
`tui.feeds.job_tracker`.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.jobs.store import Store
from engine.state_files import state_folder
from engine.text import one_line
from tui.feeds.job_tracker import JobTracker, sparks_of
from tui.feeds.spark_cache import SparkCache
from tui.messages import MachineMeasured, RunChanged, RunsChanged
from tui.snapshots import Machine, RunDetail, RunsSnapshot

if TYPE_CHECKING:
    from textual.message import Message

LIVE_SECONDS = 0.25
QUIET_SECONDS = 1.0
MACHINE_SECONDS = 5.0
SLICE_SECONDS = 0.01
FIRST_ROWS = 30
SHOWN_SECONDS = 0.5
"""Longest that reading waits for the first paint, so as not to take its time."""


class JobsFeed:
    """Follows the jobs of a store: the reader of a `FeedThread`."""

    def __init__(
        self,
        store: Store,
        post: "Callable[[Message], object]",
        *,
        measure: Callable[..., Machine] | None = None,
    ) -> None:
        self.snapshot = RunsSnapshot()
        self.listed = threading.Event()
        self._post = post
        self._store = store
        self._watched: Path | None = None
        self._measure = measure
        self._jobs: dict[Path, JobTracker] = {}
        self._begun = False
        """Whether the list was ever posted."""
        self._machine: Machine | None = None
        self._measured_live: bool | None = None
        self._measure_at = 0.0
        self._sparks = SparkCache(state_folder() / "sparks.json")
        self._detail_due = False
        self._sampled: JobTracker | None = None
        self._shown = threading.Event()

    def go_on(self) -> None:
        """The list's beginning is on the screen: read the rest."""
        self._shown.set()

    def prefer(self, names: Sequence[str]) -> None:
        """What is watched and what is live comes first, whatever is on screen."""

    def watch(self, path: Path | None) -> None:
        """Give whole curves and the log of this run from now on."""
        self._watched, self._detail_due = path, True

    def pause(self, pending: bool) -> float:
        live = any(job.live for job in self._jobs.values())
        return 0.0 if pending else LIVE_SECONDS if live else QUIET_SECONDS

    def cycle(self) -> bool:
        """Look once at everything; whether some events are still unread."""
        self._list()
        if not self.listed.is_set():
            self._poll_jobs(self._newest())  # what fits on a screen is there first
            self._publish()
            self.listed.set()
            self._shown.wait(SHOWN_SECONDS)
        self._poll_jobs(self._jobs.values())
        self._publish()  # the list first; curves follow
        pending = self._read_events() | self._read_samples()
        if not pending:
            self._sparks.save()
        self._publish()
        self._publish_detail()
        self._measure_machine()
        return pending

    def _list(self) -> None:
        jobs = self._store.jobs()
        for job in jobs:
            if job.path not in self._jobs:
                shipped = job in self._store.shipped
                elsewhere = not shipped and job.path.parent != self._store.root
                self._jobs[job.path] = JobTracker(job, shipped=shipped, elsewhere=elsewhere)
        for path in self._jobs.keys() - {job.path for job in jobs}:
            del self._jobs[path]

    def _poll_jobs(self, jobs: Iterable[JobTracker]) -> None:
        for tracked in jobs:
            if not tracked.poll():
                continue
            tracked.row = None
            known = None if self._followed(tracked) else self._sparks.get(tracked.job.events)
            if known is not None:
                tracked.row, tracked.unread = tracked.make_row(known), False

    def _followed(self, tracked: JobTracker) -> bool:
        """Whether its whole curves are kept: it grows, or somebody watches it."""
        return tracked.live or tracked.job.path == self._watched

    def _newest(self) -> list[JobTracker]:
        """The jobs that stand first in the list, by their records alone."""

        def created(tracked: JobTracker) -> float:
            record = self._store.record(tracked.job)
            return record.created if record else 0.0

        jobs = sorted(self._jobs.values(), key=lambda job: (not job.shipped, -created(job)))
        return jobs[:FIRST_ROWS]

    def _read_events(self) -> bool:
        """One slice of every job that may have news; the watched and the live ones first."""
        waiting = [
            job for job in self._jobs.values() if job.view and (job.unread or self._followed(job))
        ]
        waiting.sort(key=lambda job: (job.job.path != self._watched, not job.live))
        pending = False
        deadline = time.monotonic() + 10 * SLICE_SECONDS
        for tracked in waiting:
            if time.monotonic() > deadline:
                return True
            pending |= self._read_slice(tracked)
        return pending

    def _read_slice(self, tracked: JobTracker) -> bool:
        from engine.events.log_dir import LogDir

        if tracked.logdir is None:
            tracked.logdir = LogDir(tracked.job.events)
        logdir = tracked.logdir
        if logdir.poll(SLICE_SECONDS):
            tracked.row = None
            self._detail_due |= tracked.job.path == self._watched
        tracked.unread = logdir.pending
        if tracked.row is None and tracked.view is not None:
            tracked.row = tracked.make_row(sparks_of(logdir.series))
            self._detail_due |= tracked.job.path == self._watched
        if not logdir.pending and not self._followed(tracked):
            self._sparks.put(tracked.job.events, sparks_of(logdir.series))
            tracked.logdir = None  # its curves would only fill memory
        return logdir.pending

    def _read_samples(self) -> bool:
        """A slice of the watched run's; whether there is more."""
        tracked = self._jobs.get(self._watched) if self._watched else None
        if self._sampled is not None and self._sampled is not tracked:
            self._sampled.samples = None  # they would only fill memory
        self._sampled = tracked
        if tracked is None:
            return False
        self._detail_due |= tracked.look_at_samples()
        return tracked.samples is not None and tracked.samples.pending

    def _publish(self) -> None:
        rows = []
        for tracked in self._jobs.values():
            if tracked.view is None:
                continue
            if tracked.row is None:
                known = self.snapshot.row(str(tracked.job.path))
                row = tracked.make_row({})
                if known:  # its curves stay until they are read
                    row = dataclasses.replace(known, view=row.view, notable_steps=row.notable_steps)
                rows.append(row)
            else:
                rows.append(tracked.row)
        rows.sort(key=lambda row: (not row.shipped, -row.view.record.created, row.key))
        snapshot = RunsSnapshot(tuple(rows))
        if snapshot != self.snapshot or not self._begun:
            self.snapshot, self._begun = snapshot, True
            self._post(RunsChanged(snapshot))

    def _publish_detail(self) -> None:
        path = self._watched
        tracked = self._jobs.get(path) if path else None
        if tracked is None or tracked.view is None:
            return
        self._detail_due |= tracked.look_at_log()
        if not self._detail_due:
            return
        self._detail_due = False
        logdir = tracked.logdir
        series = dict(logdir.series) if logdir else {}
        problems = logdir.problems if logdir else ()
        unreadable = tuple(
            f"{one_line(problem.name)}: {one_line(problem.reason)}" for problem in problems
        )
        from tui.feeds.log_summary import alarms

        self._post(
            RunChanged(
                RunDetail(
                    tracked.row or tracked.make_row({}),
                    series,
                    tracked.log,
                    tracked.samples.prompt_histories if tracked.samples else (),
                    (*alarms(series), *unreadable),
                )
            )
        )

    def _measure_machine(self) -> None:
        """Every few seconds while something is live; once when nothing is, and no more."""
        if self._measure is None:
            return
        live = any(job.live for job in self._jobs.values())
        now = time.monotonic()
        if live == self._measured_live and not (live and now >= self._measure_at):
            return
        self._measured_live, self._measure_at = live, now + MACHINE_SECONDS
        machine = self._measure(live=live)
        if machine != self._machine:
            self._machine = machine
            self._post(MachineMeasured(machine))
