"""What LLaMA-Factory's `dataset_info.json` says of the data files beside it: their columns.

`datasets` calls a file of its own by the same name: `is_index` tells them apart. Roles and tags are
not read from it, for turns are understood without. What a recipe says of columns counts before it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from engine.data.shards import read_table
from engine.errors import EngineError
from engine.recipes.settings import Data

_NAME = "dataset_info.json"
_SOURCES = ("file_name", "hf_hub_url", "ms_hub_url", "script_url", "cloud_file_name")
"""Each entry has one of these."""
_FIELDS = {
    "prompt": "instruction",
    "query": "input",
    "response": "output",
    "system": "system",
    "messages": "messages",
    "chosen": "chosen",
    "rejected": "rejected",
    "history": "history",
    "kto_tag": "label",
    "images": "images",
    "videos": "videos",
    "audios": "audios",
}
"""LLaMA-Factory's names to those of the schemas."""


def is_index(folder: Path) -> bool:
    """Whether the folder has LLaMA-Factory's list of data sets."""
    return any(True for _ in _list_entries(folder))


def add_columns(path: Path, data: Data) -> Data:
    """The recipe's `data` with the columns that the list beside a file gives it.

    Unchanged where the recipe names columns or a schema itself, where the file is not listed, and
    where it is listed twice with different columns.
    """
    if data.columns or data.schema:
        return data
    found = [_read_columns(entry) for entry in _list_entries(path.parent) if _names(entry, path)]
    if not found or any(columns != found[0] for columns in found):
        return data
    return replace(data, columns=found[0])


def _list_entries(folder: Path) -> Iterator[Mapping[str, object]]:
    if not os.path.isfile(folder / _NAME):
        return
    try:
        table = read_table(folder / _NAME)
    except EngineError:
        return
    for entry in table.values():
        if isinstance(entry, Mapping) and any(isinstance(entry.get(key), str) for key in _SOURCES):
            yield entry


def _names(entry: Mapping[str, object], path: Path) -> bool:
    name = entry.get("file_name")
    return isinstance(name, str) and os.path.normpath(path.parent / name) == os.path.normpath(path)


def _read_columns(entry: Mapping[str, object]) -> dict[str, str]:
    """Field of a schema to column; what is called as the field is, is found without, but for a
    label, which may be a class where nobody says what it is.
    """
    columns = entry.get("columns")
    pairs = columns.items() if isinstance(columns, Mapping) else ()
    named = {_FIELDS[key]: name for key, name in pairs if key in _FIELDS and isinstance(name, str)}
    return {field: name for field, name in named.items() if field != name or field == "label"}
