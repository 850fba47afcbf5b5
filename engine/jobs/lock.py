"""Advisory locks that end with their process: whether a worker is alive, without a process table.

POSIX record locks (`lockf`): released when the owner exits, for any reason, and not inherited by
its children. A process must open a lock file once only: closing any descriptor of it frees it.
"""

import contextlib
import fcntl
import os
import struct
import sys
from pathlib import Path

# struct flock: Linux has type, whence, start, len, pid; macOS has start, len, pid, type, whence.
_LINUX = "hhqqi4x"
_BSD = "qqihh"


class Lock:
    """A lock on a file, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Take the lock if it is free. Raises OSError where the file cannot be made."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def write(self, text: str) -> None:
        """Replace the content of the locked file: the holder, for others to read."""
        assert self._descriptor is not None, "only its holder writes it"
        data = text.encode()
        os.pwrite(self._descriptor, data, 0)
        os.ftruncate(self._descriptor, len(data))

    def touch(self) -> None:
        """Renew the file's times: some systems remove old files from /tmp."""
        with contextlib.suppress(OSError):
            if self._descriptor is not None:
                os.utime(self._descriptor)

    @property
    def linked(self) -> bool:
        """Whether the locked file still has a name."""
        return self._descriptor is not None and os.fstat(self._descriptor).st_nlink > 0

    def is_on(self, path: Path) -> bool:
        """Whether `path` is the very file that is locked, whatever its name by now."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), path.lstat())
        except OSError:
            return False

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(path: Path) -> int | None:
    """The process that holds the lock on `path`; None where it is free or the file is missing.

    Queries the kernel (F_GETLK) without locking, so it never blocks a worker that starts, and it
    also works on a disk that is mounted read-only. The number is 0 where the holder lives in
    another process namespace.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if sys.platform == "linux":
            query = struct.pack(_LINUX, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(
                _LINUX, fcntl.fcntl(descriptor, fcntl.F_GETLK, query)
            )
        else:
            query = struct.pack(_BSD, 0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
            _, _, pid, kind, _ = struct.unpack(_BSD, fcntl.fcntl(descriptor, fcntl.F_GETLK, query))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else max(int(pid), 0)


def remove_dead(path: Path) -> None:
    """Remove a lock file that is not held, and not another file that took its name meanwhile.

    Not for a file that the caller's own process has locked: looking at it would free it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.lstat()):
            path.unlink()
    except OSError:
        return  # it is held, or was renamed meanwhile: its owner is alive
    finally:
        os.close(descriptor)
