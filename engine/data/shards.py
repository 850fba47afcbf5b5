"""The files behind one path: a file, a file in numbered parts, a folder that `datasets` saved.

`train-00000-of-00002.parquet` stands for all its parts. Refuses a set of which one is missing.
"""

import json
import os
import re
from pathlib import Path

from engine.errors import EngineError
from engine.safe_open import read_bounded

COLUMNAR = (".parquet", ".arrow", ".feather")
PACKED = ".gz"
_PART = re.compile(r"^(?P<stem>.*?)[-_.]?(?P<at>\d{5})-of-(?P<of>\d{5})(?P<hash>-[0-9a-f]+)?$")
_LARGEST = 16 << 20


def is_saved(path: Path) -> bool:
    """Whether a folder is one data set, as `Dataset.save_to_disk` leaves it."""
    return os.path.isfile(path / "state.json") and not os.path.isfile(path / "dataset_dict.json")


def list_parts(path: Path) -> list[Path]:
    """The files to read, one after the other. Raises EngineError where a part is missing."""
    if is_saved(path):
        return _list_saved(path)
    part = _match_part(path)
    if part is None:
        return [path]
    count = int(part["of"])
    try:
        names = sorted(os.listdir(path.parent))
    except OSError as error:
        raise EngineError(f"{path.name} cannot be read: {error.strerror}", str(path)) from error
    parts: dict[int, Path] = {}
    for name in names:
        other = _match_part(Path(name))
        if other is None or _unpacked(Path(name)).suffix != _unpacked(path).suffix:
            continue
        if (other["stem"], other["of"]) == (part["stem"], part["of"]):
            parts.setdefault(int(other["at"]), path.parent / name)
    missing = [number for number in range(count) if number not in parts]
    if missing:
        raise EngineError(
            f"{path.name}: shard {missing[0]:05d} of {count} is missing",
            str(path.parent),
            f"{len(missing)} of {count} shards are missing: download it again.",
        )
    return [parts[number] for number in range(count)]


def suffix_of(path: Path) -> str:
    """A file's suffix in small letters; of `rows.jsonl.gz` it is `.jsonl`."""
    return _unpacked(path).suffix.lower()


def stem_of(path: Path) -> str:
    """A file's name without its suffix and the number of its part."""
    part = _match_part(path)
    return part["stem"] if part else _unpacked(path).stem


def is_later_part(path: Path) -> bool:
    """Whether another file, the first of its parts, stands for this one."""
    part = _match_part(path)
    return part is not None and int(part["at"]) > 0


def read_table(path: Path) -> dict[str, object]:
    """A JSON object that `datasets` wrote. Raises EngineError where it is none."""
    try:
        table = json.loads(read_bounded(path, _LARGEST))
    except (ValueError, RecursionError) as error:
        raise EngineError(f"{path.name} is not valid JSON", str(path)) from error
    if not isinstance(table, dict):
        raise EngineError(f"{path.name} was not written by datasets", str(path))
    return table


def _unpacked(path: Path) -> Path:
    """The name of what gzip packed; any other name as it is."""
    return path.with_suffix("") if path.suffix.lower() == PACKED else path


def _match_part(path: Path) -> re.Match[str] | None:
    return _PART.match(_unpacked(path).stem)


def _list_saved(folder: Path) -> list[Path]:
    listed = read_table(folder / "state.json").get("_data_files")
    entries = listed if isinstance(listed, list) else []
    names = [entry.get("filename") for entry in entries if isinstance(entry, dict)]
    if not names or not all(isinstance(name, str) for name in names):
        raise EngineError(f"{folder.name}: state.json lists no files", str(folder))
    # A name that leads out of the folder is none that datasets wrote.
    files = [folder / os.path.basename(str(name)) for name in names]
    gone = [file.name for file in files if not os.path.isfile(file)]
    if gone:
        raise EngineError(f"{folder.name}: {gone[0]} is missing", str(folder))
    return files
