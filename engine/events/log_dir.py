"""A directory of event files, followed: every file, appended bytes only, all attempts as one curve.

Never writes, never stops retrying a file, and raises nothing for its content: errors are in
`problems`. Tags and names are unchanged; the caller cleans them before they are shown.
"""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from engine.events import hparams_yaml
from engine.events.event_file import EventFile, Problem, find_contradiction, in_order
from engine.events.hparams_and_text import Setting, Text
from engine.events.merge import MergedSeries
from engine.events.resumes import ResumeSteps
from engine.events.series import Series
from engine.events.watched_folder import HPARAMS, Folder, Signature


class LogDir:
    """Follows the event files of one directory, not of those below it.

    For one thread. Returned values are immutable, so callers may keep them.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        folder: Folder | None = None,
    ) -> None:
        self.path = path
        self.folder = folder or Folder(path)
        """The directory listing; the owner refreshes it and then calls `read`."""
        self.series: dict[str, Series] = {}
        """The curve of each tag, newest write wins; replaced, never changed, by `poll`."""
        self.problems: tuple[Problem, ...] = ()
        self.others: Counter[str] = Counter()
        """What the files hold beside scalars, by plugin or kind."""
        self.settings: dict[str, Setting] = {}
        """Hyper-parameters, by the plugin of that name or a `hparams.yaml` beside the files."""
        self.texts: dict[str, Text] = {}
        """The newest text of each text tag."""
        self.pending = False
        """True while files hold more than was read so far."""
        self._clock = clock
        self._files: dict[str, EventFile] = {}
        self._order: list[EventFile] = []
        self._curves: dict[str, MergedSeries] = {}
        self._seen: dict[str, Signature] | None = None
        self._refused: str | None = None
        self._noted: Signature | None = None
        self._notes: dict[str, Setting] = {}
        self._retry_at = float("inf")

    @property
    def modified(self) -> float:
        """When the newest file changed, in seconds since the epoch; 0 without files."""
        return self.folder.modified

    def poll(self, budget_seconds: float | None = None) -> bool:
        """Read what was appended since the last poll; True where anything shown has changed.

        Stops after about `budget_seconds` (None: when all is read) and leaves `pending` True.
        A directory that is not there yet reads as an empty one.
        """
        self.folder.look(self._clock())
        return self.read(budget_seconds)

    def waits(self) -> bool:
        """Whether `read` may find something, by the last listing of the folder."""
        known = self.folder.files is self._seen and self.folder.refused == self._refused
        known &= self.folder.known.get(HPARAMS) == self._noted
        return self.pending or not known or self._clock() >= self._retry_at

    def read(self, budget_seconds: float | None = None) -> bool:
        """`poll` for a folder that was just looked at."""
        if not self.waits():
            return False
        now = self._clock()
        self._refused = self.folder.refused
        breaks, before = self._breaks(), (self.problems, self.settings, self.texts)
        changed = self._take_over(self.folder.files)
        changed |= self._read(None if budget_seconds is None else now + budget_seconds)
        self._order = in_order(self._order)
        if self._breaks() != breaks:
            changed |= self.series.keys()
        self._renew(changed)
        self._gather_facts()
        self.others = sum((file.decoder.others for file in self._order), Counter())
        problems = [problem for file in self._order if (problem := file.problem())]
        trouble = [Problem(".", self._refused)] if self._refused else []
        contradiction = find_contradiction(self._order)
        self.problems = (*problems, *([contradiction] if contradiction else []), *trouble)
        self._retry_at = min((file.retry_at for file in self._order), default=float("inf"))
        return bool(changed) or (self.problems, self.settings, self.texts) != before

    def _read(self, deadline: float | None) -> set[str]:
        """Read until all is read or the time is over, one stretch at least."""
        changed: set[str] = set()
        begun = self.pending = False
        for file in self._order:
            while file.waits(self._clock()):
                if begun and deadline is not None and self._clock() >= deadline:
                    self.pending = True
                    return changed
                changed |= file.advance(self._clock())
                begun = True
        return changed

    def _gather_facts(self) -> None:
        """Hyper-parameters and texts of all files, later ones first."""
        if self.folder.known.get(HPARAMS) != self._noted:
            self._noted = self.folder.known.get(HPARAMS)
            self._notes = hparams_yaml.read_file(self.path / HPARAMS) if self._noted else {}
        self.settings, self.texts = dict(self._notes), {}
        for file in self._order:
            self.settings |= file.decoder.facts.settings
            self.texts |= file.decoder.facts.texts

    def _take_over(self, seen: dict[str, Signature]) -> set[str]:
        """Note which files there are now; returns the tags of those that are gone."""
        self._seen = seen
        for name, signature in seen.items():
            if name in self._files:
                self._files[name].signature = signature
            else:
                self._files[name] = EventFile(self.path / name, signature)
        gone = [self._files.pop(name) for name in self._files.keys() - seen.keys()]
        self._order = in_order(self._files.values())
        return {tag for file in gone for tag in file.points.columns}

    def _breaks(self) -> tuple[int, list[tuple[str, list[int]]]]:
        """How many tags there are where there are several files, and the steps of the session
        starts by file, in order: where these differ, so may any curve, or where it was resumed."""
        tags = sum(len(file.points.columns) for file in self._order) if len(self._order) > 1 else 0
        sessions = [
            (file.path.name, [step for step, _ in file.points.purges])
            for file in self._order
            if file.points.purges
        ]
        return tags, sessions

    def _renew(self, tags: set[str]) -> None:
        files = [file.points for file in self._order]
        resumes, series = ResumeSteps(files), dict(self.series)
        for tag in tags:
            if any(tag in file.columns for file in files):
                series[tag] = self._curves.setdefault(tag, MergedSeries(tag)).series(files, resumes)
            else:
                series.pop(tag, None)
                self._curves.pop(tag, None)
        self.series = series
