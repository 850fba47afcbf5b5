"""Files at a place that the user names: nothing that is there is lost unasked.

Whole or absent, never written through a link, a pipe or a device, and with the permissions that a
new file of this user has. Owns no format; files of jobs and of the program's state are not for it.
"""

import errno
import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from engine.errors import EngineError

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""What file systems without hard links answer."""


def check(path: Path, *, force: bool = False, hint: str = "Choose another name.") -> None:
    """Raise EngineError where `write` would, as far as can be seen before the work.

    `force` replaces a regular file; `hint` says what to do where one is there.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise EngineError(
            "The folder does not exist.", str(folder), "Make it, or choose another one."
        )
    _check_place(path, force, hint)
    if not os.access(folder, os.W_OK):
        raise EngineError("The file cannot be written.", str(path), "Choose another folder.")


def write(
    path: Path, pieces: Iterable[bytes], *, force: bool = False, hint: str = "Choose another name."
) -> None:
    """Write a new file, whole or not at all; with `force` also in place of a regular file.

    Raises EngineError where something is there, also what came during the work, or where it cannot
    be written. What `pieces` raises passes through, and nothing is left.
    """
    _check_place(path, force, hint)
    beside = ""
    try:
        descriptor, beside = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        if force:
            _check_place(path, force, hint)
            os.replace(beside, path)
        else:
            _publish(beside, path)
    except FileExistsError as error:
        raise _exists(path, hint) from error
    except OSError as error:
        raise EngineError(
            "The file cannot be written.",
            f"{path}: {error.strerror or error}",
            "Choose a folder that exists and is writable.",
        ) from error
    finally:
        with suppress(OSError):
            os.unlink(beside)


def _publish(beside: str, path: Path) -> None:
    """Give a finished file its name. Raises FileExistsError where that is taken by now."""
    try:
        os.link(beside, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # The name is taken first, empty: that too fails where it is taken.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.replace(beside, path)


def _check_place(path: Path, force: bool, hint: str) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing is there; or what follows says why not
    if stat.S_ISDIR(mode):
        raise EngineError("The path is a folder, not a file.", str(path), "Add a file name.")
    if not stat.S_ISREG(mode):
        what = "a link" if stat.S_ISLNK(mode) else "a pipe or a device"
        raise EngineError(f"The path is {what}, not a file.", str(path), "Choose another name.")
    if not force:
        raise _exists(path, hint)


def _exists(path: Path, hint: str) -> EngineError:
    return EngineError("The file already exists.", str(path), hint)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
