"""New events of a watched run since the last call, as lines: every point, restarts, NaN, its end.

Keeps only how many points of each curve were printed. Cleans its output.
"""

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from engine.charts.filters import Filter
from engine.events.discover import Kind
from engine.events.log_set import RunLog
from engine.events.series import Series
from engine.jobs import status as statuses
from engine.jobs import summary
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.text import one_line
from tui.feeds.log_summary import alarms, values_line
from tui.formatting import activity, activity_left, state_words

Break = tuple[str, int]
"""What a resume did to a curve, and at which step."""
_REWOUND, _WENT_ON, _ANEW = "rewound to", "continued at", "rewritten from"


class Changes:
    """Of one run; at first only its newest values are printed, unless `whole`."""

    def __init__(self, *, whole: bool = False) -> None:
        self._newest_alone = not whole
        self._told: dict[str, tuple[int, bytes]] = {}
        self._breaks: dict[str, Counter[Break]] = {}
        self._printed: Counter[Break] = Counter()
        """How often each was printed: one resume, however many tags go on after it."""
        self._problems: set[tuple[str, str]] = set()
        self._activity = ""
        self._end: State | None = None

    def activity(self, run: RunLog) -> Iterator[str]:
        """`run, -, words` where a run of finetop begins to do something between two steps."""
        now = statuses.read(JobDirectory(run.path)) if run.kind is Kind.JOB else None
        name = now.activity if now is not None and not now.state.final else ""
        if now is not None and name and name != self._activity:
            left = activity_left(now)
            yield f"{one_line(run.name)}\t-\t{activity(now)}{f', {left} left' if left else ''}"
        self._activity = name

    def end(self, run: RunLog) -> Iterator[str]:
        """`run, -, words` where a run of finetop ended, once an end: done, crashed at step 40 ...

        To be called when all that it wrote was printed."""
        if run.kind is not Kind.JOB:
            return
        job = JobDirectory(run.path)
        state = statuses.derive(job, statuses.read(job))
        ended = None if state.alive else state
        if ended is not None and ended is not self._end and (view := summary.view(job)):
            error = view.status.error if view.status else None
            why = f": {one_line(error.title)}" if error else ""
            yield f"{one_line(run.name)}\t-\t{state_words(view)}{why}"
        self._end = ended

    def lines(self, run: RunLog, tags: Filter) -> Iterator[str]:
        """Separated by tabs: `run, !, words` for breaks; `run, step, tag=value …` for each step at
        which something is new; `run, !, words` for NaN or Inf, and for files."""
        name = one_line(run.name)
        breaks: defaultdict[Break, list[str]] = defaultdict(list)
        by_step: defaultdict[int, list[tuple[str, float]]] = defaultdict(list)
        looked_at: dict[str, Series] = {}
        for tag in run.tags:
            if not tags.matches({"": (tag,)}):
                continue
            series = run.series[tag]
            start, new = self._take(series)
            looked_at[tag] = series if self._newest_alone else _from(series, _alarm(series, start))
            if self._newest_alone:
                start, new = max(0, len(series) - 1), []
            for one in new:
                if one[0] == _ANEW or self._breaks[tag][one] > self._printed[one]:
                    breaks[one].append(tag)
            steps, values = series.steps[start:].tolist(), series.values[start:].tolist()
            for step, value in zip(steps, values, strict=True):
                by_step[step].append((tag, value))
        self._newest_alone = False
        for tag in looked_at:
            self._printed |= self._breaks[tag]
        for word, step in sorted(breaks, key=lambda one: one[1]):
            if word == _WENT_ON and (_REWOUND, step) in self._printed:
                continue  # of a tag that had no points after that step
            yield f"{name}\t!\t{word} step {step}: {one_line(', '.join(breaks[word, step]))}"
        for step in sorted(by_step):
            yield f"{name}\t{step}\t{values_line(by_step[step])}"
        for line in alarms(looked_at):
            yield f"{name}\t!\t{line.removeprefix('! ')}"
        for problem in run.problems:
            if (problem.name, problem.reason) not in self._problems:
                self._problems.add((problem.name, problem.reason))
                yield f"{name}\t!\t{one_line(problem.name)}: {one_line(problem.reason)}"

    def _take(self, series: Series) -> tuple[int, list[Break]]:
        """Mark all points as printed; return the index of the first new one, and the breaks
        since."""
        told, last = self._told.get(series.tag, (0, b""))
        breaks = Counter(_breaks(series))
        new = list(breaks - self._breaks.get(series.tag, Counter()))
        self._breaks[series.tag] = breaks
        self._told[series.tag] = len(series), _identity(series, len(series))
        if told <= len(series) and _identity(series, told) == last:
            return told, new
        rewound = [step for word, step in new if word == _REWOUND]
        if not rewound:
            return 0, [*new, *((_ANEW, int(step)) for step in series.steps[:1])]
        again = series.steps >= min(rewound)
        return int(again.argmax()) if again.any() else len(series), new


def _breaks(series: Series) -> Iterator[Break]:
    rewound = [_resume_before(branch.rewound_to, series) for branch in series.abandoned]
    yield from ((_REWOUND, step) for step in rewound)
    yield from ((_WENT_ON, step) for step in series.restarts if step not in rewound)


def _resume_before(step: int, series: Series) -> int:
    """The step of the resume after which a tag was first written again at `step`."""
    return max((one for one in series.restarts if one <= step), default=step)


def _identity(series: Series, count: int) -> bytes:
    """The last of the first `count` points, so that NaN equals itself."""
    if not count:
        return b""
    at = count - 1
    return struct.pack("<qdd", series.steps[at], series.wall_times[at], series.values[at])


def _alarm(series: Series, start: int) -> int:
    """From which index a NaN or Inf is new: not where the values before were NaN or Inf already."""
    finite = np.isfinite(series.values[max(0, start - 1) :])
    if start and not finite[0]:
        return start - 1 + (int(finite.argmax()) if finite.any() else len(finite))
    return start


def _from(series: Series, start: int) -> Series:
    return Series(
        series.tag, series.steps[start:], series.wall_times[start:], series.values[start:]
    )
