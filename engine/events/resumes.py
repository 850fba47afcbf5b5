"""At which step a run was resumed, from where each of its tags goes on.

A tag shows a resume only at its next point: one that is evaluated every 20 steps goes on at 80,
where the run was resumed at 61. Whatever tag of the same file goes on first, between the last point
that a tag keeps and its next one, tells the step; tags that count something else lie outside.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.events.columns import FilePoints
from engine.events.series import Ints

_NEVER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where a tag goes on: in a later file, after a session start, or as its steps begin again."""

    file: int
    """Its place in the order of files."""
    first: int
    """The tag's first step from there on."""
    before: int
    """The highest step below `first` that is kept of what came before."""
    session: int | None = None
    """The step that a session start names."""
    rewind: int | None = None
    """How often the tag's steps had begun again within the file; None where they do not."""


class ResumeSteps:
    """Of the files of one run, in order of attempt."""

    def __init__(self, files: Sequence[FilePoints]) -> None:
        self._files = files
        self._rewinds: dict[int, Mapping[int, Sequence[Sequence[int]]]] = {}

    def steps(self, continuations: Sequence[Continuation]) -> tuple[int, ...]:
        """The step of the resume at each start of one tag, each once."""
        rewinds = Counter(start.file for start in continuations if start.rewind is not None)
        found = (self._step(start, rewinds[start.file]) for start in continuations)
        return tuple(dict.fromkeys(found))

    def _step(self, start: Continuation, rewinds: int) -> int:
        if start.session is not None:
            return min(start.session, start.first)
        known = self._files[start.file].first_steps
        if start.rewind is not None:
            again = self._rewinds_of(start.file)[rewinds]
            known = sorted(steps[start.rewind] for steps in again)
        at = bisect_right(known, start.before)
        return min(start.first, known[at]) if at < len(known) else start.first

    def _rewinds_of(self, file: int) -> Mapping[int, Sequence[Sequence[int]]]:
        """At which steps the tags of a file begin again: of those that do so equally often."""
        if file not in self._rewinds:
            found: defaultdict[int, list[list[int]]] = defaultdict(list)
            for column in self._files[file].columns.values():
                if column.goes_back:
                    steps = column.arrays[0]
                    again = steps[find_restarts(steps)].tolist()
                    found[len(again)].append(again)
            self._rewinds[file] = found
        return self._rewinds[file]


def find_restarts(steps: Ints) -> list[int]:
    """Where the steps of one tag in one file begin again: a process that rewinds, or trains twice.

    There, two points at least are not above what was reached; one alone was written out of order.
    """
    restarts: list[int] = []
    reached = -_NEVER
    for place in (np.flatnonzero(steps[1:] < steps[:-1]) + 1).tolist():
        reached = max(reached, int(steps[place - 1]))  # up to here the steps never went down
        if place + 1 < len(steps) and steps[place + 1] <= reached:
            restarts.append(place)
            reached = -_NEVER
    return restarts
