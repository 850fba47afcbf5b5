"""The data sets that can be picked: bundled, in folders, saved or cached by `datasets`, of runs.

Reads the first rows of each file only: the number of rows of a large one is an estimate and says
so; of Parquet and Arrow only what lies beside them as JSON is known here. What cannot be learned
from is listed with the reason. A JSON file that is no list of rows (a config) is left out.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from engine.bundled import DATA, REVIEWS
from engine.data import hf_datasets, rows
from engine.data.columns import make_mapping, refuse
from engine.data.data_files import find_eval, is_data, is_train, list_files, name_of, walk
from engine.data.formats import holds_columns, read_raw
from engine.data.generated import find_answers
from engine.data.llama_factory import add_columns
from engine.data.raw_row import RawReader
from engine.data.rows import Rows
from engine.data.shards import is_saved, list_parts
from engine.errors import EngineError
from engine.jobs.directory import RUN
from engine.recipes.settings import Data

__all__ = ["DataSet", "list_datasets", "preview", "resolve", "resolve_eval"]

_BUNDLED = "bundled:"
COUNTED_BYTES = 1 << 20
"""Read of each file to count its rows; the rest is estimated."""


@dataclass(frozen=True, slots=True)
class DataSet:
    ref: str
    """What a recipe names it by: `bundled:emotion`, `run:ID`, or the absolute path."""
    name: str
    path: Path
    """A file, the first of its parts, or a folder that `datasets` saved."""
    eval_path: Path | None
    rows: int | None
    """To train on; None where that is not known without reading Parquet or Arrow."""
    schema: str | None
    description: str
    """Where it lies and how large it is, or what a bundled one is about."""
    reason: str | None
    """None: usable. Else why it cannot be used, in plain words."""
    estimated: bool = False
    """Whether `rows` was reckoned and not counted."""
    columns: tuple[str, ...] = ()
    """Of Parquet and Arrow, where that is known."""


_DESCRIPTIONS: Mapping[str, str] = {
    "emotion": "sentences labelled with one of six emotions",
    "counsel": "counselling questions with a chosen and a rejected answer",
    "rehearsal": "conversations on all skills of the base model, for replay",
}
_PARTS: Mapping[str, tuple[str, str]] = {
    "reviews": ("raw.jsonl", "raw reviews without an answer, to make rows of"),
    "reviews-labelled": ("labelled.jsonl", "reviews, as questions answered by hand"),
    "reviews-held-out": ("eval.jsonl", "reviews with what is right of them, to measure on"),
}
"""Files of `REVIEWS` that a recipe may name, and that are not offered for training."""


def list_datasets(folders: Sequence[Path]) -> list[DataSet]:
    """Bundled ones first, then each file below the folders once, a train/eval pair as one; then
    the caches of `datasets` and of the hub.

    Folders are searched two levels deep. Never raises: what is wrong stands in `reason`.
    """
    datasets = [_list_one(DATA / name / "train.jsonl", _BUNDLED + name) for name in _DESCRIPTIONS]
    seen = {os.path.realpath(one.path) for one in datasets}
    datasets += _list_folders(folders, seen)
    for folder in hf_datasets.list_cached(hf_datasets.find_cache()):
        if os.path.realpath(folder) not in seen:
            datasets.append(_list_one(folder, str(folder)))
    for name, snapshot in hf_datasets.list_snapshots():
        for one in _list_folders([snapshot], seen):
            below = os.path.relpath(one.path.parent, snapshot)
            part = "" if below in (".", "data") else f" {below}"
            datasets.append(replace(one, name=name + part))
    return datasets


def bundled_names() -> list[str]:
    """All that `bundled:NAME` may name, also what is not listed."""
    return [*_DESCRIPTIONS, *_PARTS]


def resolve(
    ref: str, runs: Sequence[Path] = (), data: Data | None = None, objective: str = "sft"
) -> DataSet:
    """The data set that a recipe names: `bundled:NAME`, `run:ID` of answers, a file, a folder with
    a training file, a folder that `datasets` made, or a name in one of the caches.

    `runs` are the job directories that `run:ID` may mean; `data` says how its rows are read, and
    the `objective` of training what is looked for. Raises EngineError where there is none, or where
    it cannot be learned from.
    """
    path = find_path(ref, runs)
    dataset = _describe(path, data or Data(), objective)
    if ref.startswith(RUN):
        job = path.parent
        return replace(dataset, ref=RUN + job.name, name=job.name, eval_path=None)
    if ref.startswith(_BUNDLED):
        name = ref.removeprefix(_BUNDLED)
        description = _DESCRIPTIONS.get(name) or _PARTS[name][1]
        return replace(dataset, ref=ref, name=name, description=description)
    return dataset


def find_path(ref: str, runs: Sequence[Path] = ()) -> Path:
    """The file, or the folder that `datasets` made, with the rows that a ref means, whatever these
    hold. Raises EngineError where there is none."""
    if ref.startswith(RUN):
        return find_answers(ref, runs) / "samples.jsonl"
    if ref.startswith(_BUNDLED):
        name = ref.removeprefix(_BUNDLED)
        if name in _PARTS:
            return REVIEWS / _PARTS[name][0]
        if name not in _DESCRIPTIONS:
            known = ", ".join(_BUNDLED + one for one in bundled_names())
            raise EngineError(f"unknown bundled dataset {name}", hint=f"Bundled: {known}.")
        return DATA / name / "train.jsonl"
    return _locate(ref)


def resolve_eval(ref: str, data: Data | None = None, objective: str = "sft") -> DataSet:
    """The held-out rows that a recipe names: of a set with two sides those of the other side.

    A file is that file, whatever lies beside it. Raises EngineError as `resolve`.
    """
    dataset = resolve(ref, (), data, objective)
    if dataset.eval_path is None or os.path.abspath(os.path.expanduser(ref)) == str(dataset.path):
        return dataset
    held_out = _describe(dataset.eval_path, data or Data(), objective)
    return replace(held_out, ref=ref if ref.startswith(_BUNDLED) else held_out.ref, eval_path=None)


def preview(
    dataset: DataSet,
    count: int,
    data: Data | None = None,
    *,
    objective: str = "sft",
    raw: RawReader = read_raw,
) -> Rows:
    """The first `count` rows of the training file, good and bad alike. Raises EngineError."""
    return rows.preview(dataset.path, count, data, objective=objective, raw=raw)


def _list_folders(folders: Sequence[Path], seen: set[str]) -> Iterator[DataSet]:
    """What the folders hold and was not `seen`, which is added to."""
    for folder, names in walk(folders):
        if not names and hf_datasets.is_known(folder):
            yield _list_one(folder, str(folder))
            seen.add(os.path.realpath(folder))
        evals = {pair for path in names if (pair := find_eval(path, names)) is not None}
        for path in names:
            real = os.path.realpath(path)
            if real not in seen and path not in evals and is_data(path):
                yield _list_one(path, str(path))
            seen.add(real)


def _list_one(path: Path, ref: str) -> DataSet:
    """A data set, or its name with the reason why it cannot be learned from."""
    try:
        return resolve(ref) if ref.startswith(_BUNDLED) else _describe(path, Data(), "sft")
    except EngineError as error:
        name = ref.removeprefix(_BUNDLED) if ref.startswith(_BUNDLED) else name_of(path)
        name = hf_datasets.name_cached(path) if hf_datasets.is_cached(path) else name
        return DataSet(ref, name, path, None, None, None, str(path.parent), error.title)


def _describe(path: Path, data: Data, objective: str) -> DataSet:
    """Raises EngineError where the file cannot be learned from."""
    known = hf_datasets.describe(path)
    if known is not None:
        return _describe_saved(known, data, objective)
    parts = list_parts(path)
    size, changed = 0, 0
    for part in parts:
        try:
            status = part.stat()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise EngineError(f"{part.name} cannot be read: {why}", str(part)) from error
        size, changed = size + status.st_size, max(changed, status.st_mtime_ns)
    where = f"in {os.path.join(path.parent, '')}, {size:,} bytes"
    eval_path = find_eval(path, list_files(path.parent)) if is_train(path) else None
    dataset = DataSet(str(path), name_of(path), path, eval_path, None, None, where, None)
    if holds_columns(path):
        make_mapping(data, objective)
        return dataset
    key = _key(add_columns(path, data))
    schema, count, estimated = _look(path, changed, size, key, objective)
    return replace(dataset, schema=schema, rows=count, estimated=estimated)


def _describe_saved(known: hf_datasets.Splits, data: Data, objective: str) -> DataSet:
    columns = hf_datasets.list_columns(known.info)
    mapping, schema = make_mapping(data, objective), None
    if columns:
        names = dict.fromkeys(columns, "")
        schema = mapping.recognise(names)
        if schema is None:
            raise refuse(known.name, str(known.path), mapping, [names])
    size = sum(part.stat().st_size for part in list_parts(known.path))
    return DataSet(
        str(known.path),
        known.name,
        known.path,
        known.eval_path,
        hf_datasets.count_rows(known.info, known.split),
        schema.name if schema else None,
        f"in {os.path.join(known.path.parent, '')}, {size:,} bytes",
        None,
        # A saved folder keeps the counts of what it was taken from, filtered or not.
        is_saved(known.path),
        columns,
    )


_Key = tuple[str, tuple[tuple[str, str], ...], str, str, str, str, int]


def _key(data: Data) -> _Key:
    """All of a recipe's `data` that decides which rows a file has."""
    columns = tuple(sorted(data.columns.items()))
    words = (data.separator, data.group, data.answers, data.label_prompt)
    return (data.schema, columns, *words, data.max_length)


@lru_cache(maxsize=2048)
def _look(path: Path, changed: int, size: int, key: _Key, objective: str) -> tuple[str, int, bool]:
    """Schema, number of rows, and whether that is an estimate. Raises EngineError."""
    schema, columns, separator, group, answers, prompt, length = key
    data = Data(
        schema=schema,
        columns=dict(columns),
        separator=separator,
        group=group,
        answers=answers,
        label_prompt=prompt,
        max_length=length,
    )
    schema_name = rows.find_schema(path, data, objective=objective)
    count, before, file, reached = 0, 0, "", 0
    for raw in read_raw(path, data):
        if raw.file != file:
            file, before = raw.file, reached
        count, reached = count + 1, before + raw.end
        if reached >= COUNTED_BYTES and reached < size:
            return schema_name, round(count * size / reached), True
    return schema_name, count, False


def _locate(ref: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(ref)))
    if os.path.isdir(path) and not hf_datasets.is_known(path):
        return _locate_in(path)
    if os.path.exists(path):
        return path
    cached = hf_datasets.find(ref)
    if cached is None:
        raise EngineError(
            f"data not found: {ref}",
            str(path),
            "Use a file, a folder, bundled:NAME, run:ID, or a name in the Hub cache.",
        )
    return cached if hf_datasets.is_known(cached) else _locate_in(cached)


def _locate_in(folder: Path) -> Path:
    """The training file of a folder, or of the folder `data` in it."""
    for place in (folder, folder / "data"):
        files = list_files(place)
        trains = [one for one in files if is_train(one) and is_data(one)]
        if len(trains) == 1:
            return trains[0]
        if trains:
            break
        alone = [one for one in files if is_data(one)]
        if len(alone) == 1:
            return alone[0]
    raise EngineError(
        f"{folder.name} has no unique training file",
        str(folder),
        "Use the path of the file, or name it train.jsonl.",
    )
