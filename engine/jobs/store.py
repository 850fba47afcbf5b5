"""The runs of all folders that were ever used: found, listed, named.

Every root is remembered in the user's state folder, so that runs are found from any folder.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import platformdirs

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, JobRecord
from engine.state_files import StateFile, digest, state_folder


def default_root(folder: str | os.PathLike[str] | None = None) -> Path:
    """Where new runs go: the given folder, FINETOP_RUNS, ./runs if it is there, else user data."""
    chosen = folder or os.environ.get("FINETOP_RUNS")
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()
    here = Path.cwd() / "runs"
    return here if here.is_dir() else platformdirs.user_data_path("finetop") / "runs"


class Store:
    """The job directories under a set of roots, the first of which takes new runs."""

    def __init__(
        self, root: Path, others: Iterable[Path] = (), shipped: Iterable[Path] = ()
    ) -> None:
        self.root = root
        self.roots = list(dict.fromkeys([root, *others]))
        self.shipped = tuple(
            JobDirectory(path, state_folder() / "shipped" / f"{path.name}.json") for path in shipped
        )
        """Bundled read-only jobs; the user's notes on them are kept elsewhere."""

    def jobs(self) -> list[JobDirectory]:
        """Every job on disk: the shipped ones, then each root's, in order of name."""
        jobs = [job for job in self.shipped if job.record_file.exists()]
        for root in self.roots:
            jobs += [JobDirectory(path) for path in _folders(root)]
        return jobs

    def at(self, path: Path) -> JobDirectory:
        """The job of a folder, which need not be there."""
        return next((job for job in self.shipped if job.path == path), JobDirectory(path))

    def find(self, text: str) -> JobDirectory:
        """The one job that `text` names: a path, an id, a name, or the start of one.

        Raises EngineError where there is none, or several.
        """
        path = Path(os.path.expanduser(text))
        if path.is_absolute() or os.sep in text:
            job = self.at(path.absolute())
            if job.record() is None:
                raise EngineError("This is not a run directory.", str(path), "See finetop runs.")
            return job
        records = [(job, self.record(job)) for job in self.jobs()]
        known = [(job, record) for job, record in records if record is not None]
        for matches in (
            [job for job, record in known if record.id == text],
            [job for job, record in known if record.name == text],
            [job for job, record in known if record.id.startswith(text)],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                names = ", ".join(job.path.name for job in matches)
                raise EngineError(f"Several runs match {text!r}.", names, "Use the full id.")
        raise EngineError(f"No run {text!r}.", _searched(self.roots), "See finetop runs.")

    def record(self, job: JobDirectory) -> JobRecord | None:
        """The job's record; None for one that is not there yet, or cannot be read."""
        try:
            return job.record()
        except EngineError:
            return None


def open_store(folder: str | os.PathLike[str] | None = None, *, remember: bool = False) -> Store:
    """The store of this user: the default root, all remembered ones, the shipped run."""
    from engine.bundled import PRETRAIN_RUN

    root = default_root(folder)
    if remember:
        remember_root(root)
    return Store(root, remembered_roots(), [PRETRAIN_RUN])


def remember_root(root: Path) -> None:
    """Remember a root. One small file each, so that two programs never overwrite a list."""
    note = _root_note(_roots_folder() / digest(root)[:16])
    if not note.path.exists():
        with suppress(OSError):  # a read-only home must not keep anyone from training
            note.save(root)


def remembered_roots() -> list[Path]:
    """Every remembered root that still exists, in a stable order."""
    try:
        paths = sorted(_roots_folder().iterdir())
    except OSError:
        return []
    roots = [_root_note(path).load()[0] for path in paths if not path.name.startswith(".")]
    return [root for root in roots if root is not None and root.is_dir()]


def _roots_folder() -> Path:
    return state_folder() / "roots"


def _root_note(path: Path) -> StateFile[Path]:
    return StateFile(
        path, "folder", lambda content: Path(os.fsdecode(content)), os.fsencode, durable=True
    )


def _folders(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."]
    except OSError:
        return []
    return [
        path for name in sorted(names) if (path := root / name) and (path / "job.json").exists()
    ]


def _searched(roots: list[Path]) -> str:
    return "Searched: " + ", ".join(str(root) for root in roots) + "."
