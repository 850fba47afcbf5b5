"""All runs below some paths, loaded within a time budget, visible runs first.

Newest values come from the ends of the files, so that a table of a thousand runs is complete long
before all their points are read; whole curves follow, those that are on screen before the others.
The order of the runs never depends on what was read. Read-only, and for one thread.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.events.discover import Finder, Found, Kind
from engine.events.event_file import Problem
from engine.events.growing_file import CHUNK
from engine.events.hparams_and_text import Setting, Text, settings_of
from engine.events.line_log import LineLog
from engine.events.log_dir import LogDir
from engine.events.series import Series
from engine.events.summary import find_placeholders
from engine.events.tail import Glimpser, Last, tail
from engine.events.tfrecord import Records
from engine.events.trainer_state import TrainerLog
from engine.events.watched_folder import CSV_LOG, TRAINER_LOG

SLICE_SECONDS = 0.01
TOGETHER = 8
"""How many files' newest values are decoded at once."""
LOOK_SECONDS = 0.25
"""How often known runs are polled while there is still something to read."""


@dataclass(frozen=True, slots=True, eq=False)
class RunLog:
    """One run as far as it was read. Never changed; a later poll makes a new one."""

    name: str
    path: Path
    kind: Kind
    series: Mapping[str, Series] = field(default_factory=dict)
    loaded: bool = False
    """Whether all that the files held was read."""
    modified: float = 0.0
    """When its newest file changed, in seconds since the epoch."""
    problems: tuple[Problem, ...] = ()
    others: Counter[str] = field(default_factory=Counter)
    """What the files hold beside scalars, by plugin or kind."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Hyper-parameters, wherever the writer put them."""
    texts: Mapping[str, Text] = field(default_factory=dict)
    glimpse: Mapping[str, Last] = field(default_factory=dict)
    """Newest values, known before the curves are."""
    tags: tuple[str, ...] = ()
    """All tags known so far, in order; the same tuple for runs that have the same."""
    placeholders: frozenset[str] = frozenset()
    """Those whose values say nothing, once all was read."""

    def last(self, tag: str) -> Last | None:
        """The newest point of a tag; None where there is none, or none is known yet."""
        if not self.loaded and tag in self.glimpse:
            return self.glimpse[tag]
        series = self.series.get(tag)
        if series is None or not len(series):
            return None
        return Last(int(series.steps[-1]), float(series.wall_times[-1]), float(series.values[-1]))


Log = LogDir | TrainerLog | LineLog
"""A reader of one run."""
_LINE_LOGS = {Kind.TRAINER_LOG: TRAINER_LOG, Kind.CSV: CSV_LOG}


def open_log(found: Found) -> Log:
    """The reader of a run; has read nothing yet."""
    path, folder = found.folder.path, found.folder
    if found.kind is Kind.TRAINER:
        return TrainerLog(path, found.state, folder=folder)
    if found.kind in _LINE_LOGS:
        return LineLog(path, _LINE_LOGS[found.kind], folder=folder)
    return LogDir(path, folder=folder)


class _Member:
    """A run and its reader."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.log = open_log(found)
        self.glimpse: Mapping[str, Last] | None = None
        self.loaded = False
        self._settings: tuple[object, dict[str, Setting]] = (None, {})

    def follow(self, found: Found) -> bool:
        """Go on with what was found now; False where that is another run."""
        before = self.found
        if before is found:
            return True
        same = (before.path, before.kind, before.folder) == (found.path, found.kind, found.folder)
        if not same or not isinstance(self.log, TrainerLog):
            return False
        self.found = found
        self.log.follow(found.state)
        return True

    def large(self) -> bool:
        """Whether its newest values should be read first, and can be."""
        if not isinstance(self.log, LogDir):
            return False
        return sum(signature[2] for signature in self.found.folder.files.values()) > CHUNK // 8

    def newest_file(self) -> Path:
        files = self.found.folder.files
        return self.found.folder.path / max(files, key=lambda name: files[name][3])

    def snapshot(self, known_tags: dict[tuple[str, ...], tuple[str, ...]]) -> RunLog:
        log, found = self.log, self.found
        glimpse = {} if self.loaded else self.glimpse or {}
        tags = tuple(sorted({*log.series, *glimpse}))
        return RunLog(
            found.name,
            found.path,
            found.kind,
            log.series,
            self.loaded,
            log.modified,
            log.problems,
            log.others,
            self._all_settings(),
            log.texts,
            glimpse,
            known_tags.setdefault(tags, tags),
            find_placeholders(log.series) if self.loaded else frozenset(),
        )

    def _all_settings(self) -> dict[str, Setting]:
        if self._settings[0] is not self.log.settings:
            texts = settings_of(self.log.texts.values())
            self._settings = self.log.settings, {**texts, **self.log.settings}
        return self._settings[1]


class Fleet:
    """Follows the runs below some paths."""

    def __init__(
        self, paths: Sequence[Path], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pending = True
        """True while something was found that is not read yet."""
        self.glimpsed = False
        """Whether the newest values of all runs are known."""
        self._clock = clock
        self._finder = Finder(paths, clock=clock)
        self._found: tuple[Found, ...] = ()
        self._glimpser = Glimpser()
        self._members: dict[str, _Member] = {}
        self._shown: dict[str, RunLog] = {}
        self._runs: tuple[RunLog, ...] | None = ()
        self._known_tags: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._preferred: dict[str, int] = {}
        self._news: list[_Member] = []
        self._unseen: list[_Member] = []
        self._unread: list[_Member] = []
        """Both in the order of reading, the next one last."""
        self._sorted = False
        self._look_at = 0.0

    @property
    def runs(self) -> tuple[RunLog, ...]:
        """In natural order of name; the same tuple until a poll changes something."""
        if self._runs is None:
            self._runs = tuple(self._shown[name] for name in self._members)
        return self._runs

    def run(self, name: str) -> RunLog | None:
        return self._shown.get(name)

    def prefer(self, names: Iterable[str]) -> None:
        """Read these first from now on, in this order: those that are on screen."""
        preferred = {name: place for place, name in enumerate(names)}
        if preferred != self._preferred:
            self._preferred, self._sorted = preferred, False

    def poll(self, budget_seconds: float | None = None) -> frozenset[str]:
        """Look once at everything, and read for about `budget_seconds` (None: until all is read).

        While there is still much to read, what is known is looked at again only now and then.
        Returns the names of the runs that are new, gone, or show something else than before.
        """
        now = self._clock()
        deadline = None if budget_seconds is None else now + budget_seconds
        changed: set[str] = set()
        again = not self.pending or now >= self._look_at
        _ = self._finder.look(deadline) if again else self._finder.explore(deadline)
        if self._finder.runs is not self._found:
            changed |= self._take_over()
        if again:
            self._look_at = now + LOOK_SECONDS
            members = self._members.values()
            self._news = [member for member in members if member.loaded and member.log.waits()]
        if not self._sorted:
            left = [member for member in self._members.values() if not member.loaded]
            self._unread = sorted(left, key=self._urgency)[::-1]
            self._unseen = [member for member in self._unread if member.glimpse is None]
            self._sorted = True
        changed |= self._read(deadline)
        self.glimpsed = not self._unseen and not self._finder.pending
        self.pending = self._finder.pending or bool(self._news) or bool(self._unread)
        if changed:
            self._publish(changed)
        return frozenset(changed)

    def _take_over(self) -> set[str]:
        self._found = self._finder.runs
        found = {run.name: run for run in self._found}
        changed = self._members.keys() - found.keys()
        members = {}
        for name, run in found.items():
            member = self._members.get(name)
            if member is None or not member.follow(run):
                member = _Member(run)
                changed.add(name)
            members[name] = member
        self._members, self._sorted = members, False
        return changed

    def _read(self, deadline: float | None) -> set[str]:
        """Updates of known runs, then newest values of the rest, then whole curves."""
        changed: set[str] = set()
        begun = False

        def over() -> bool:
            return begun and deadline is not None and self._clock() >= deadline

        while self._news:
            if over():
                return changed
            begun = True
            member = self._news[-1]
            if member.log.read(SLICE_SECONDS):
                changed.add(member.found.name)
            if not member.log.pending:
                self._news.pop()
        while self._unseen:
            if over():
                return changed
            begun = True
            if not self._unseen[-1].large():
                member = self._unseen.pop()
                self._read_slice(member)
                changed.add(member.found.name)
                continue
            glimpsed, tails = list[_Member](), list[Records | None]()
            while self._unseen and self._unseen[-1].large() and len(tails) < TOGETHER:
                if tails and over():
                    break
                glimpsed.append(self._unseen.pop())
                tails.append(tail(glimpsed[-1].newest_file()))
            for member, newest in zip(glimpsed, self._glimpser.newest(tails), strict=True):
                member.glimpse = newest
                changed.add(member.found.name)
        while self._unread:
            member = self._unread[-1]
            if member.loaded:
                self._unread.pop()
                continue
            if over():
                return changed
            begun = True
            changed.add(member.found.name)
            self._read_slice(member)
        return changed

    def _read_slice(self, member: _Member) -> None:
        member.log.read(SLICE_SECONDS)
        member.glimpse = member.glimpse or {}
        member.loaded = not member.log.pending

    def _urgency(self, member: _Member) -> tuple[int, float]:
        place = self._preferred.get(member.found.name, len(self._preferred))
        return place, -member.log.modified

    def _publish(self, changed: set[str]) -> None:
        for name in changed:
            member = self._members.get(name)
            if member is None:
                self._shown.pop(name, None)
            else:
                self._shown[name] = member.snapshot(self._known_tags)
        self._runs = None
