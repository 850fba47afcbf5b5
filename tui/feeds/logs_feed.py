"""Follows log directories of any writer, and posts what has changed.

Takes the place of `tui.feeds.jobs_feed` where only logs are looked at: same calls, same messages.
Reads in slices, what is on screen first; writes nothing, and asks nothing of whoever wrote the
logs.
"""

import gc
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.jobs.directory import JobDirectory
from engine.text import one_line
from tui.feeds.log_rows import row_of
from tui.messages import MachineMeasured, RunChanged, RunsChanged
from tui.snapshots import Machine, RunDetail, RunRow, RunsSnapshot

if TYPE_CHECKING:
    from textual.message import Message

    from engine.events.log_set import Fleet, RunLog
    from tui.feeds.job_tracker import JobTracker

TEXT_LINES = 40
"""Of each text, beside the curves; the overview has all of it."""
SLICE_SECONDS = 0.005
QUIET_SECONDS = 0.25
PUBLISH_SECONDS = 0.25
"""How often the list is told again until all newest values are known."""
READING_SECONDS = 0.001
"""For each run, how often it is told again while curves are still read: who draws it needs time."""


class LogsFeed:
    """Follows the logs below some paths: the reader of a `FeedThread`."""

    def __init__(
        self,
        paths: Sequence[Path],
        post: "Callable[[Message], object]",
        *,
        measure: Callable[..., Machine] | None = None,
    ) -> None:
        self.snapshot = RunsSnapshot()
        self.listed = threading.Event()
        self._post = post
        self._watched: Path | None = None
        self._paths = tuple(paths)
        self._measure = measure
        self._fleet: Fleet | None = None
        self._rows: dict[str, tuple[RunLog, RunRow]] = {}
        self._publish_at = 0.0
        self._due = False
        self._names: dict[Path, str] = {}
        self._shown: object = None
        self._job: JobTracker | None = None
        """What else there is to follow of the watched run, where it is a job of finetop."""
        self._in_sight: tuple[str, ...] = ()
        self._preferred: object = None
        """What the fleet reads first."""

    def watch(self, path: Path | None) -> None:
        """Give whole curves of this run from now on."""
        self._watched, self._shown = path, None

    def prefer(self, names: Sequence[str]) -> None:
        """These are on screen: read them before the others."""
        self._in_sight = tuple(names)

    def go_on(self) -> None:
        """Reading has not waited: it rests between its slices."""

    def pause(self, pending: bool) -> float:
        return 0.001 if pending else QUIET_SECONDS

    def cycle(self) -> bool:
        """Read one slice; whether there is more to read."""
        from engine.events.log_set import Fleet

        if self._fleet is None:
            self._fleet = Fleet(self._paths)
        watched = self._names.get(self._watched) if self._watched else None
        preferred = (watched, self._in_sight)
        if preferred != self._preferred:
            self._preferred = preferred
            self._fleet.prefer([*([watched] if watched else ()), *self._in_sight])
        self._due |= bool(self._fleet.poll(SLICE_SECONDS))
        now = time.monotonic()
        if now >= self._publish_at or not self._fleet.pending:
            reading = READING_SECONDS * len(self._rows) * self._fleet.glimpsed
            self._publish_at = now + max(PUBLISH_SECONDS, reading)
            if self._look_at_jobs() or self._due:
                self._due = False
                self._publish(self._fleet)
            if self._fleet.pending and gc.isenabled():
                gc.freeze()  # what was read stays: going through all of it would hold up a key
        if not self.listed.is_set() and (self._rows or not self._fleet.pending):
            self._publish(self._fleet)
            self.listed.set()
        if self._measure is not None and self.listed.is_set():
            measure, self._measure = self._measure, None
            self._post(MachineMeasured(measure(live=False)))
        samples_left = watched is not None and self._publish_detail(self._fleet, watched)
        return self._fleet.pending or samples_left

    def _look_at_jobs(self) -> bool:
        """Whether a job of finetop has another state than before: its curves may rest."""
        changed = False
        for name, (run, row) in self._rows.items():
            if row.view.state.alive:
                fresh = row_of(run)
                if fresh.view != row.view:
                    self._rows[name] = run, fresh
                    changed = True
        return changed

    def _publish(self, fleet: "Fleet") -> None:
        rows = {}
        self._names = {run.path: run.name for run in fleet.runs}
        for run in fleet.runs:
            known = self._rows.get(run.name)
            rows[run.name] = known if known and known[0] is run else (run, row_of(run))
        self._rows = rows
        snapshot = RunsSnapshot(tuple(row for _, row in rows.values()))
        if snapshot != self.snapshot:
            self.snapshot = snapshot
            self._post(RunsChanged(snapshot))

    def _publish_detail(self, fleet: "Fleet", name: str) -> bool:
        """News of the watched run, at once: its row need not have been told yet.

        Whether there is more to read of its samples.
        """
        run, known = fleet.run(name), self._rows.get(name)
        if run is None:
            return False
        if known is None or known[0] is not run:
            known = self._rows[name] = run, row_of(run)
        job = self._followed(run)
        news = job is not None and job.look_at_log() | job.look_at_samples()
        if news or known is not self._shown:
            self._shown = known
            self._post(RunChanged(detail_of(*known, job)))
        return job is not None and job.samples is not None and job.samples.pending

    def _followed(self, run: "RunLog") -> "JobTracker | None":
        from engine.events.discover import Kind
        from tui.feeds.job_tracker import JobTracker

        if run.kind is not Kind.JOB:
            self._job = None
        elif self._job is None or self._job.job.path != run.path:
            self._job = JobTracker(JobDirectory(run.path), shipped=True, elsewhere=False)
        return self._job


def detail_of(run: "RunLog", row: RunRow, job: "JobTracker | None" = None) -> RunDetail:
    """The whole of a run that is watched: curves, what is derived, what else the files say."""
    from engine.charts.derived import perplexities
    from tui.feeds.log_summary import alarms, overview

    derived = perplexities(run.series, run.settings)
    problems = tuple(
        f"{one_line(problem.name)}: {one_line(problem.reason)}" for problem in run.problems
    )
    return RunDetail(
        row,
        {**run.series, **{tag: curve.series for tag, curve in derived.items()}},
        job.log if job else overview(run, text_lines=TEXT_LINES),
        job.samples.prompt_histories if job and job.samples else (),
        problems=(*alarms(run.series), *problems),
        derived={tag: curve.formula for tag, curve in derived.items()},
    )
