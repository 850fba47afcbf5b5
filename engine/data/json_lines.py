"""The rows of JSON lines: a JSON value on each line, one bad line by itself.

Knows no field of a row, and holds one line in memory.
"""

import json
from collections.abc import Iterator
from typing import BinaryIO

from engine.data.raw_row import LONGEST_ROW, RawRow, read_bounded_lines, show


def read_lines(file: BinaryIO, line: int = 0) -> Iterator[RawRow]:
    """The rows from the file's position on; `line` lines lie before it."""
    for number, piece, too_long in read_bounded_lines(file, line):
        if too_long:
            fault = f"the row is longer than {LONGEST_ROW >> 20} MiB"
            yield RawRow(number, file.tell(), None, fault, show(piece))
        elif piece.strip():
            yield _parse_line(number, file.tell(), piece.strip())


def _parse_line(line: int, end: int, piece: bytes) -> RawRow:
    try:
        text = piece.decode()
    except UnicodeDecodeError as error:
        byte = piece[error.start]
        fault = f"not valid UTF-8: byte 0x{byte:02x} at position {error.start + 1}"
        return RawRow(line, end, None, fault, show(piece))
    try:
        return RawRow(line, end, json.loads(text))
    except json.JSONDecodeError as error:
        fault = f"not valid JSON: {error.msg} at column {error.colno}"
    except RecursionError:
        fault = "not valid JSON: nested too deeply"
    except ValueError:  # a number with more digits than Python converts
        fault = "not valid JSON: a number is too long"
    return RawRow(line, end, None, fault, show(piece))
