"""All information in a run's directory except its curves and its log."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, JobRecord, read_json
from engine.jobs.summary import JobView, view
from engine.recipes.recipe import Recipe, to_toml
from engine.safe_open import open_file

PARTS = ("checkpoints", "adapter", "model", "base", "events", "attempts")


@dataclass(frozen=True, slots=True)
class Input:
    path: str
    sha256: str
    there: bool
    """Whether something still lies at that path; not whether it is the same."""


@dataclass(frozen=True, slots=True)
class Start:
    number: int
    facts: Mapping[str, str]
    """Facts on the worker and its libraries; not cleaned."""


@dataclass(frozen=True, slots=True)
class Overview:
    view: JobView
    toml: str
    """The recipe of the latest attempt; empty where it cannot be read."""
    recipe: Recipe | None
    inputs: tuple[Input, ...]
    starts: tuple[Start, ...]
    samples: int
    """Answers: sampled during training, or those of a generate job."""
    rejects: int
    sizes: Mapping[str, int]
    """Bytes by part of the directory; `other` is the rest."""

    @property
    def record(self) -> JobRecord:
        return self.view.record

    @property
    def size(self) -> int:
        return sum(self.sizes.values())


def gather(job: JobDirectory) -> Overview:
    """Read it all; takes as long as listing the directory. Raises EngineError for no job."""
    overview = view(job)
    if overview is None:
        raise EngineError("This run no longer exists.", str(job.path))
    return Overview(
        overview,
        to_toml(overview.recipe) if overview.recipe is not None else "",
        overview.recipe,
        tuple(
            Input(path, sha256, Path(path).exists())
            for path, sha256 in overview.record.inputs.items()
        ),
        tuple(_start(job, number) for number in range(1, job.latest_attempt() + 1)),
        _lines(job.samples),
        _lines(job.rejects),
        _sizes(job.path),
    )


def _start(job: JobDirectory, number: int) -> Start:
    table = read_json(job.attempt(number).process) or {}
    facts: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            facts |= {str(name): str(one) for name, one in value.items()}
        elif isinstance(value, list):
            facts[key] = " ".join(str(one) for one in value)
        else:
            facts[key] = str(value)
    return Start(number, facts)


def _lines(path: Path) -> int:
    count = 0
    try:
        with open_file(path) as file:
            while block := file.read(1 << 20):
                count += block.count(b"\n")
    except OSError:
        return count
    return count


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes on disk by part. Files that share their content by a hard link count once."""
    sizes = dict.fromkeys((*PARTS, "other"), 0)
    seen: set[tuple[int, int]] = set()
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue  # removed meanwhile
        if path.is_dir() or (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        part = path.relative_to(folder).parts[0]
        sizes[part if part in PARTS else "other"] += status.st_size
    return {part: size for part, size in sizes.items() if size}
