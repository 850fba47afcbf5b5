"""Dropping what an ended run needs only to be resumed: checkpoints and optimiser states.

Curves, samples, scores, held-out rows, the result and what others build on stay. `plan` says what
would go and how many bytes that frees, `prune` does it: whole or not at all for each checkpoint,
and never through a symbolic link. A pruned run is marked, and cannot be resumed any more. Asks for
no confirmation, and knows nobody who builds on a checkpoint: the caller brings their names.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.jobs import delete, lock, status, write_errors
from engine.jobs.directory import MANIFEST, JobDirectory, list_checkpoints, read_json
from engine.jobs.resume_rules import MARKS
from engine.jobs.status import State
from engine.jobs.store import Store

KEEP = ("best", "last")
"""Checkpoints that may be kept, without their optimiser states."""
CHECKPOINT, STATE = "checkpoint", "optimizer state"
_STATES = ("optimizer.", "scheduler.", "scaler.", "rng_state")
"""How the names of files begin that only resuming reads."""


@dataclass(frozen=True, slots=True)
class PruneItem:
    """A folder or a file that goes."""

    path: Path
    what: str
    """`checkpoint`, `optimizer state`, `reference` of the alarm, or `leftover` of a cut save."""
    bytes: int
    """That are free once all items of the plan are gone; files that others share count nothing."""


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What pruning a run would drop and keep."""

    job: JobDirectory
    items: tuple[PruneItem, ...]
    kept: Mapping[str, str]
    """Each checkpoint that stays, by name, and why."""
    result: str
    """The folder of the run's result; empty where there is none."""

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.items)

    @property
    def ends_resuming(self) -> bool:
        """Whether the run can be resumed no more: leftovers alone are no loss."""
        return any(item.what in (CHECKPOINT, STATE) for item in self.items)

    @property
    def summary(self) -> str:
        """What goes, counted by kind; a checkpoint's states, of several files, count once."""
        parts = []
        for what in dict.fromkeys(item.what for item in self.items):
            paths = {
                item.path.parent if what == STATE else item.path
                for item in self.items
                if item.what == what
            }
            parts.append(f"{len(paths)} {what}{'s' * (len(paths) != 1)}")
        return ", ".join(parts)


def plan(
    job: JobDirectory,
    store: Store,
    keep: Collection[str] = (),
    users: Mapping[Path, str] | None = None,
) -> PrunePlan:
    """What would go. `keep` names some of KEEP; `users` who builds on which path, links resolved.

    A run that is not done keeps its last checkpoint and its best one, as it has no other weights.
    Raises EngineError for the bundled run, a link, and a run that (perhaps) runs.
    """
    delete.check(job, store)
    if job.checkpoints.is_symlink():
        raise _refused(job, f"{job.checkpoints} is a link to another folder")
    done = status.derive(job, status.read(job)) is State.DONE
    result = next((path.name for path in (job.adapter, job.model) if path.is_dir()), "")
    missing = "" if done and result else "it has no result" if done else "the run is not done"
    kept = _reasons(job, keep, users or {}, missing)
    paths: list[tuple[Path, str]] = []
    for checkpoint in _checkpoints(job.checkpoints):
        if checkpoint.name in kept:
            paths += [(path, STATE) for path in _states(checkpoint)]
        else:
            paths.append((checkpoint, CHECKPOINT))
    paths += [(path, "leftover") for path in _leftovers(job, kept)]
    paths += [(path, "reference") for path in _references(job)]
    freed = _freed([path for path, _ in paths])
    items = (PruneItem(path, what, size) for (path, what), size in zip(paths, freed, strict=True))
    return PrunePlan(job, tuple(items), kept, result)


def prune(planned: PrunePlan, store: Store) -> None:
    """Drop what was planned, and what an earlier pruning that was cut short left.

    Raises EngineError as `plan` does, and where the disk refuses: before anything is dropped where
    that can be known. What was not dropped by then is whole.
    """
    job = planned.job
    delete.check(job, store)
    _check_writable(planned)
    if planned.ends_resuming:
        _mark(job)
    try:
        for item in planned.items:
            if item.what == CHECKPOINT:
                _remove(item.path)
        for name in planned.kept:
            _drop_states(job.checkpoints / name)
        for item in planned.items:
            if item.what in ("leftover", "reference"):
                _remove(item.path)
    except OSError as error:
        raise _refused(job, f"{error.filename}: {error.strerror}", error) from error


def _reasons(
    job: JobDirectory, keep: Collection[str], users: Mapping[Path, str], missing: str
) -> dict[str, str]:
    """The checkpoints that stay, each with its reason; `missing` says why no result stands for
    them, and is empty where one does."""
    checkpoints = _checkpoints(job.checkpoints)
    marks = read_json(job.checkpoints / MARKS) or {}
    whole = [path for path in checkpoints if _is_whole(path)] or checkpoints
    names = {
        "best": f"checkpoint-{marks.get('best')}",
        "last": whole[-1].name if whole else "",
    }
    kept: dict[str, str] = {}
    for checkpoint in checkpoints:
        user = _user(checkpoint, users)
        known = [word for word in KEEP if names[word] == checkpoint.name]
        if user:
            kept[checkpoint.name] = f"used by {user}"
        elif chosen := [word for word in known if word in keep]:
            kept[checkpoint.name] = " and ".join(chosen)
        elif known and missing:
            kept[checkpoint.name] = f"{' and '.join(known)}, as {missing}"
    return kept


def _user(checkpoint: Path, users: Mapping[Path, str]) -> str:
    """Who builds on a checkpoint, or on a file of it; empty where nobody is known to."""
    real = Path(os.path.realpath(checkpoint))
    return next((who for path, who in users.items() if real in (path, *path.parents)), "")


def _checkpoints(folder: Path) -> list[Path]:
    """Those of a run that are folders of it; a link is none."""
    return [path for path in list_checkpoints(folder) if path.is_dir() and not path.is_symlink()]


def _is_whole(checkpoint: Path) -> bool:
    """Whether each file has the size that the manifest gives; their content is not read."""
    files = (read_json(checkpoint / MANIFEST) or {}).get("files")
    if not isinstance(files, dict):
        return False
    try:
        return all((checkpoint / name).stat().st_size == size for name, (size, _) in files.items())
    except (OSError, TypeError, ValueError):
        return False


def _states(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.iterdir() if path.name.startswith(_STATES))


def _leftovers(job: JobDirectory, kept: Collection[str]) -> list[Path]:
    """What saves and removals that were cut short left behind, but in checkpoints that go whole."""
    folders = (job.checkpoints, *(job.checkpoints / name for name in kept))
    removing = [path for folder in folders for path in sorted(folder.glob(f"{delete.MARK}*"))]
    return [path for path in (*job.unfinished(), *removing) if os.path.lexists(path)]


def _references(job: JobDirectory) -> list[Path]:
    """What the forgetting alarm keeps of the base while a run lasts."""
    folder = job.path / "probe"
    return [] if folder.is_symlink() else sorted(folder.glob("*.npy"))


def _freed(paths: list[Path]) -> list[int]:
    """The bytes that each path frees when all are gone. A file with other names frees none; one
    whose names all go counts where the last of them does."""
    left: dict[tuple[int, int], int] = {}
    freed = []
    for path in paths:
        size = 0
        for file in _files(path):
            with suppress(OSError):  # removed meanwhile
                now = file.lstat()
                inode = (now.st_dev, now.st_ino)
                left[inode] = left.get(inode, now.st_nlink) - 1
                size += now.st_size if left[inode] == 0 else 0
        freed.append(size)
    return freed


def _files(path: Path) -> Iterator[Path]:
    """The file, or all files below a folder; links are files."""
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):  # follows no link to a folder
        yield from (Path(folder, name) for name in names)


def _mark(job: JobDirectory) -> None:
    """Say that the run cannot be resumed any more, unless a worker has just taken it.

    An empty file: a full disk has room for it. The worker looks for it once it holds the lock, and
    here the lock is looked at once it is there: one of the two sees the other.
    """
    new = not job.pruned_file.exists()
    try:
        job.pruned_file.touch(mode=0o600)
    except OSError as error:
        raise _refused(job, f"{job.pruned_file}: {error.strerror}", error) from error
    if lock.holder(job.lock_file) is not None:
        if new:
            job.pruned_file.unlink()
        raise EngineError(
            f"{job.path.name} has just been resumed.", str(job.path), "Stop it first."
        )


def _drop_states(checkpoint: Path) -> None:
    """Take the optimiser's files out of a checkpoint, which verifies before and after."""
    states = _states(checkpoint)
    manifest = checkpoint / MANIFEST
    table = read_json(manifest)
    files = table.get("files") if table is not None else None
    if isinstance(files, dict):
        names = {path.name for path in states}
        rest = {name: known for name, known in files.items() if name not in names}
        atomic.replace_or_overwrite(manifest, json.dumps({**(table or {}), "files": rest}).encode())
    for path in states:
        path.unlink()


def _remove(path: Path) -> None:
    """Renamed first: what is cut short has a name that nobody looks for."""
    if not os.path.lexists(path):
        return  # somebody else removed it meanwhile
    if path.name.startswith(delete.MARK):
        going = path
    else:
        going = path.with_name(f"{delete.MARK}{path.name}")
        if going.is_dir() and not going.is_symlink():
            shutil.rmtree(going)
        os.replace(path, going)
    if going.is_dir() and not going.is_symlink():
        shutil.rmtree(going)
    else:
        going.unlink()


def _check_writable(planned: PrunePlan) -> None:
    """Raise EngineError where a folder takes no change: then nothing is begun."""
    job = planned.job
    folders = [job.path, job.checkpoints, *(job.checkpoints / name for name in planned.kept)]
    for item in planned.items:
        if item.path.is_dir() and not item.path.is_symlink():
            folders += [Path(folder) for folder, _, _ in os.walk(item.path)]
    for folder in folders:
        if folder.is_dir() and (reason := delete.why_not_writable(folder)):
            raise _refused(job, f"{folder}: {reason}")


def _refused(job: JobDirectory, detail: str, error: OSError | None = None) -> EngineError:
    remedy = write_errors.remedy(error) if error is not None else "Check owner and permissions"
    return EngineError(
        f"{job.path.name} could not be pruned.", detail, f"{remedy}, then try again."
    )
