"""Finds the runs below some paths, repeatedly: directories only, nothing is ever written.

A run is a directory with event files in it, a job of finetop, an output directory of the Trainer
that has a `trainer_state.json`, in it or in its checkpoints, or one with LLaMA-Factory's
`trainer_log.jsonl` or Lightning's `metrics.csv`. Event files with scalars, in it or below, hide
what the Trainer wrote beside them; those without hide nothing. Where several runs wrote
checkpoints into one directory, each is one, the newest under the directory's own name.

Links are followed, and each directory counts once, under the first path that leads to it, so loops
end by themselves. Files are opened only where their names do not say what they are.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from engine.errors import EngineError
from engine.events.event_file import holds_scalars
from engine.events.histories import HistoryReader
from engine.events.line_parsers import is_metrics_csv
from engine.events.trainer_state import checkpoints, is_checkpoint
from engine.events.watched_folder import CSV_LOG, JOB, MARK, TRAINER, TRAINER_LOG, Folder, Signature
from engine.jobs.directory import JobDirectory

_LOG_FILES = (TRAINER, TRAINER_LOG, CSV_LOG)
_NUMBER = re.compile(r"(\d+)")
_EVENTS = "events"
_RENEW_SECONDS = 0.25
"""How often the list is rebuilt while directories are still being scanned."""
_TURN = 200
"""Folders without a run that are scanned in one poll; the others follow in later polls."""


class Kind(StrEnum):
    EVENTS = "events"
    JOB = "job"
    TRAINER = "trainer"
    TRAINER_LOG = "trainer_log"
    CSV = "csv"


_OF_TRAINER = (Kind.TRAINER, Kind.TRAINER_LOG)
"""What event files below hide: their writer wrote both."""
_STATE_IS_OLD_NS = 60_000_000_000
"""By how much a `trainer_log.jsonl` is newer than the state of an earlier run beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A run by its place on disk."""

    name: str
    """Path relative to the root it was found under; the root's own name for the root itself."""
    path: Path
    kind: Kind
    folder: Folder
    """The directory with its files: the run's own, or `events` of a job."""
    state: str = TRAINER
    """Of the Trainer: the file with the history of this run, relative to the directory."""


@dataclass(slots=True, eq=False)
class _Node:
    folder: Folder
    name: str
    parent: "_Node | None"
    kind: Kind | None = None
    children: "dict[str, _Node]" = field(default_factory=dict)
    listed: bool = False
    gone: bool = False
    holds_scalars: bool = True
    """Of its event files; looked into where a log of another kind would be hidden by them."""
    scalars: "dict[str, tuple[tuple[int, ...], bool]]" = field(default_factory=dict)
    """Of each event file: whether it holds one, and of which file that was seen."""
    judged: object = None
    """By what files `holds_scalars` and `states` were judged."""
    states: tuple[str, ...] = ()
    """Of the Trainer: the newest state of each run, the newest run first."""
    histories: HistoryReader = field(default_factory=HistoryReader)


def roots(paths: Iterable[str | Path]) -> list[Path]:
    """Paths as a person gives them, as roots to look below; the folder of a file that is named.

    Raises EngineError for one that is not there or that cannot be entered.
    """
    found: list[Path] = []
    for given in paths:
        path = Path(given).expanduser()
        try:
            if path.is_file() and (MARK in path.name or path.name in _LOG_FILES):
                path = path.parent
            if not path.is_dir():
                what = "is a file" if path.exists() else "does not exist"
                raise EngineError(
                    f"The log directory {what}.", str(path), "Use a folder with runs."
                )
            next(path.iterdir(), None)
        except OSError as error:
            raise EngineError(
                "The log directory cannot be read.",
                f"{path}: {error.strerror}",
                "Use a folder that you can read.",
            ) from error
        found.append(path.absolute())
    return list(dict.fromkeys(found))


class Finder:
    """Keeps the list of runs below its roots up to date. For one thread."""

    def __init__(
        self, paths: Sequence[Path], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.runs: tuple[Found, ...] = ()
        """In natural order of name; replaced, never changed, by `look`."""
        self.pending = True
        """True while some directories were not looked into yet."""
        self._clock = clock
        self._roots = [_Node(Folder(path), "", None) for path in paths]
        self._owners: dict[tuple[int, int], _Node] = {}
        self._new = deque(self._roots)
        self._watched: list[_Node] = []
        self._others: deque[_Node] = deque()
        self._twins: list[_Node] = []
        self._unjudged: deque[_Node] = deque()
        self._csv_logs: dict[Path, tuple[Signature, bool]] = {}
        self._dirty = True
        self._renew_at = 0.0
        self._titles = _titles(paths)

    def look(self, deadline: float | None = None) -> bool:
        """Look at what is known, then into new directories; True where the runs are others.

        Stops at `deadline`, by the clock, after one new directory at least, and leaves `pending`
        True.
        """
        self._look_again()
        return self.explore(deadline)

    def explore(self, deadline: float | None = None) -> bool:
        """Look into directories that are new, and only there; else as `look`."""
        now, begun = self._clock(), False
        while self._new and not (begun and deadline is not None and self._clock() >= deadline):
            begun = True
            node = self._new.popleft()
            if not node.gone:
                node.folder.look(now)
                if not node.listed:
                    node.listed = True
                    self._others.append(node)
                self._settle(node)
        while self._unjudged and not (
            self._new or (begun and deadline is not None and self._clock() >= deadline)
        ):
            begun = True
            node = self._unjudged.popleft()
            if not node.gone and self._owners.get(node.folder.identity or (0, 0)) is node:
                self._judge(node)
        waiting = bool(self._new or self._unjudged)
        self._dirty |= self.pending and not waiting
        self.pending = waiting
        now = self._clock()
        if not self._dirty or (self.pending and now < self._renew_at):
            return False
        self._renew_at = now + _RENEW_SECONDS
        return self._renew()

    def _look_again(self) -> None:
        now = self._clock()
        for node in self._watched:
            if not node.gone and node.folder.look(now):
                self._settle(node)
        for _ in range(min(_TURN, len(self._others))):
            node = self._others.popleft()
            if node.gone:
                continue
            self._others.append(node)
            if node.folder.look(now):
                self._settle(node)

    def _settle(self, node: _Node) -> None:
        """Store the scan result of a directory."""
        identity = node.folder.identity
        owner = self._owners.setdefault(identity, node) if identity else node
        if owner is not node and not owner.gone and owner.folder.identity == identity:
            self._twins.append(node)
            names: Sequence[str] = ()
            kind = None
        else:
            if identity:
                self._owners[identity] = node
            kind = self._kind(node)
            names = _below(node, kind)
        self._turn_into(node, kind)
        self._ask_for_judgement(node)
        for name in node.children.keys() - set(names):
            self._drop(node.children.pop(name))
        for name in names:
            if name not in node.children:
                relative = f"{node.name}/{name}" if node.name else name
                child = _Node(Folder(node.folder.path / name), relative, node)
                node.children[name] = child
                self._new.append(child)

    def _kind(self, node: _Node) -> Kind | None:
        if JOB in node.folder.known and (node.kind is Kind.JOB or _is_job(node.folder.path)):
            return Kind.JOB
        if node.parent and node.parent.kind is Kind.JOB:
            return None  # its events are the job's
        if node.folder.files and node.holds_scalars:
            return Kind.EVENTS
        if node.parent and is_checkpoint(node.folder.path.name):
            return None  # one state of the run that it belongs to
        return self._kind_without_events(node) or (Kind.EVENTS if node.folder.files else None)

    def _kind_without_events(self, node: _Node) -> Kind | None:
        known = node.folder.known
        state, log = known.get(TRAINER), known.get(TRAINER_LOG)
        if log and not (state and log[3] - state[3] < _STATE_IS_OLD_NS):
            return Kind.TRAINER_LOG
        if state or checkpoints(node.folder.folders):
            return Kind.TRAINER
        return Kind.CSV if CSV_LOG in known and self._is_csv_log(node) else None

    def _is_csv_log(self, node: _Node) -> bool:
        path, signature = node.folder.path, node.folder.known[CSV_LOG]
        known = self._csv_logs.get(path)
        if known is None or not (known[1] or known[0] == signature):
            known = self._csv_logs[path] = signature, is_metrics_csv(path / CSV_LOG)
        return known[1]

    def _ask_for_judgement(self, node: _Node) -> None:
        """Queue what must be read before it is known which runs there are."""
        if node.folder.files and (self._kind_without_events(node) or _below_trainer(node)):
            self._unjudged.append(node)
        owner = node.parent if node.parent and is_checkpoint(node.folder.path.name) else node
        if owner.listed and self._kind_without_events(owner) is Kind.TRAINER:
            self._unjudged.append(owner)

    def _judge(self, node: _Node) -> None:
        """Look into its files: whether there are scalars, and of how many runs the states are."""
        states = _states(node)
        seen = node.folder.files, states
        if seen == node.judged:
            return
        node.judged = seen
        before = node.states, node.kind, node.holds_scalars
        node.holds_scalars = any(_has_scalars(node, name) for name in node.folder.files)
        node.states = node.histories.runs(node.folder.path, states)
        self._turn_into(node, self._kind(node))
        self._dirty |= before != (node.states, node.kind, node.holds_scalars)

    def _turn_into(self, node: _Node, kind: Kind | None) -> None:
        """What a directory is now; event files below a Trainer's are looked into from then on."""
        if kind is node.kind:
            return
        node.kind, self._dirty = kind, True
        if kind in _OF_TRAINER:
            self._unjudged.extend(one for one in _walk(node) if one.folder.files)

    def _drop(self, node: _Node) -> None:
        node.gone = self._dirty = True
        self._new.extend(self._twins)  # another path to it may still be there
        self._twins.clear()
        if node.folder.identity and self._owners.get(node.folder.identity) is node:
            del self._owners[node.folder.identity]
        for child in node.children.values():
            self._drop(child)

    def _renew(self) -> bool:
        self._dirty = False
        known = {found.path: found for found in self.runs}
        found: list[tuple[list[tuple[int, str]], int, Found]] = []
        self._watched, self._others = [], deque()
        for root, title in zip(self._roots, self._titles, strict=True):
            nodes = [node for node in _walk(root) if node.listed]
            above = {id(up) for node in nodes if node.kind is Kind.EVENTS and node.holds_scalars
                     for up in _up(node)}  # fmt: skip
            for node in nodes:
                is_run = node.kind is not None
                is_part = node.parent is not None and node.parent.kind is Kind.JOB
                (self._watched if is_run or is_part else self._others).append(node)
                of_trainer = node.kind in _OF_TRAINER
                if node.kind is None or (of_trainer and id(node) in above):
                    continue
                if of_trainer and self.pending and node.folder.path not in known:
                    continue  # event files may still be found below it
                name = "/".join(part for part in (title, node.name) if part)
                name = name or node.folder.path.name or "/"
                for place, run in enumerate(_runs_of(node, name)):
                    old = known.get(run.path)
                    kept = old if old is not None and _is_same(old, run) else run
                    found.append((_natural(name), place, kept))
        runs = tuple(run for *_, run in sorted(found, key=lambda one: one[:2]))
        changed = runs != self.runs
        self.runs = runs
        return changed


def _runs_of(node: _Node, name: str) -> Iterator[Found]:
    """The runs of one directory; more than one only where several wrote states into it."""
    assert node.kind is not None
    path = node.folder.path
    if node.kind is Kind.JOB:
        yield Found(name, path, node.kind, node.children[_EVENTS].folder)
        return
    first, *earlier = node.states if node.kind is Kind.TRAINER and node.states else (TRAINER,)
    yield Found(name, path, node.kind, node.folder, first)
    for state in earlier:
        place = state.rpartition("/")[0] or state
        yield Found(f"{name}/{place}", path / place, node.kind, node.folder, state)


def _is_same(old: Found, new: Found) -> bool:
    return (old.name, old.kind, old.folder, old.state) == (
        new.name, new.kind, new.folder, new.state
    )  # fmt: skip


def _has_scalars(node: _Node, name: str) -> bool:
    """Whether an event file holds one; once it does, however it grows."""
    signature = node.folder.files[name]
    known = node.scalars.get(name)
    if known is None or known[0] != (signature[:2] if known[1] else signature):
        held = holds_scalars(node.folder.path / name)
        known = node.scalars[name] = signature[:2] if held else signature, held
    return known[1]


def _states(node: _Node) -> dict[str, Signature]:
    """The Trainer's states of one directory: its own, and its checkpoints'."""
    folders = {"": node.folder} | {
        f"{name}/": child.folder for name, child in node.children.items() if is_checkpoint(name)
    }
    return {
        f"{place}{TRAINER}": folder.known[TRAINER]
        for place, folder in folders.items()
        if TRAINER in folder.known
    }


def _below_trainer(node: _Node) -> bool:
    return any(up.kind in _OF_TRAINER for up in _up(node))


def _below(node: _Node, kind: Kind | None) -> Sequence[str]:
    if kind is Kind.JOB:
        return (_EVENTS,)
    if node.parent and node.parent.kind is Kind.JOB:
        return ()
    return node.folder.folders


def _is_job(path: Path) -> bool:
    try:
        return JobDirectory(path).record() is not None
    except EngineError:
        return True  # of a newer finetop, and a job all the same


def _walk(node: _Node) -> Iterator[_Node]:
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(node.children.values())


def _up(node: _Node) -> Iterator[_Node]:
    above: _Node | None = node
    while above is not None:
        yield above
        above = above.parent


def _natural(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part.lower()) for part in _NUMBER.split(name)
    ]


def _titles(paths: Sequence[Path]) -> list[str]:
    """What runs of each root are called before their own name: nothing where there is one root."""
    if len(paths) < 2:
        return [""] * len(paths)
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        titles = ["/".join(path.parts[-depth:]).strip("/") for path in paths]
        if len(set(titles)) == len(titles):
            return titles
    return [str(path).strip("/") for path in paths]
