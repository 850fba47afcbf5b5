"""Opening untrusted files: regular files only, bounded, never blocking.

A pipe named config.json must not block a list of models, and a web page saved as weights is
reported as such. Owns no format; refuses directories, devices and pipes.
"""

import errno
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from engine.errors import EngineError

_SNIFFED = 512
"""Bytes that are enough to recognise a file that is not of the type its name says."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading bytes.

    Raises EngineError whose title names the file and says why not.
    """
    try:
        return open_file(path)
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error


class NotRegularError(OSError):
    """A directory, a device, a pipe or a socket, where a file is wanted."""


class TooLargeError(OSError):
    """A file of more bytes than are read."""


def open_file(path: Path) -> BufferedReader:
    """`open_regular` for callers that handle OSError: it raises nothing else but ValueError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_lines(path: Path, what: str) -> Iterator[bytes]:
    """The lines of a regular file, each as it is wanted; none of a file that is missing.

    Raises EngineError, whose title says that `what` cannot be read.
    """
    try:
        with open_file(path) as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        raise EngineError(f"{what} cannot be read.", f"{path}: {error.strerror}") from error


def read_file(path: Path, limit: int) -> bytes:
    """The whole content of a regular file of at most `limit` bytes. Raises OSError."""
    with open_file(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise TooLargeError(errno.EFBIG, f"larger than {limit:,} bytes", str(path))
    return content


def read_bounded(path: Path, limit: int) -> bytes:
    """The whole content of a regular file of at most `limit` bytes. Raises EngineError."""
    try:
        return read_file(path, limit)
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error


def recognise_impostor(head: bytes) -> str | None:
    """The actual type of a file whose name says otherwise, from its first bytes, in plain words.

    None where it may be right.
    """
    if not head:
        return "is empty"
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "is a git-LFS pointer, not the file itself: download it with 'git lfs pull'"
    if head.startswith(b"/annex/objects/"):
        return "is a git-annex pointer, not the file itself: download it with 'git annex get'"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "is a web page (HTML), not the file itself: download it again"
    return None


def list_files(folder: Path) -> dict[str, os.stat_result]:
    """The regular files directly in a folder, by name, links followed; dangling links left out.

    Raises EngineError where the folder cannot be listed.
    """
    found: dict[str, os.stat_result] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    found[entry.name] = status
    except (OSError, ValueError) as error:
        raise EngineError(f"the folder cannot be read: {_why(error)}", str(folder)) from error
    return found


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or leads to one; False for a link in a cycle."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _refused(path: Path, error: OSError | ValueError) -> EngineError:
    says_what = isinstance(error, NotRegularError | TooLargeError)
    how = f"is {_why(error)}" if says_what else f"cannot be read: {_why(error)}"
    return EngineError(f"{path.name} {how}", str(path))


def _why(error: OSError | ValueError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
