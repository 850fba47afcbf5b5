"""What a data set holds before anything is encoded: its columns, and what its rows have in common.

Opens files as training does and reads no more of them than is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from engine.data import dataset_list, rows
from engine.data.columns import make_mapping
from engine.data.dataset_list import DataSet
from engine.data.llama_factory import add_columns
from engine.data.rows import OpenFile
from engine.recipes.settings import Data
from engine.worker.data import arrow
from engine.worker.data.deduplicate import compare
from engine.worker.data.split import RowExamples, drop_overlapping_groups, sample_rows, split

_LOOK_AHEAD = 1000


@dataclass(frozen=True, slots=True)
class Survey:
    """A data set, open."""

    dataset: DataSet
    file: OpenFile
    columns: Mapping[str, str]
    """Field of the schema to column of the file, or to a value inside one, of those that are
    read."""
    objective: str


def open_survey(data: Data, runs: Sequence[Path] = (), objective: str = "sft") -> Survey:
    """The training file of a recipe's data, and how its columns are understood. EngineError."""
    dataset = dataset_list.resolve(data.train, runs, data, objective)
    data = add_columns(dataset.path, data)
    file = rows.open_rows(dataset.path, data, objective=objective, raw=arrow.read_raw)
    mapping = make_mapping(data, objective)
    for row in islice(arrow.read_raw(dataset.path, data), _LOOK_AHEAD):
        schema = mapping.recognise(row.value)
        if schema is not None and isinstance(row.value, Mapping):
            read = mapping.list_read(schema, row.value)
            columns = {field: data.columns.get(field, field) for field in read}
            return Survey(dataset, file, columns, objective)
    return Survey(dataset, file, {}, objective)


def part_sides(
    survey: Survey, rows: Sequence[RowExamples], data: Data, seed: int, sample: int
) -> tuple[list[RowExamples], list[RowExamples]]:
    """Rows to train on and rows held out, of those looked at: the set's own eval rows, or a share.

    Raises EngineError.
    """
    own = survey.dataset.eval_path
    path = own
    if data.eval:
        path = dataset_list.resolve_eval(data.eval, data, survey.objective).path
    if path is None:
        return split(rows, data, seed)
    first = replace(data, limit=min(sample, data.limit or sample), shuffle=False)
    others = sample_rows(path, first, seed, survey.file.labels, survey.objective)
    return drop_overlapping_groups(rows, others.rows), others.rows


def compare_sides(train: Sequence[RowExamples], held_out: Sequence[RowExamples]) -> dict[str, int]:
    """Duplicates in training, and held-out rows that occur there."""
    overlap = compare(train, held_out)
    return {
        "train": len(train),
        "eval": len(held_out),
        "duplicates": overlap.duplicates,
        "leaked": overlap.leaked,
        "asked": overlap.asked,
    }
