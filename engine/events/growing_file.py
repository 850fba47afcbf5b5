"""Reads what was appended to a file, and notices that it is another one.

Regular files only, never blocking, never writing. Owns the offset up to which a file was read;
knows no format.
"""

import errno
import os
import stat
from pathlib import Path

CHUNK = 1 << 18
"""Bytes read at a time: about 5 ms of decoding."""
_TAIL = 64  # bytes before the offset that must still read the same when the file has grown


class Replaced(Exception):
    """The file was replaced: read it again from its start."""


class GrowingFile:
    """One file, of which each byte is taken once."""

    def __init__(self, path: Path, *, head: int = 0) -> None:
        """`head` first bytes must stay the same: of a file that its writer may write anew."""
        self.path = path
        self.offset = 0
        """Bytes taken so far."""
        self.size = 0
        """Bytes of the file when it was last read."""
        self._identity: tuple[int, int] | None = None
        self._tail = b""
        self._head = b""
        self._head_size = head

    def read(self, count: int) -> bytes:
        """Up to `count` bytes from the offset on; fewer at the end of the file.

        Raises Replaced where the bytes already taken have changed, OSError where it cannot be read.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._check(descriptor)
            return _read(descriptor, count, self.offset)
        finally:
            os.close(descriptor)

    def take(self, data: bytes) -> None:
        """Count these bytes, the next ones of the file, as taken."""
        if not data:
            return
        self._head = (self._head + data[: self._head_size - len(self._head)])[: self._head_size]
        self.offset += len(data)
        self._tail = (self._tail + data[-_TAIL:])[-_TAIL:]

    def _check(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(self.path))
        identity = (status.st_dev, status.st_ino)
        if self._identity not in (None, identity) or status.st_size < self.offset:
            raise Replaced
        self._identity, self.size = identity, status.st_size
        for known, at in ((self._tail, self.offset - len(self._tail)), (self._head, 0)):
            if known and _read(descriptor, len(known), at) != known:
                raise Replaced


def _read(descriptor: int, count: int, offset: int) -> bytes:
    """`count` bytes from `offset` on, fewer only at the end of the file."""
    parts: list[bytes] = []
    while count > 0 and (part := os.pread(descriptor, count, offset)):
        parts.append(part)
        count -= len(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
