"""Files that are whole or absent: written beside, flushed to disk, renamed into place."""

import errno
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

import tomli_w


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `data`; a reader sees the old content or the new, never a part.

    `durable` waits for the disk, so that it also holds after a power cut. Raises OSError
    (no space, read-only) and leaves the old content untouched.
    """
    _write_pieces(path, (data,), durable)


def replace_or_overwrite(path: Path, data: bytes) -> None:
    """`write_bytes`, and where the disk takes no new file, over the old one where it lies.

    A file that exists has its blocks, which a full disk still gives. Raises OSError, with the old
    content as it was: where files may not grow, only a part of the new one may have been taken.
    """
    try:
        write_bytes(path, data)
    except OSError:
        with path.open("r+b", buffering=0) as file:
            before = file.read()
            try:
                _overwrite(file, data)
                file.truncate()
            except OSError:
                with suppress(OSError):  # what could be written once can be written back
                    _overwrite(file, before)
                raise


def _overwrite(file: FileIO, data: bytes) -> None:
    file.seek(0)
    _write_all(file, data)


def _write_all(file: FileIO, data: bytes) -> None:
    while data:  # a disk may take a part, and refuse the rest
        data = data[file.write(data) :]


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """`write_text` for lines that come one after another and are never held together."""
    _write_pieces(path, (line.encode("utf-8", "backslashreplace") for line in lines), True)


def _write_pieces(path: Path, pieces: Iterable[bytes], durable: bool) -> None:
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):  # the disk may refuse that as well
            Path(beside).unlink(missing_ok=True)
        raise
    if durable:
        flush_directory(path.parent)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """`write_bytes` for text, as UTF-8; what is not valid Unicode is escaped, not lost."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"), durable=durable)


def append_lines(path: Path, text: str) -> None:
    """Add whole lines to a file and flush them to disk; a line cut by a killed writer is closed.

    Raises OSError, with the file as it was.
    """
    data = text.encode("utf-8", "backslashreplace")
    with path.open("ab+", buffering=0) as file:
        size = file.tell()
        if size:
            file.seek(-1, os.SEEK_END)
            data = data if file.read(1) == b"\n" else b"\n" + data
        try:
            _write_all(file, data)
            os.fsync(file.fileno())
        except BaseException:
            with suppress(OSError):
                file.truncate(size)
            raise


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    """`write_bytes` for a JSON value, as `encode_json` has it."""
    write_bytes(path, encode_json(value), durable=durable)


def encode_json(value: object) -> bytes:
    """A JSON value as finetop writes it.

    NaN and infinity are refused: JSON cannot represent them. What is not valid Unicode is escaped.
    """
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def write_toml(path: Path, table: Mapping[str, Any]) -> None:
    """`write_bytes` for a TOML table."""
    write_text(path, tomli_w.dumps(table))


def publish_directory(beside: Path, path: Path) -> None:
    """Give a finished directory its real name, after all that is in it is on disk.

    Raises FileExistsError where `path` is taken by something that is not empty.
    """
    flush_tree(beside)
    try:
        os.rename(beside, path)
    except OSError as error:
        if path.exists():
            raise FileExistsError(f"{path} exists") from error
        raise
    flush_directory(path.parent)


def flush_tree(folder: Path) -> None:
    """Wait until all that is below a directory is on disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            flush_file(Path(place, name))
        flush_directory(Path(place))


def flush_file(path: Path) -> None:
    """Wait until the file's content is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_directory(path: Path) -> None:
    """Wait until the names in a directory are on disk, where its file system can do that."""
    try:
        flush_file(path)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
