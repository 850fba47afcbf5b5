"""One directory, watched by `stat` alone: its event files, its folders, and a few known names.

Listing a thousand directories at every poll is too slow, so a directory is listed again only when
its time of change moved, when that time is too young to be trusted, or now and then, for file
systems that do not keep it. Never opens a file.
"""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

MARK = "tfevents"
JOB, TRAINER, HPARAMS = "job.json", "trainer_state.json", "hparams.yaml"
TRAINER_LOG, CSV_LOG = "trainer_log.jsonl", "metrics.csv"
"""Of LLaMA-Factory, and of Lightning's CSVLogger."""
Signature = tuple[int, int, int, int]
"""What `stat` says of a file: device, inode, bytes, time of change in ns."""

RELIST_SECONDS = 10.0
"""How often a directory is listed though nothing seems to have changed."""
YOUNG_NS = 2_000_000_000
"""A time of change younger than this may still stand for several changes."""
_KNOWN = frozenset({JOB, TRAINER, HPARAMS, TRAINER_LOG, CSV_LOG})
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages"})  # and hidden ones


class Folder:
    """What one directory holds, as of the last `look`; the values are replaced, never changed."""

    def __init__(self, path: Path, *, wall_clock: Callable[[], int] = time.time_ns) -> None:
        self.path = path
        self.files: dict[str, Signature] = {}
        """Everything that is named like an event file, by name."""
        self.folders: tuple[str, ...] = ()
        """Directories and links to directories, in order of name, but hidden ones."""
        self.known: dict[str, Signature] = {}
        """Those of the few other files that runs are recognised by."""
        self.identity: tuple[int, int] | None = None
        """Device and inode; None while it is not there."""
        self.modified = 0.0
        """When the newest of its files changed, in seconds since the epoch; 0 without files."""
        self.refused: str | None = None
        """Why it cannot be listed."""
        self._wall_clock = wall_clock
        self._name = os.fspath(path)
        self._paths: tuple[tuple[str, Signature], ...] = ()
        self._listed: tuple[int, int, int] | None = None
        self._relist_at = 0.0

    def look(self, now: float) -> bool:
        """Bring it up to date; True where anything differs. `now` is of a monotonic clock."""
        if now < self._relist_at and self._same():
            return False
        before = self.files, self.folders, self.known, self.identity, self.refused
        self._list()
        # Spread over time, so that a thousand directories are not listed in the same poll.
        self._relist_at = now + RELIST_SECONDS * (1 + hash(self._name) % 64 / 64)
        return before != (self.files, self.folders, self.known, self.identity, self.refused)

    def _same(self) -> bool:
        if self._listed is None:
            return False
        try:
            status = os.stat(self._name)
            if (status.st_dev, status.st_ino, status.st_mtime_ns) != self._listed:
                return False
            for path, signature in self._paths:
                status = os.stat(path)
                if signature != (
                    status.st_dev,
                    status.st_ino,
                    status.st_size,
                    status.st_mtime_ns,
                ):
                    return False
        except OSError:
            return False
        return True

    def _list(self) -> None:
        self._listed = None
        files: dict[str, Signature] = {}
        known: dict[str, Signature] = {}
        folders: list[str] = []
        begun = self._wall_clock()
        try:
            status = os.stat(self._name)
            with os.scandir(self._name) as entries:
                for entry in entries:
                    _sort(entry, files, known, folders)
        except FileNotFoundError:
            self.files, self.known, self.folders = self.files and {}, {}, ()
            self.identity = self.refused = None
            return
        except OSError as error:
            self.refused = f"cannot be listed: {error.strerror}"
            return
        self.identity, self.refused = (status.st_dev, status.st_ino), None
        if files != self.files:
            self.files = files
        self.known, self.folders = known, tuple(sorted(folders))
        self.modified = max((one[3] for one in (*files.values(), *known.values())), default=0) / 1e9
        self._paths = tuple(
            (os.path.join(self._name, name), signature)
            for name, signature in (*files.items(), *known.items())
        )
        if status.st_mtime_ns < begun - YOUNG_NS:
            self._listed = (*self.identity, status.st_mtime_ns)


def _sort(
    entry: "os.DirEntry[str]",
    files: dict[str, Signature],
    known: dict[str, Signature],
    folders: list[str],
) -> None:
    marked = MARK in entry.name
    if not marked and entry.name not in _KNOWN:
        try:
            hidden = entry.name[0] == "." or entry.name in _PASSED_OVER
            if not hidden and entry.is_dir():
                folders.append(entry.name)
        except OSError:
            pass  # a link in a cycle, or without permission
        return
    try:
        status = entry.stat()
    except OSError:
        return  # removed since it was listed, or a broken link
    if stat.S_ISREG(status.st_mode):
        found = files if marked else known
        found[entry.name] = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    elif marked and stat.S_ISDIR(status.st_mode):
        folders.append(entry.name)
