"""One row of a data file as it was read, before anybody asks what it means."""

from dataclasses import dataclass

LONGEST_ROW = 8 << 20
"""Bytes. A longer row is a fault, skipped without being held."""
CHUNK = 1 << 18
"""Bytes read at a time."""


@dataclass(frozen=True, slots=True)
class RawRow:
    line: int
    """Physical line on which the row starts, from 1."""
    end: int
    """Bytes of the file read up to the end of this row, about."""
    value: object = None
    fault: str | None = None
    """Why there is no value."""
    text: str = ""
    """The row as it stands in the file, where there is a fault; cut to what a person reads."""


def show(piece: bytes | str) -> str:
    """The start of a faulty row, to be shown; bytes that are no text as backslash escapes."""
    if isinstance(piece, str):
        return piece[:2000]
    return piece[:2000].decode("utf-8", "backslashreplace")
