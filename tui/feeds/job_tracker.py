"""What the feed remembers of one job between two looks: its small files, its curves, its row.

A job whose files did not change is looked at with `stat` alone. Posts nothing.
"""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.summary import JobView, view
from engine.recipes import validation
from tui.feeds.spark_cache import Sparks
from tui.snapshots import SMOOTHED_POINTS, SMOOTHING, SPARK_CELLS, NotableSteps, RunRow, Spark

if TYPE_CHECKING:
    from engine.events.log_dir import LogDir
    from engine.events.series import Series
    from tui.feeds.samples_reader import SamplesReader

LOG_LINES = 200

_TAG = "tag:"
"""Before the names of tags, among curves that have names of their own."""
Stamp = tuple[tuple[int, int, int], ...]


class JobTracker:
    """One job. Owned by the feed's thread."""

    def __init__(self, job: JobDirectory, *, shipped: bool, elsewhere: bool) -> None:
        self.job = job
        self.shipped = shipped
        self.elsewhere = elsewhere
        self.view: JobView | None = None
        self.row: RunRow | None = None
        self.logdir: LogDir | None = None
        self.samples: SamplesReader | None = None
        self.unread = True
        """Whether its events were not read to their end since its files last changed."""
        self.log: tuple[str, ...] = ()
        self._marks_file = job.checkpoints / "marks.json"
        self._notable_steps: NotableSteps | None = None
        self._output = False
        self._stamp: Stamp | None = None
        self._log_stamp: Stamp | None = None

    @property
    def live(self) -> bool:
        return self.view is not None and self.view.state.alive

    def poll(self) -> bool:
        """Read what changed of its small files; whether there is anything new in them."""
        before = self.view, self._notable_steps
        stamp = self._stamp_now()
        if stamp != self._stamp or self.view is None:
            self._stamp, self.view, self.unread = stamp, view(self.job), True
            self._output = self.job.adapter.is_dir() or self.job.model.is_dir()
            marks = read_json(self._marks_file)
            self._notable_steps = (
                validation.from_untrusted(NotableSteps, marks) if marks is not None else None
            )
        elif not self.view.state.final:
            state = statuses.derive(self.job, self.view.status)
            if state is not self.view.state:
                # Its end may have been written since the stamp was taken.
                self.view = view(self.job) or self.view
        return (self.view, self._notable_steps) != before

    def look_at_log(self) -> bool:
        """Read the end of its log where that has grown; whether it has."""
        log = self.job.attempt(self.job.latest_attempt()).log
        log = log if log.exists() else self.job.launch_log
        stamp = stamps(log)
        if stamp == self._log_stamp:
            return False
        from engine.jobs.launch import log_tail

        self._log_stamp = stamp
        self.log = tuple(log_tail(log, LOG_LINES).splitlines())
        return True

    def look_at_samples(self) -> bool:
        """Read what was appended to its samples; whether something was."""
        if self.samples is None:
            from tui.feeds.samples_reader import SamplesReader

            self.samples = SamplesReader(self.job.samples)
        return self.samples.poll()

    def make_row(self, sparks: Sparks) -> RunRow:
        """The row with these curves; asked only once there is a view."""
        assert self.view is not None
        curves = {
            name.removeprefix(_TAG): one
            for name, one in sparks.items()
            if one is not None and name.startswith(_TAG)
        }
        return RunRow(
            self.view,
            self.shipped,
            self.elsewhere,
            self._output,
            sparks.get("loss"),
            sparks.get("eval_loss"),
            sparks.get("perplexity"),
            sparks.get("forgot"),
            self._notable_steps,
            curves,
            tuple(sorted(tag for tag, one in curves.items() if one.odd)),
        )

    def _stamp_now(self) -> Stamp:
        job = self.job
        return stamps(
            job.record_file, job.status_file, job.user_file, job.attempts, job.pruned_file,
            self._marks_file,
        )  # fmt: skip


def sparks_of(series: "dict[str, Series]") -> Sparks:
    """The small curves of whole ones, as rows show them and the cache keeps them."""
    named = {
        "loss": _spark(series.get("train/loss")),
        "eval_loss": _spark(series.get("eval/loss")),
        "perplexity": _spark(series.get("eval/perplexity")),
        "forgot": _spark(series.get("forget/nll_shift")),
    }
    return named | {
        f"{_TAG}{tag}": _spark(one, shaped=False, tags=series) for tag, one in series.items()
    }


def _spark(
    series: "Series | None", *, shaped: bool = True, tags: Iterable[str] = ()
) -> Spark | None:
    if series is None or series.last is None:
        return None
    import numpy as np

    from engine.events.series import bucket, smooth
    from engine.events.tag_names import is_higher_better

    higher = is_higher_better(series.tag, tags)
    best = series.best(highest=higher) if higher is not None else None
    return Spark(
        tuple(bucket(series.values, SPARK_CELLS).tolist()) if shaped else (),
        series.last,
        best[1] if best else math.nan,
        float(smooth(series.values[-SMOOTHED_POINTS:], SMOOTHING)[-1]),
        not np.isfinite(series.values).all(),
    )


def stamps(*paths: Path) -> Stamp:
    """What tells whether a file is another one or has changed."""
    stamp = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            stamp.append((0, 0, 0))
        else:
            stamp.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(stamp)
