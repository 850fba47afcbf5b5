"""The rows of a data file, one at a time, whatever their meaning: JSON, delimited, plain text.

Which format it is, is told by the content; the name decides where that says nothing. A bare list
of turns is a row with the field `messages`. A row that cannot be read comes out as a `RawRow` with
a fault and the file goes on. Holds one row in memory, never the file. Columnar files are recognised
and left to `engine.worker.data.arrow`.
"""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from engine.data.delimited import read_delimited
from engine.data.dialects import is_table
from engine.data.json_array import read_arrays
from engine.data.json_lines import read_lines
from engine.data.plain_text import read_plain, read_prompt_lines
from engine.data.raw_row import BYTE_ORDER_MARK, CHUNK, RawRow
from engine.data.schemas import are_turns
from engine.data.shards import PACKED, list_parts, suffix_of
from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.safe_open import open_regular, recognise_impostor

DELIMITED = (".csv", ".tsv")
JSON = (".jsonl", ".json", ".ndjson")
PLAIN = (".txt", ".md", ".text")
_HEAD = 1 << 16
_COLUMNAR_STARTS = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")
_PERHAPS_JSON = re.compile(rb"[{\[]")
_LIKELY_JSON = re.compile(rb'\{\s*"|\[\s*\{\s*"')
"""A text may begin with a bracket: `[1] Once upon a time`."""
_PACKED_START = b"\x1f\x8b"
_FOREIGN = {
    **dict.fromkeys((_PACKED_START, b"PK\x03\x04", b"BZh"), "is compressed: decompress it first"),
    **dict.fromkeys((b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"), "is compressed: decompress it first"),
    **dict.fromkeys((b"\xff\xfe", b"\xfe\xff"), "is UTF-16: save it as UTF-8"),
}


def read_raw(
    path: Path, data: Data | None = None, *, prompt_lines: bool = False
) -> Iterator[RawRow]:
    """The rows behind a path, in their order, read as the recipe's `data` says.

    With `prompt_lines` plain text is a prompt a line, and so is a file of an unknown suffix that
    is no table.

    Raises EngineError where a file as a whole cannot be read: empty, another format, broken list;
    also for Parquet and Arrow.
    """
    for file in list_parts(path):
        rows = read_file(file, data or Data(), prompt_lines=prompt_lines)
        yield from rows if file == path else (replace(row, file=str(file)) for row in rows)


def read_file(path: Path, data: Data, *, prompt_lines: bool = False) -> Iterator[RawRow]:
    """`read_raw` of one file; one that gzip packed is unpacked as it is read."""
    with open_regular(path) as file:
        if path.suffix.lower() != PACKED or file.read(2) != _PACKED_START:
            file.seek(0)
            yield from _read_open(path, file, data, prompt_lines)
            return
        file.seek(0)
        try:
            with io.BufferedReader(gzip.GzipFile(fileobj=file)) as unpacked:
                for row in _read_open(path, unpacked, data, prompt_lines):
                    yield replace(row, end=file.tell())  # of the bytes on the disk
        except (OSError, EOFError, zlib.error) as error:
            raise EngineError(
                f"{path.name} cannot be unpacked: {error}", str(path), "Download it again."
            ) from error


def _read_open(path: Path, file: BinaryIO, data: Data, prompt_lines: bool) -> Iterator[RawRow]:
    head = file.read(CHUNK)
    start = _check_head(path, head)
    file.seek(0)
    kind = _find_kind(path, data, head, prompt_lines)
    if kind == "delimited":
        yield from read_delimited(path, file, data)
    elif kind == "plain" and prompt_lines:
        yield from read_prompt_lines(file)
    elif kind == "plain":
        yield from read_plain(file, data.max_length)
    else:
        listed = start == b"[" and not _begins_with_turns(head)
        rows = read_arrays(path, file) if listed else read_lines(file)
        yield from map(_name_turns, rows)


def is_columnar(path: Path) -> bool:
    """Whether a file is Parquet or Arrow by its first bytes; False where it cannot be read."""
    try:
        with open_regular(path) as file:
            return _starts_columnar(file.read(8))
    except (EngineError, OSError):
        return False


def holds_columns(path: Path) -> bool:
    """Whether what is behind a path is Parquet or Arrow. Raises EngineError for missing parts."""
    return is_columnar(list_parts(path)[0])


def _starts_columnar(head: bytes) -> bool:
    return head.startswith(_COLUMNAR_STARTS)


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


def begins_as_table(path: Path) -> bool:
    """Whether a text file begins with the names of known columns; False where it cannot be read."""
    try:
        with open_regular(path) as file:
            return is_table(file.read(_HEAD), Data())
    except (EngineError, OSError):
        return False


def _spans_lines(text: bytes) -> bool:
    """Whether an object starts here and does not end on its line: no row of JSONL does that."""
    line, newline, _ = text.partition(b"\n")
    return text.startswith(b"{") and newline != b"" and not line.rstrip().endswith(b"}")


def _begins_with_turns(head: bytes) -> bool:
    """Whether the first line is a list of turns: a conversation each line, then."""
    line, newline, _ = _strip_start(head).partition(b"\n")
    if not newline and len(head) == CHUNK:
        return False
    try:
        return are_turns(json.loads(line))
    except (ValueError, RecursionError):
        return False


def _name_turns(row: RawRow) -> RawRow:
    """A bare list of turns as the field that holds one."""
    return replace(row, value={"messages": row.value}) if are_turns(row.value) else row


def _holds_objects_over_lines(text: bytes) -> bool:
    """Whether the first object ends on a later line than it begins on."""
    if not _spans_lines(text):
        return False
    try:
        json.JSONDecoder().raw_decode(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    return True


def _is_utf16(head: bytes) -> bool:
    """Whether every other byte is NUL: UTF-16 without its mark."""
    start = head[:64]
    even, odd = start[::2], start[1::2]
    zeros, letters = (odd, even) if any(even) else (even, odd)
    return len(start) > 3 and not any(zeros) and all(letters)


def _strip_start(head: bytes) -> bytes:
    """Without the byte order mark, and white space."""
    return head.removeprefix(BYTE_ORDER_MARK).lstrip()


def _find_kind(path: Path, data: Data, head: bytes, prompt_lines: bool) -> str:
    """`json`, `delimited` or `plain`: by the name, else because no row of JSON begins like that."""
    suffix = suffix_of(path)
    likely = _LIKELY_JSON if suffix in PLAIN else _PERHAPS_JSON
    if suffix in JSON or (suffix not in DELIMITED and likely.match(_strip_start(head))):
        return "json"
    if suffix in DELIMITED or data.separator or data.columns:
        return "delimited"
    if data.schema == "text" and not data.columns:
        return "plain"
    table = (suffix not in PLAIN and not prompt_lines) or is_table(head[:_HEAD], data)
    return "delimited" if table else "plain"


def _check_head(path: Path, head: bytes) -> bytes:
    """The first byte that is not white space. Raises EngineError for what is no data file."""
    impostor = recognise_impostor(head)
    if _starts_columnar(head):
        raise EngineError(
            f"{path.name} is Parquet or Arrow, which only a worker can read",
            str(path),
            "Training reads it; finetop data inspect shows its rows.",
        )
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            impostor = what
    start = _strip_start(head)
    if impostor is None and _is_utf16(head):
        impostor = "is UTF-16 without a byte order mark: save it as UTF-8"
    if impostor is None and not start and len(head) < CHUNK:
        impostor = "is empty"
    if impostor is None and suffix_of(path) == ".json" and _spans_lines(start):
        impostor = "is one JSON object, not a list of rows"
    if impostor is None and suffix_of(path) in JSON and _holds_objects_over_lines(start):
        impostor = "has JSON objects that span several lines: write each on one line"
    by_line = suffix_of(path) not in PLAIN and not start.startswith(b"[")
    if impostor is None and by_line and b"\r" in head[:-1] and b"\n" not in head:
        impostor = "has line ends of CR alone: save it with LF or CRLF"
    if impostor:
        raise EngineError(f"{path.name} {impostor}", str(path))
    return start[:1]
