"""Rows made as a Parquet file: the one place that writes one.

The columns are those of the rows, in their order, each of one type; a field that a row lacks is
null. Refuses what Parquet cannot hold, naming row and column.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError

if TYPE_CHECKING:
    import pyarrow


def encode_parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The content of the file: the same for the same rows and library. Raises EngineError."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise EngineError(
            "Parquet needs the package pyarrow.",
            str(error),
            "pip install 'finetop[train]', or use a name that ends in .jsonl.",
        ) from error
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _make_column(name, [row.get(name) for row in rows]) for name in names}
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _make_column(name: str, values: Sequence[Any]) -> "pyarrow.Array":
    """Texts where there are only nulls; whole numbers beside others are numbers like them."""
    import pyarrow

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    try:
        column = pyarrow.array(values, from_pandas=False)
    except (pyarrow.ArrowException, UnicodeEncodeError, OverflowError) as error:
        raise EngineError(
            f"Parquet cannot hold the column {name!r}.",
            f"{_find_row(values)}: {str(error).splitlines()[0]}",
            "Use a name that ends in .jsonl.",
        ) from error
    return column.cast(pyarrow.string()) if pyarrow.types.is_null(column.type) else column


def _find_row(values: Sequence[Any]) -> str:
    """The first row whose value does not go with those before it."""
    import pyarrow

    kind = None
    for number, value in enumerate(values, 1):
        try:
            found = pyarrow.array([value], type=kind)
        except (pyarrow.ArrowException, UnicodeEncodeError, OverflowError):
            return f"row {number:,}"
        if kind is None and value is not None:
            kind = found.type
    return f"{len(values):,} rows"
