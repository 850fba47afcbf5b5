"""A job's directory: the path of each file, its identity, its creation.

One writer a file: the launcher writes `job.json`, `recipe.toml` and a judge's `questions.jsonl`
once, the dashboard the user's notes, votes and reviews (`user.json`, `remarks.json`,
`votes-*.jsonl`, `rubrics.txt`, `reviews.jsonl`) and the mark of a pruned run (`pruned`), the worker
all else.
"""

import dataclasses
import hashlib
import json
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.jobs import write_errors
from engine.recipes import recipe as recipes
from engine.recipes import validation
from engine.recipes.recipe import Recipe
from engine.safe_open import open_file, read_file

RUN = "run:"
"""What a ref to a job, or to what it made, begins with, before its id."""
SCHEMA = 1
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Of a job: parts of file names are made of it."""
SAVING = ".saving"
"""The folder, among a run's checkpoints, in which one is written until it is whole."""
MANIFEST = "finetop.json"
"""Beside the files of a checkpoint: their sizes and CRCs."""
MOST_BYTES = 1 << 26
"""Of a JSON file of a job; a larger one is none of ours."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """`job.json`: what never changes."""

    id: str
    kind: str
    name: str
    created: float
    """Unix seconds."""
    parents: list[str] = field(default_factory=list)
    """Refs of the checkpoints or runs that it builds on."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Input file to its SHA-256."""
    sweep: str = ""
    """The id of the sweep that started it; empty where a user did."""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """The files of one start of the worker."""

    path: Path

    @property
    def process(self) -> Path:
        return self.path / "process.json"

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.toml"

    @property
    def log(self) -> Path:
        return self.path / "worker.log"

    @property
    def stop_request(self) -> Path:
        return self.path / "stop"


@dataclass(frozen=True, slots=True)
class JobDirectory:
    """The paths of a job. Making one touches no disk."""

    path: Path
    notes: Path | None = field(default=None, compare=False)
    """Path of the user's notes on a job whose folder is not the user's."""

    @property
    def record_file(self) -> Path:
        return self.path / "job.json"

    @property
    def recipe_file(self) -> Path:
        return self.path / "recipe.toml"

    @property
    def lock_file(self) -> Path:
        return self.path / "alive.lock"

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def launch_log(self) -> Path:
        """Output of a worker before it opened its own log."""
        return self.path / "launch.log"

    @property
    def events(self) -> Path:
        return self.path / "events"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def base(self) -> Path:
        """A full model: the base of the run's adapter, where it merged another one first."""
        return self.path / "base"

    @property
    def samples(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def control_samples(self) -> Path:
        """Answers of an evaluation's controls, which nobody compares as answers."""
        return self.path / "control_samples.jsonl"

    @property
    def held_out(self) -> Path:
        """The rows that a run keeps apart, as items: a file of prompts."""
        return self.path / "held_out.jsonl"

    @property
    def skills(self) -> Path:
        """What a run measured of its suites while it trained, item by item."""
        return self.path / "skills.jsonl"

    @property
    def rejects(self) -> Path:
        return self.path / "rejects.jsonl"

    @property
    def items(self) -> Path:
        """What an evaluation asked, an item a line, with the ids of its samples."""
        return self.path / "items.jsonl"

    @property
    def questions(self) -> Path:
        """What a judge is asked, a question a line; of the launcher, before the worker starts."""
        return self.path / "questions.jsonl"

    @property
    def scores(self) -> Path:
        """What an evaluation or a judge has measured so far, row by row."""
        return self.path / "scores.jsonl"

    @property
    def results(self) -> Path:
        return self.path / "results.json"

    @property
    def proof(self) -> Path:
        """What an export checked of what it wrote, also where it failed."""
        return self.path / "proof.json"

    @property
    def points(self) -> Path:
        """The points of a sweep, with the run of each."""
        return self.path / "points.json"

    @property
    def sources(self) -> Path:
        """The raw texts of which a job makes data, a row a line."""
        return self.path / "sources.jsonl"

    @property
    def outcomes(self) -> Path:
        """What became of each source so far."""
        return self.path / "outcomes.jsonl"

    @property
    def reviews(self) -> Path:
        """What a person decided of the rows made; of the dashboard."""
        return self.path / "reviews.jsonl"

    @property
    def pruned_file(self) -> Path:
        """An empty file, there once what resuming needs was dropped; of whoever pruned the run."""
        return self.path / "pruned"

    @property
    def user_file(self) -> Path:
        return self.notes or self.path / "user.json"

    @property
    def attempts(self) -> Path:
        return self.path / "attempts"

    def unfinished(self) -> list[Path]:
        """What is written aside until it is whole, by a worker that ended before; it is not read.

        Only where no worker is at work is it that.
        """
        outputs = (self.adapter, self.model, self.base)
        return [
            *(path.with_name(f".{path.name}") for path in outputs),
            self.checkpoints / SAVING,
            *self.path.glob(f".{self.status_file.name}.*"),
        ]

    def attempt(self, number: int) -> AttemptFiles:
        return AttemptFiles(self.attempts / str(number))

    def latest_attempt(self) -> int:
        """The highest attempt number on disk; 0 where none has started."""
        try:
            names = [entry.name for entry in self.attempts.iterdir()]
        except OSError:
            return 0
        return max((int(name) for name in names if name.isdecimal()), default=0)

    def record(self) -> JobRecord | None:
        """`job.json`, or None where this is no job directory (yet).

        Raises EngineError for a job of a newer finetop, and for a record that cannot become right
        by waiting: a pipe, a device, one that is too large, an id that is none.
        """
        try:
            table = json.loads(read_file(self.record_file, MOST_BYTES))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except (OSError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else "nested too deeply"
            raise EngineError(
                f"{self.path.name}: job.json cannot be read: {reason}", str(self.record_file)
            ) from error
        if not isinstance(table, dict) or "id" not in table or "kind" not in table:
            return None
        if table.get("schema") != SCHEMA:
            raise EngineError(
                f"The job {self.path.name} has schema {table.get('schema')!r}; "
                f"this finetop reads schema {SCHEMA}.",
                str(self.record_file),
                "Open it with the finetop version that created it.",
            )
        record = validation.from_untrusted(JobRecord, table)
        if record is not None and not _ID.fullmatch(record.id):
            raise EngineError(
                f"{self.path.name}: job.json has an invalid id", str(self.record_file)
            )
        return record

    def recipe(self) -> Recipe:
        """The recipe that holds now."""
        return recipes.read(self.latest_recipe())

    def latest_recipe(self) -> Path:
        """The recipe of the latest attempt that changed it, else the first one."""
        attempts = map(self.attempt, range(self.latest_attempt(), 0, -1))
        return next((one.recipe for one in attempts if one.recipe.exists()), self.recipe_file)


def name_partial(out: Path, job: str) -> Path:
    """The hidden folder beside `out` in which the export of this id writes and proves it."""
    return out.with_name(f".{out.name}.partial-{job}")


def create(
    root: Path,
    recipe: Recipe,
    parents: Sequence[str] = (),
    inputs: Sequence[Path] = (),
    fill: Callable[[JobDirectory], object] = lambda _: None,
    sweep: str = "",
) -> JobDirectory:
    """Make a job's directory under `root`, whole or not at all, readable by its owner alone.

    `fill` writes what else is in it from the start, which is nothing where a worker does that.
    Raises EngineError where the root cannot be written.
    """
    slug = slugify(recipe.name)
    try:
        root.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        try:
            return _fill(root, beside, slug, recipe, parents, inputs, fill, sweep)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    except OSError as error:
        raise EngineError(
            "The run's directory cannot be created.",
            f"{error.filename or root}: {error.strerror or error}",
            f"{write_errors.remedy(error)}, or use another folder with --runs DIR.",
        ) from error


def _fill(
    root: Path,
    beside: Path,
    slug: str,
    recipe: Recipe,
    parents: Sequence[str],
    inputs: Sequence[Path],
    fill: Callable[[JobDirectory], object],
    sweep: str,
) -> JobDirectory:
    hashes = {str(path): sha256(path) for path in inputs}
    job = JobDirectory(beside)
    fill(job)
    while True:
        identity = f"{slug}-{secrets.token_hex(2)}"
        record = JobRecord(
            identity, recipe.kind, recipe.name, time.time(), list(parents), hashes, sweep
        )
        atomic.write_json(job.record_file, dataclasses.asdict(record))
        atomic.write_text(job.recipe_file, recipes.to_toml(recipe))
        for folder in (job.attempts, job.events):
            folder.mkdir(exist_ok=True)
        try:
            atomic.publish_directory(beside, root / identity)
        except FileExistsError:
            continue
        return JobDirectory(root / identity)


def slugify(name: str) -> str:
    """A name that is valid for a directory: letters, digits, dot and dash, at most 60."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:60] or "run"


def read_json(path: Path) -> Mapping[str, object] | None:
    """A JSON object, or None: a file that is missing or half there means "not yet"."""
    try:
        value = json.loads(read_file(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content in hex; of a folder, of the names and contents below it."""
    if not path.is_dir():
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for one in sorted(path.rglob("*")):
        if one.is_file():
            whole.update(f"{one.relative_to(path)}\0{sha256(one)}\n".encode("utf-8", "replace"))
    return whole.hexdigest()


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run in order of step, verified or not."""
    paths = [path for path in folder.glob("checkpoint-*") if path.name[11:].isdecimal()]
    return sorted(paths, key=step_of)


def step_of(checkpoint: Path) -> int:
    """The optimiser step at which a checkpoint was made."""
    return int(checkpoint.name.rpartition("-")[2])
