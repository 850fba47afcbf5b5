"""The data sets that can be picked: bundled ones, and files in folders, train and eval paired.

Reads the first rows of each file only: the number of rows of a large one is an estimate and says
so. What cannot be learned from is listed with the reason. A JSON file that is no list of rows (a
config) is no data set and is left out.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

from engine.catalog import rows
from engine.catalog.files import is_folder
from engine.catalog.formats import is_object, read_raw
from engine.catalog.rows import Rows
from engine.demo import DATA
from engine.errors import EngineError

__all__ = ["DataSet", "list_datasets", "preview", "resolve"]

_BUNDLED = "bundled:"
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_TRAIN = re.compile(r"^(?:(.*?)[-_. ])?(?:train|training)$", re.IGNORECASE)
_EVAL_WORDS = ("eval", "validation", "valid", "val", "dev", "test")
_DEEPEST = 2
"""Levels below a configured folder."""
_MOST_FOLDERS = 500
_MOST_FILES = 1000
COUNTED_BYTES = 1 << 20
"""Read of each file to count its rows; the rest is estimated."""


@dataclass(frozen=True, slots=True)
class DataSet:
    ref: str
    """What a recipe names it by: `bundled:emotion`, or the absolute path of the file."""
    name: str
    path: Path
    eval_path: Path | None
    rows: int | None
    """In the training file; None where it cannot be read."""
    schema: str | None
    description: str
    """Where it lies and how large it is, or what a bundled one is about."""
    reason: str | None
    """None: usable. Else why it cannot be used, in plain words."""
    estimated: bool = False
    """Whether `rows` was reckoned from the start of the file."""


_DESCRIPTIONS: Mapping[str, str] = {
    "emotion": "which of six emotions a sentence tells of",
    "counsel": "questions to a counsellor, with a chosen and a rejected answer",
    "rehearsal": "conversations of all the base's skills, to mix in as replay",
}


def list_datasets(folders: Sequence[Path]) -> list[DataSet]:
    """Bundled ones first, then each file below the folders once, a train/eval pair as one.

    Folders are searched two levels deep. Never raises: what is wrong stands in `reason`.
    """
    found = [_list_one(_BUNDLED + name, None) for name in _DESCRIPTIONS]
    seen = {os.path.realpath(one.path) for one in found}
    for names in _walk(folders):
        evals = {pair for path in names if (pair := find_eval(path, names)) is not None}
        for path in names:
            real = os.path.realpath(path)
            if real not in seen and path not in evals and is_data(path):
                found.append(_list_one(str(path), find_eval(path, names)))
            seen.add(real)
    return found


def resolve(ref: str) -> DataSet:
    """The data set that a recipe names: `bundled:NAME`, a file, or a folder with a training file.

    Raises EngineError where there is none, or where it cannot be learned from.
    """
    if ref.startswith(_BUNDLED):
        name = ref.removeprefix(_BUNDLED)
        if name not in _DESCRIPTIONS:
            known = ", ".join(_BUNDLED + one for one in _DESCRIPTIONS)
            raise EngineError(f"no bundled data set is called {name}", hint=f"There are {known}.")
        return _describe_bundled(name)
    path = _locate(ref)
    return _describe(path, find_eval(path, _list_files(path.parent)))


def preview(dataset: DataSet, count: int) -> Rows:
    """The first `count` rows of the training file, good and bad alike. Raises EngineError."""
    return rows.preview(dataset.path, count)


def find_eval(path: Path, names: Sequence[Path]) -> Path | None:
    """The file beside a training file that is meant to evaluate it, by its name."""
    match = _TRAIN.match(path.stem)
    if match is None:
        return None
    prefix = path.stem[: match.end(1) + 1] if match.group(1) else ""
    stems = [f"{prefix}{word}".lower() for word in _EVAL_WORDS]
    beside = {
        one.stem.lower(): one
        for one in reversed(names)
        if one != path and one.suffix.lower() in _SUFFIXES
    }
    return next((beside[stem] for stem in stems if stem in beside), None)


def is_data(path: Path) -> bool:
    """A file that may hold rows: by its suffix, and a .json file also by its first byte."""
    if path.suffix.lower() not in _SUFFIXES:
        return False
    return path.suffix.lower() != ".json" or not is_object(path)


def _describe_bundled(name: str) -> DataSet:
    """Raises EngineError, as `_describe`."""
    folder = DATA / name
    found = _describe(folder / "train.jsonl", folder / "eval.jsonl")
    return replace(found, ref=_BUNDLED + name, name=name, description=_DESCRIPTIONS[name])


def _list_one(ref: str, eval_path: Path | None) -> DataSet:
    """A data set, or its name with the reason why it cannot be learned from."""
    name = ref.removeprefix(_BUNDLED)
    path = Path(ref) if name == ref else DATA / name / "train.jsonl"
    try:
        return _describe_bundled(name) if name != ref else _describe(path, eval_path)
    except EngineError as error:
        where = str(path.parent)
        return DataSet(ref, _name(path), path, eval_path, None, None, where, error.title)


def _describe(path: Path, eval_path: Path | None) -> DataSet:
    """Raises EngineError where the file cannot be learned from."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise EngineError(f"{path.name} cannot be read: {why}", str(path)) from error
    schema, count, estimated = _look(path, status.st_mtime_ns, status.st_size)
    where = f"{path.parent}, {status.st_size:,} bytes"
    name = _name(path)
    return DataSet(str(path), name, path, eval_path, count, schema, where, None, estimated)


def _name(path: Path) -> str:
    """What is before `train`; of a file that is called just so, its folder's name."""
    match = _TRAIN.match(path.stem)
    return (match.group(1) or path.parent.name) if match else path.stem


@lru_cache(maxsize=2048)
def _look(path: Path, changed: int, size: int) -> tuple[str, int, bool]:
    """Schema, number of rows, and whether that is an estimate. Raises EngineError."""
    schema = rows.find_schema(path)
    count, reached = 0, 0
    for raw in read_raw(path):
        count, reached = count + 1, raw.end
        if reached >= COUNTED_BYTES and reached < size:
            return schema, round(count * size / reached), True
    return schema, count, False


def _locate(ref: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(ref)))
    if os.path.isdir(path):
        trains = [one for one in _list_files(path) if _TRAIN.match(one.stem) and is_data(one)]
        if len(trains) != 1:
            raise EngineError(
                f"{path.name} is a folder without one training file",
                str(path),
                "Name the file, or call it train.jsonl.",
            )
        return trains[0]
    if not os.path.exists(path):
        raise EngineError(f"no data file at {ref}", str(path))
    return path


def _walk(folders: Sequence[Path]) -> Iterator[list[Path]]:
    """The files of each folder and of those below, folder by folder; each folder once."""
    waiting = [(folder, 0) for folder in folders]
    seen: set[str] = set()
    while waiting and len(seen) < _MOST_FOLDERS:
        folder, depth = waiting.pop(0)
        real = os.path.realpath(folder)
        if real in seen or os.path.isfile(folder / "job.json"):
            continue  # what a run writes is no data set
        seen.add(real)
        yield _list_files(folder)
        if depth < _DEEPEST:
            waiting += [(below, depth + 1) for below in _list_folders(folder)]


def _list_files(folder: Path) -> list[Path]:
    return [path for path, is_folder in _list(folder) if not is_folder]


def _list_folders(folder: Path) -> list[Path]:
    return [path for path, is_folder in _list(folder) if is_folder]


def _list(folder: Path) -> list[tuple[Path, bool]]:
    """What is in the folder and not hidden, by name; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            named = (entry for entry in entries if not entry.name.startswith("."))
            found = [(Path(entry.path), is_folder(entry)) for entry in islice(named, _MOST_FILES)]
    except (OSError, ValueError):
        return []
    return sorted(found)
