"""The rows of Parquet and Arrow, batch by batch, as the light engine's readers give theirs.

A label that the file or its `dataset_info.json` names is given by name. Needs pyarrow, nothing else
of `datasets`. Holds one batch in memory, never the file.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.data.formats import is_columnar, read_file
from engine.data.raw_row import RawRow
from engine.data.shards import list_parts, read_table
from engine.errors import EngineError
from engine.recipes.settings import Data

if TYPE_CHECKING:
    import pyarrow

_BATCH = 1000
"""Rows turned into Python objects at a time."""


def read_raw(path: Path, data: Data) -> Iterator[RawRow]:
    """The rows behind a path, whatever their format; a `RawReader` for `engine.data.rows`.

    `line` is a row's number in its file, from 1. Raises EngineError for a file that is broken.
    """
    for file in list_parts(path):
        name = "" if file == path else str(file)
        rows = _read_columns(file) if is_columnar(file) else read_file(file, data)
        for row in rows:
            yield RawRow(row.line, row.end, row.value, row.fault, row.text, name)


def _read_columns(path: Path) -> Iterator[RawRow]:
    try:
        import pyarrow
    except ImportError as error:
        raise EngineError(
            "Parquet and Arrow need the package pyarrow.",
            f"{path}: {error}",
            "pip install 'finetop[train]', or convert the data to JSONL.",
        ) from error
    line = 0
    try:
        for names, batch in _batches(path):
            for value in batch.to_pylist():
                line += 1
                yield RawRow(line, 0, _name_labels(value, names))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        why = str(error).split("\n")[0].rstrip(".")
        raise EngineError(
            f"{path.name} cannot be read: {why}", f"{path}, after row {line}", "Download it again."
        ) from error


Labels = Mapping[str, Sequence[str]]
"""Column to the names of its numbers."""


def _batches(path: Path) -> Iterator[tuple[Labels, "pyarrow.RecordBatch"]]:
    """The label names, and a batch."""
    import pyarrow

    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"PAR1"):
        from pyarrow import parquet

        with parquet.ParquetFile(path, memory_map=True) as table:
            names = _find_labels(path, table.schema_arrow)
            for batch in table.iter_batches(_BATCH):
                yield names, batch
        return
    with pyarrow.memory_map(str(path)) as source:
        if start.startswith(b"ARROW1"):
            whole = pyarrow.ipc.open_file(source)
            batches = (whole.get_batch(at) for at in range(whole.num_record_batches))
            names = _find_labels(path, whole.schema)
        else:
            batches = pyarrow.ipc.open_stream(source)
            names = _find_labels(path, batches.schema)
        for batch in batches:
            for first in range(0, batch.num_rows, _BATCH):
                yield names, batch.slice(first, _BATCH)


def _find_labels(path: Path, schema: "pyarrow.Schema") -> Labels:
    """The names of ClassLabel columns, by the schema's own note or the file beside it."""
    features: object = None
    try:
        note = (schema.metadata or {}).get(b"huggingface")
        features = json.loads(note)["info"]["features"] if note else None
        if features is None and (path.parent / "dataset_info.json").is_file():
            features = read_table(path.parent / "dataset_info.json").get("features")
    except (ValueError, TypeError, KeyError, EngineError):
        return {}
    if not isinstance(features, Mapping):
        return {}
    labels = {}
    for column, feature in features.items():
        if isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel":
            names = feature.get("names")
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                labels[column] = names
    return labels


def _name_labels(row: dict[str, Any], names: Labels) -> dict[str, Any]:
    """The row with its labels by name; a number that has none, as -1 for "unknown", is nothing."""
    for column, known in names.items():
        value = row.get(column)
        if isinstance(value, int):
            row[column] = known[value] if 0 <= value < len(known) else None
    return row
