"""Data files in folders: which files may hold rows, and which two of them belong together.

Looks at names and first bytes only. Folders that `datasets` made come out as one thing.
"""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from engine.data import hf_datasets
from engine.data.formats import DELIMITED, JSON, PLAIN, begins_as_table, is_object
from engine.data.shards import COLUMNAR, is_later_part, stem_of, suffix_of
from engine.safe_open import is_folder

PROVENANCE = ".provenance.jsonl"
"""How a file ends that says where the rows beside it come from, and holds none to learn from."""
_ROWS = (*JSON, *DELIMITED, *COLUMNAR)
_TRAIN = re.compile(r"^(?:(.*?)[-_. ])?(?:train|training)$", re.IGNORECASE)
_DEEPEST = 2
"""Levels below a configured folder."""
_MOST_FOLDERS = 500
_MOST_FILES = 1000
_LEAST_TEXT = 1 << 16
"""Bytes. A smaller text that lies about is a note; it is data to whoever names it."""


def walk(folders: Sequence[Path]) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder and those below, once, with its files; one that `datasets` made has no files."""
    waiting = [(folder, 0) for folder in folders]
    seen: set[str] = set()
    while waiting and len(seen) < _MOST_FOLDERS:
        folder, depth = waiting.pop(0)
        real = os.path.realpath(folder)
        if real in seen or os.path.isfile(folder / "job.json"):
            continue  # what a run writes is no data set
        seen.add(real)
        if hf_datasets.is_known(folder):
            yield folder, []
            continue
        yield folder, list_files(folder)
        if depth < _DEEPEST:
            waiting += [(below, depth + 1) for below in _list_folders(folder)]


def find_eval(path: Path, names: Sequence[Path]) -> Path | None:
    """The file beside a training file that is meant to evaluate it, by its name."""
    match = _TRAIN.match(stem_of(path))
    if match is None:
        return None
    prefix = stem_of(path)[: match.end(1) + 1] if match.group(1) else ""
    stems = [f"{prefix}{word}".lower() for word in hf_datasets.HELD_OUT]
    suffixes = (*_ROWS, *PLAIN) if suffix_of(path) in PLAIN else _ROWS
    beside = {
        stem_of(one).lower(): one
        for one in reversed(names)
        if one != path and suffix_of(one) in suffixes and not is_later_part(one)
    }
    return next((beside[stem] for stem in stems if stem in beside), None)


def is_data(path: Path) -> bool:
    """A file that may hold rows, for a list of them: by its name, where need be its first bytes."""
    suffix = suffix_of(path)
    if is_later_part(path) or path.name.endswith(PROVENANCE):
        return False
    if suffix in PLAIN:
        return begins_as_table(path) or _is_long_text(path)
    return suffix in _ROWS and (suffix != ".json" or not is_object(path))


def is_train(path: Path) -> bool:
    """Whether a file's name says that it is to learn from."""
    return _TRAIN.match(stem_of(path)) is not None and not is_later_part(path)


def name_of(path: Path) -> str:
    """What is before `train`; of a file that is called just so, its folder's name."""
    match = _TRAIN.match(stem_of(path))
    if match is None:
        return stem_of(path)
    folder = path.parent if path.parent.name != "data" else path.parent.parent
    return match.group(1) or folder.name or path.parent.name


def list_files(folder: Path) -> list[Path]:
    """The files that are not hidden, by name; none where the folder cannot be read."""
    return [path for path, below in _list(folder) if not below]


def _is_long_text(path: Path) -> bool:
    try:
        return path.stat().st_size >= _LEAST_TEXT and not path.stem.lower().startswith("readme")
    except (OSError, ValueError):
        return False


def _list_folders(folder: Path) -> list[Path]:
    return [path for path, below in _list(folder) if below]


def _list(folder: Path) -> list[tuple[Path, bool]]:
    try:
        with os.scandir(folder) as entries:
            named = (entry for entry in entries if not entry.name.startswith("."))
            entries_read = [
                (Path(entry.path), is_folder(entry)) for entry in islice(named, _MOST_FILES)
            ]
    except (OSError, ValueError):
        return []
    return sorted(entries_read)
