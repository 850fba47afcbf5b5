"""The rows of a data file, one at a time, whatever their meaning: JSON lines and JSON arrays.

Which format it is, is told by the content, not by the name. A row that cannot be read comes out as
a `RawRow` with a fault and the file goes on. Holds one row in memory, never the file.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine.catalog.arrays import read_array
from engine.catalog.delimited import read_delimited
from engine.catalog.files import open_regular, recognise_impostor
from engine.catalog.raw import CHUNK, LONGEST_ROW, RawRow, show
from engine.errors import EngineError

DELIMITED = (".csv", ".tsv")
JSON = (".jsonl", ".json", ".ndjson")
_UNSUPPORTED = "is Parquet or Arrow, which is not supported yet: convert it to JSONL"
_FOREIGN = {
    **dict.fromkeys((b"PAR1", b"ARROW1"), _UNSUPPORTED),
    **dict.fromkeys((b"\x1f\x8b", b"PK\x03\x04", b"BZh"), "is compressed: unpack it first"),
    **dict.fromkeys((b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"), "is compressed: unpack it first"),
    **dict.fromkeys((b"\xff\xfe", b"\xfe\xff"), "is UTF-16: save it as UTF-8"),
}


def read_raw(path: Path) -> Iterator[RawRow]:
    """The rows of a JSONL, JSON or delimited file, in their order.

    Raises EngineError where the file as a whole cannot be read: empty, another format, broken list.
    """
    with open_regular(path) as file:
        head = file.read(CHUNK)
        start = _check_head(path, head)
        file.seek(0)
        if _is_delimited(path, start):
            yield from read_delimited(path, file)
        elif start == b"[":
            yield from read_array(path, file)
        else:
            yield from _read_lines(file)


def is_object(path: Path) -> bool:
    """Whether a file holds one JSON object, over several lines or alone: a config, not rows.

    False where it cannot be read.
    """
    try:
        with open_regular(path) as file:
            text = _strip_start(file.read(CHUNK))
    except (EngineError, OSError):
        return False
    alone = not text.partition(b"\n")[2].strip()
    return text.startswith(b"{") and (alone or _spans_lines(text))


def _spans_lines(text: bytes) -> bool:
    """Whether an object starts here and does not end on its line: no row of JSONL does that."""
    line, newline, _ = text.partition(b"\n")
    return text.startswith(b"{") and newline != b"" and not line.rstrip().endswith(b"}")


def _strip_start(head: bytes) -> bytes:
    """Without the byte order mark, and white space."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def _is_delimited(path: Path, start: bytes) -> bool:
    """By name, or, under a name that says nothing, because no row of JSON begins like that."""
    suffix = path.suffix.lower()
    return suffix in DELIMITED or (suffix not in JSON and start not in (b"{", b"["))


def _check_head(path: Path, head: bytes) -> bytes:
    """The first byte that is not white space. Raises EngineError for what is no data file."""
    impostor = recognise_impostor(head)
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            impostor = what
    start = _strip_start(head)
    if impostor is None and not start and len(head) < CHUNK:
        impostor = "is empty"
    if impostor is None and path.suffix.lower() == ".json" and _spans_lines(start):
        impostor = "holds one JSON object, not a list of rows"
    if impostor:
        raise EngineError(f"{path.name} {impostor}", str(path))
    return start[:1]


def _read_lines(file: BinaryIO) -> Iterator[RawRow]:
    line = 0
    while piece := file.readline(LONGEST_ROW):
        line += 1
        if len(piece) == LONGEST_ROW and not piece.endswith(b"\n"):
            while (rest := file.readline(CHUNK)) and not rest.endswith(b"\n"):
                pass
            fault = f"the row is longer than {LONGEST_ROW >> 20} MiB"
            yield RawRow(line, file.tell(), None, fault, show(piece))
            continue
        if line == 1:
            piece = piece.removeprefix(b"\xef\xbb\xbf")
        piece = piece.strip()
        if piece:
            yield _parse_line(line, file.tell(), piece)


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
