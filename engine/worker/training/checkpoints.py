"""A run's own checkpoints: written aside, flushed, renamed; the newest that verifies is resumed.

A checkpoint that was cut short never has the name that resuming looks for, and one that a disk
spoiled does not match its manifest. `marks.json` beside them says which are the ones to know.
"""

import json
import os
import shutil
import zlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine import atomic
from engine.jobs.directory import MANIFEST, SAVING, JobDirectory, list_checkpoints, step_of
from engine.jobs.resume_rules import MARKS


@dataclass(frozen=True, slots=True)
class Marks:
    """`marks.json`: what a run's measuring says of its checkpoints. Steps, or None."""

    best: int | None = None
    """The best of those kept, by `keep_best` or the metric of the recipe."""
    within_budget: int | None = None
    """The last of those kept whose forgetting was within the budget when it was made."""
    crossed_at: int | None = None
    """The first evaluation that was over the budget."""
    ended: str = ""
    """Why the run ended early: "patience", "budget", or "" where it did not."""
    lost: dict[str, int] = field(default_factory=dict)
    """Skills that have an alarm, with the step at which it was raised."""

    @property
    def kept(self) -> set[int]:
        """Steps whose checkpoints are never removed."""
        return {step for step in (self.best, self.within_budget) if step is not None}


def write_marks(folder: Path, marks: Marks) -> None:
    """Replace `marks.json`."""
    folder.mkdir(exist_ok=True)
    atomic.write_json(folder / MARKS, asdict(marks))


def publish(aside: Path, folder: Path, step: int) -> Path:
    """Make what was saved in `aside` the checkpoint of `step`, whole or not at all."""
    # A pickle that resuming does not need: who loads this checkpoint shall meet none of it.
    (aside / "training_args.bin").unlink(missing_ok=True)
    files = {path.name: _fingerprint(path) for path in sorted(aside.iterdir()) if path.is_file()}
    atomic.write_json(aside / MANIFEST, {"step": step, "files": files})
    # From an attempt that went further and could not be resumed there: they do not verify, and
    # would outlive this one where only the newest few are kept.
    for path in list_checkpoints(folder):
        if step_of(path) >= step:
            _remove(path)
    final = folder / f"checkpoint-{step}"
    atomic.publish_directory(aside, final)
    return final


def newest(folder: Path) -> Path | None:
    """The checkpoint with the highest step whose files are as they were written."""
    return next((path for path in reversed(list_checkpoints(folder)) if verifies(path)), None)


def with_tokenizer(job: JobDirectory) -> list[Path]:
    """The folders of a run that may hold its tokenizer's files, the newest checkpoint first."""
    return [*reversed(list_checkpoints(job.checkpoints)), job.base]


def verifies(checkpoint: Path) -> bool:
    """Whether every file is there with the size and CRC that the manifest gives."""
    try:
        files = json.loads((checkpoint / MANIFEST).read_bytes())["files"]
        return all(_fingerprint(checkpoint / name) == known for name, known in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def prune(folder: Path, keep: int, never: Collection[int] = ()) -> None:
    """Remove all but the newest `keep` checkpoints and those of the steps in `never`.

    What a cut save left behind goes too.
    """
    clear(folder)
    for path in list_checkpoints(folder)[:-keep]:
        if step_of(path) not in never:
            _remove(path)


def clear(folder: Path) -> None:
    """Remove what a save or a removal that was cut short left behind."""
    shutil.rmtree(folder / SAVING, ignore_errors=True)
    for path in folder.glob(".removing-*"):
        shutil.rmtree(path, ignore_errors=True)


def _remove(path: Path) -> None:
    # Renamed first: a removal that is cut short must not leave a checkpoint's name.
    going = path.with_name(f".removing-{path.name}")
    os.replace(path, going)
    shutil.rmtree(going, ignore_errors=True)


def _fingerprint(path: Path) -> list[int]:
    """Size in bytes and CRC-32 of a file."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
        return [file.tell(), crc]
