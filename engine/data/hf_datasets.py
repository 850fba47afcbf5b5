"""What the `datasets` library and the hub's cache leave on disk, listed without either library.

`save_to_disk` leaves a folder a split (`state.json` beside Arrow files), and of several a
`dataset_dict.json` above. The cache is `NAME/CONFIG/VERSION/HASH/` with a `dataset_info.json` and
`NAME-SPLIT.arrow` files.
Reads their JSON only: what the Arrow files hold is for a worker. The hub's cache keeps data sets as
files: `datasets--OWNER--NAME/` with `refs/main` and `snapshots/<commit>/`, as for models.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints import hub_cache
from engine.data.llama_factory import is_index
from engine.data.shards import is_saved, list_parts, read_table, stem_of
from engine.errors import EngineError

TRAIN = ("train", "training", "default")
HELD_OUT = ("eval", "validation", "valid", "val", "dev", "test")
_PREFIX = "datasets--"
_DEEPEST_CACHE = 4
_MOST_CACHED = 500


@dataclass(frozen=True, slots=True)
class Splits:
    """One data set: the split to learn from, and the one held out."""

    name: str
    path: Path
    eval_path: Path | None
    info: Mapping[str, object]
    """`dataset_info.json`; empty where there is none."""
    split: str = ""
    """Which of the set's splits `path` is."""


def find_cache() -> Path:
    """The folder of the `datasets` library's cache, by its own variables."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    folder = Path(os.environ.get("HF_HOME") or home, "datasets")
    named = os.environ.get("HF_DATASETS_CACHE") or folder
    return Path(os.path.expandvars(named)).expanduser().absolute()


def is_folder_of_splits(folder: Path) -> bool:
    """Whether `DatasetDict.save_to_disk` made it."""
    return os.path.isfile(folder / "dataset_dict.json")


def is_known(folder: Path) -> bool:
    """Whether `datasets` made this folder: saved, or one data set in its cache."""
    return is_saved(folder) or is_folder_of_splits(folder) or is_cached(folder)


def is_cached(folder: Path) -> bool:
    """Whether it is one data set of the cache, whole."""
    named = os.path.isfile(folder / "dataset_info.json") and not is_saved(folder)
    return named and not folder.name.endswith(".incomplete") and not is_index(folder)


def describe(path: Path) -> Splits | None:
    """The data set that a folder or an Arrow file belongs to; None where `datasets` made neither.

    Raises EngineError for what is broken, or has no split to train on.
    """
    if is_folder_of_splits(path):
        return _describe_splits(path)
    if is_saved(path):
        whole = path.parent
        if is_folder_of_splits(whole):
            return _of_split(whole, path.name)
        list_parts(path)
        return Splits(path.name, path, None, _info(path), "")
    if is_cached(path):
        return _describe_cached(path, None)
    if path.suffix == ".arrow" and is_cached(path.parent):
        return _describe_cached(path.parent, path)
    return None


def list_cached(cache: Path) -> Iterator[Path]:
    """The folders of the cache that hold one data set each, by name; none where there is none."""
    waiting, seen = [(cache, 0)], 0
    while waiting:
        folder, depth = waiting.pop(0)
        if is_cached(folder) and depth:
            yield folder
            seen += 1
            continue
        if depth == _DEEPEST_CACHE or seen >= _MOST_CACHED:
            continue
        try:
            below = sorted(path for path in folder.iterdir() if path.is_dir())
        except OSError:
            continue
        waiting += [(path, depth + 1) for path in below if path.name != "downloads"]


def count_rows(info: Mapping[str, object], split: str) -> int | None:
    """Rows of a split as `dataset_info.json` has them; None where it does not say."""
    splits = info.get("splits")
    entry = splits.get(split) if isinstance(splits, Mapping) else None
    count = entry.get("num_examples") if isinstance(entry, Mapping) else None
    return count if isinstance(count, int) else None


def list_columns(info: Mapping[str, object]) -> tuple[str, ...]:
    """The names of the columns as `dataset_info.json` has them; empty where it does not say."""
    features = info.get("features")
    return tuple(map(str, features)) if isinstance(features, Mapping) else ()


def pick(splits: Sequence[str]) -> tuple[str | None, str | None]:
    """The split to learn from and the one to measure on. A lone split is to learn from."""
    train = next((name for name in TRAIN if name in splits), None)
    if train is None and len(splits) == 1:
        return splits[0], None
    return train, next((name for name in HELD_OUT if name in splits), None)


def _describe_splits(folder: Path) -> Splits:
    train, _ = pick(_list_splits(folder))
    if train is None:
        raise EngineError(
            f"{folder.name} has no train split",
            f"{folder}: {', '.join(_list_splits(folder)) or 'no splits'}",
            "Use the folder of a split.",
        )
    return _of_split(folder, train)


def _of_split(folder: Path, split: str) -> Splits:
    path = folder / split
    list_parts(path)
    train, held_out = pick(_list_splits(folder))
    other = folder / held_out if split == train and held_out else None
    name = folder.name if split == train else f"{folder.name} {split}"
    return Splits(name, path, other, _info(path), split)


def _list_splits(folder: Path) -> list[str]:
    listed = read_table(folder / "dataset_dict.json").get("splits")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    return [name for name in names if is_saved(folder / os.path.basename(name))]


def _describe_cached(folder: Path, wanted: Path | None) -> Splits:
    """The set, from the split of the `wanted` file where one is named."""
    info = read_table(folder / "dataset_info.json")
    files = _find_files(folder, info)
    train, held_out = pick(list(files))
    chosen = train
    if wanted is not None:
        stem = stem_of(wanted)
        chosen = next((name for name, file in files.items() if stem_of(file) == stem), None)
    if chosen is None:
        raise EngineError(
            f"{name_cached(folder)} has no train split",
            f"{folder}: {', '.join(files) or 'no Arrow files'}",
            "Use the file of a split.",
        )
    list_parts(files[chosen])
    other = files[held_out] if chosen == train and held_out else None
    name = name_cached(folder) + ("" if chosen == train else f" {chosen}")
    return Splits(name, files[chosen], other, info, chosen)


def name_cached(folder: Path) -> str:
    """`OWNER/NAME`, and the config where it is none of the usual."""
    name, config = folder.parents[2].name.replace("___", "/"), folder.parents[1].name
    return name if config.startswith("default") else f"{name} {config}"


def _find_files(folder: Path, info: Mapping[str, object]) -> dict[str, Path]:
    """Split to its (first) Arrow file. Others, as what `map` left behind, are no split."""
    splits = info.get("splits")
    if not isinstance(splits, Mapping):
        return {}
    stems: dict[str, Path] = {}
    for path in sorted(folder.glob("*.arrow")):
        stems.setdefault(stem_of(path), path)
    files = {}
    for split in map(str, splits):
        entry = splits[split]
        owner = entry.get("dataset_name") if isinstance(entry, Mapping) else None
        owner = owner or info.get("dataset_name") or info.get("builder_name")
        stem = f"{owner}-{split}"
        if stem in stems:
            files[split] = stems[stem]
    return files


def _info(folder: Path) -> Mapping[str, object]:
    try:
        return read_table(folder / "dataset_info.json")
    except EngineError:
        return {}


def list_snapshots() -> Iterator[tuple[str, Path]]:
    """`OWNER/NAME` and the folder of its newest snapshot, by name; none where there is no cache."""
    try:
        folders = sorted(hub_cache.find_cache().iterdir())
    except OSError:
        return
    for repository in folders:
        if not repository.name.startswith(_PREFIX) or not os.path.isdir(repository):
            continue
        snapshot = next(hub_cache.list_snapshots(repository), None)
        if snapshot is not None:
            yield repository.name.removeprefix(_PREFIX).replace("--", "/", 1), snapshot


def find(name: str) -> Path | None:
    """The folder of a data set that a cache knows by this name; None where none does."""
    for folder in list_cached(find_cache()):
        if name_cached(folder) == name:
            return folder
    return next((folder for known, folder in list_snapshots() if known == name), None)
